"""A compared with B in the real window: the panel, the key that shows B while it is held, and the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.real_window import ARTIFACTS, Window, display, needs_display

__all__ = ["display"]

pytestmark = [pytest.mark.gpu, pytest.mark.window, needs_display]


@pytest.mark.slow
def test_compare_blink_and_stop(display: str, tmp_path: Path) -> None:
    with Window.writing(display, 6, tmp_path / "window") as window:
        window.wait("the run ends and is measured", lambda report: report["done"] and report["statistics"] > 100)
        window.open_strip()
        window.press("shift+j", "the panel appears", lambda report: "Compare##b" in report["places"])
        window.click_until("Compare##b", "B is computed", lambda report: report["compared"][1])
        window.wait("the views show the difference", lambda report: "marked compared" in report["places"])
        assert window.last()["compared"] == ["A - B", True, ""]
        window.picture(ARTIFACTS / "compare.png")
        left, top, right, bottom = window.last()["picture"]
        window.move((left + right) / 2, (top + bottom) / 2)
        window.tool("xdotool", "keydown", "j")
        window.wait("the views show B while J is held", lambda report: report["compared"][0] == "B")
        window.tool("xdotool", "keyup", "j")
        window.wait("and the difference again", lambda report: report["compared"][0] == "A - B")
        window.press("alt+j", "the comparison ends", lambda report: not report["compared"][1])
        report = window.wait("the last frame is drawn", lambda report: report["resting"])
        assert "marked compared" not in report["places"]
        assert report["messages"] == []
