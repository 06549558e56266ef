"""The map in the real window during a run: zoom, jump to a typed value, show the weights behind it, go back."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.real_window import ARTIFACTS, Window, display, needs_display

__all__ = ["display"]

pytestmark = [pytest.mark.gpu, pytest.mark.window, needs_display]


@pytest.mark.slow
def test_navigate_the_map_and_go_back(display: str, tmp_path: Path) -> None:
    with Window.writing(display, 60, tmp_path / "window") as window:
        window.wait("the run begins", lambda report: report["steps"] > 1 and "tab:Map" in report["places"])
        window.click("tab:Map")
        report = window.wait("the map is loaded", lambda report: report["map_rows"] > 0 and "map" in report["places"])
        steps = report["steps"]
        window.point("map")
        for _ in range(10):
            window.tool("xdotool", "click", "4")
        window.wait("the wheel zooms", lambda report: report["map"][0] > 3 and report["zoom"] == 1)
        window.wait("the run continues meanwhile", lambda report: report["steps"] > steps)
        window.wait("the run ends", lambda report: report["done"])
        window.press("g", "a field opens", lambda report: "##place" in report["places"] and report["typing"])
        window.type("##place", "h.3.mlp.gelu[5, 100]", lambda report: report["place"][0])
        window.tool("xdotool", "key", "Return")
        report = window.wait("the value is inspected", lambda report: report["cursor"] == "h.3.mlp.gelu[5, 100]")
        pose = report["map"]
        window.wait("its value arrives", lambda report: len(report["values"]) == 1)
        window.point("map")
        report = window.wait("the cursor is on it", lambda report: report["cursor"] == "h.3.mlp.gelu[5, 100]")
        window.picture(ARTIFACTS / "map-window.png")
        window.tool("xdotool", "click", "--repeat", "2", "--delay", "60", "1")
        window.wait("its makers are shown", lambda report: report["cursor"] == "h.3.mlp.c_fc.weight[100, 0]")
        window.tool("xdotool", "click", "8")  # the side button that goes back
        window.wait("the camera is back", lambda report: report["map"] == pose)
        report = window.press("f", "all is shown", lambda report: report["map"][0] == 1)
        assert report["messages"] == []
