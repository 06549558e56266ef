"""The first start in the real window: the invitation, the tour while the model generates, then the guided walk."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.real_window import ARTIFACTS, Window, display, needs_display

__all__ = ["display"]

pytestmark = [pytest.mark.gpu, pytest.mark.window, needs_display]


@pytest.mark.slow
def test_the_tour_and_the_walk_fly_to_what_they_speak_of(display: str, tmp_path: Path) -> None:
    with Window.writing(display, 20, tmp_path / "window") as window:
        window.wait("the invitation is there", lambda report: "invitation tour" in report["places"])
        window.wait("the run ends and Map is loaded", lambda report: report["done"] and report["map_rows"] > 0)
        window.picture(ARTIFACTS / "invitation.png")
        window.click_until("invitation tour", "the tour begins", lambda report: report["walk"] == [0, 4, True])
        window.wait("it generates", lambda report: report["steps"] > 20)
        window.press("Next", "a block", lambda report: report["walk"][0] == 1)
        report = window.wait("it has flown there", lambda report: report["map"][0] > 1.5 and report["dimmed"])
        before = report["map"]
        window.press("Next", "a head", lambda report: report["walk"][0] == 2)
        window.wait("it has flown there", lambda report: report["map"] != before and report["map"][0] > before[0])
        window.press("Escape", "the tour ends", lambda report: report["walk"][1] == 0 and not report["dimmed"])
        window.press("F3", "the guided walk begins", lambda report: report["walk"][1] > 15)
        window.press("space", "Space goes on", lambda report: report["walk"][0] == 1 and report["dimmed"])
        window.point("map")
        window.tool("xdotool", "click", "4")
        window.wait("the wheel makes all bright", lambda report: not report["dimmed"])
        report = window.wait("it rests", lambda report: report["resting"])
        assert report["messages"] == []
