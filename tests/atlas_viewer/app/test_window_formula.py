"""Formula cards in the real window: hover, the arrow at the edge, a term, and the key that switches them off."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.real_window import ARTIFACTS, Report, Window, display, needs_display

__all__ = ["display"]

pytestmark = [pytest.mark.gpu, pytest.mark.window, needs_display]

CELL = "h.3.mlp.c_fc[5, 12]"


def shown(report: Report) -> bool:
    return bool(report["cursor"]) and report["formula"] == report["cursor"]


@pytest.mark.slow
def test_a_card_beside_the_cell_leads_to_its_sources(display: str, tmp_path: Path) -> None:
    with Window.writing(display, 4, tmp_path / "window") as window:
        window.wait("the map", lambda report: report["done"] and report["map_rows"] > 0 and report["resting"])
        window.press("g", "a field opens", lambda report: "##place" in report["places"] and report["typing"])
        window.type("##place", CELL, lambda report: report["place"][0])
        window.tool("xdotool", "key", "Return")
        window.wait("the card of the value under the keyboard cursor", lambda report: report["formula"] == CELL)
        window.point("map")
        window.wait("the card of the cell under the mouse", shown)
        window.picture(ARTIFACTS / "formula-window.png")
        window.click_until(
            "formula:source 0", "a click on an arrow goes to its source",
            lambda report: report["cursor"] == "h.3.ln_2[5, 0]",
        )  # fmt: skip
        window.wait("the card of the source", lambda report: report["formula"] == "h.3.ln_2[5, 0]")
        window.press("e", "the cards are off", lambda report: report["formula"] is None)
        window.press("e", "the cards are on", shown)
        assert window.last()["messages"] == []
