"""The map in the real window: opened, flown over, a value's makers found, a place typed; while the run writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.real_window import ARTIFACTS, Window, display, needs_display

__all__ = ["display"]

pytestmark = [pytest.mark.gpu, pytest.mark.window, needs_display]


@pytest.mark.slow
def test_fly_over_the_map_and_go_back(display: str, tmp_path: Path) -> None:
    with Window.writing(display, 60, tmp_path / "window") as window:
        window.wait("the run begins", lambda told: told["steps"] > 1 and "tab:Map" in told["places"])
        window.click("tab:Map")
        told = window.wait("the map is there", lambda told: told["map_rows"] > 0 and "map" in told["places"])
        steps = told["steps"]
        window.point("map")
        for _ in range(10):
            window.tool("xdotool", "click", "4")
        window.wait("the wheel zooms", lambda told: told["map"][0] > 3 and told["zoom"] == 1)
        window.wait("the run goes on meanwhile", lambda told: told["steps"] > steps)
        window.wait("the run ends", lambda told: told["done"])
        window.press("g", "a field opens", lambda told: "##place" in told["places"] and told["typing"])
        window.type("##place", "h.3.mlp.gelu[5, 100]", lambda told: told["place"][0])
        window.tool("xdotool", "key", "Return")
        told = window.wait("the value is inspected", lambda told: told["cursor"] == "h.3.mlp.gelu[5, 100]")
        pose = told["map"]
        window.wait("its value arrives", lambda told: len(told["values"]) == 1)
        window.point("map")
        told = window.wait("the cursor is on it", lambda told: told["cursor"] == "h.3.mlp.gelu[5, 100]")
        window.picture(ARTIFACTS / "map-window.png")
        window.tool("xdotool", "click", "--repeat", "2", "--delay", "60", "1")
        window.wait("its makers are shown", lambda told: told["cursor"] == "h.3.mlp.c_fc.weight[100, 0]")
        window.tool("xdotool", "click", "8")  # the side button that goes back
        window.wait("the camera is back", lambda told: told["map"] == pose)
        told = window.press("f", "all is shown", lambda told: told["map"][0] == 1)
        assert told["messages"] == []
