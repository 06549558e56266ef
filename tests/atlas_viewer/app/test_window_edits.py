"""An edit in the real window: the mouse zeroes a head, the text changes, a held key shows the text before."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.real_window import ARTIFACTS, Window, display, needs_display

__all__ = ["display"]

pytestmark = [pytest.mark.gpu, pytest.mark.window, needs_display]


@pytest.mark.slow
def test_a_head_is_edited_with_the_mouse_and_the_next_token_changes(display: str, tmp_path: Path) -> None:
    with Window.writing(display, 8, tmp_path / "window") as window:
        before = window.wait("the text", lambda report: report["done"] and report["steps"] == 8)["tokens"]
        window.press("q", "Attention is in front", lambda report: "attention wall" in report["places"])
        window.point("attention wall")
        window.press("ctrl+e", "the menu opens", lambda report: "edit Zero" in report["places"])
        window.click("edit Zero")
        report = window.wait("the edit", lambda report: report["edits"])
        assert len(report["edits"]) == 1
        assert report["edits"][0].startswith("h.4.attn.out[head=") or report["edits"][0].startswith(
            "h.3.attn.out[head="
        )
        after = window.wait(
            "another text", lambda report: report["done"] and report["steps"] == 8 and report["tokens"] != before
        )["tokens"]
        window.picture(ARTIFACTS / "edited-head.png")
        window.tool("xdotool", "keydown", "u")
        window.wait("the text without the edit", lambda report: report["tokens"] == before and not report["edits"])
        window.tool("xdotool", "keyup", "u")
        window.wait("the edited text again", lambda report: report["tokens"] == after and report["edits"])
        assert window.last()["messages"] == []
