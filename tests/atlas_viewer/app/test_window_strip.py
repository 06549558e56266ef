"""The strip in the real window: hover, pin, search the tensor list, change the palette; with a screenshot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from compute.views.strip_sheet import GAP, NAMES

from helpers.real_window import ARTIFACTS, Window, display, needs_display

__all__ = ["display"]

pytestmark = [pytest.mark.gpu, pytest.mark.window, needs_display]


def picture(window: Window, name: str) -> np.ndarray:
    """The strip on the screen, uint8 [height, width, 3]; the whole screen is saved as `name`."""
    path = ARTIFACTS / name
    window.picture(path)
    data = subprocess.run(["convert", str(path), "-depth", "8", "rgb:-"], capture_output=True, check=True).stdout
    left, top, right, bottom = (round(edge) for edge in window.last()["picture"])
    return np.frombuffer(data, np.uint8).reshape(720, 1280, 3)[top:bottom, left:right]


@pytest.mark.slow
def test_hover_pin_search_and_palette(display: str, tmp_path: Path) -> None:
    with Window.writing(display, 6, tmp_path / "window") as window:
        window.wait("the run ends and is measured", lambda report: report["done"] and report["statistics"] > 100)
        window.open_strip()
        left, top, right, _ = window.last()["picture"]
        pixels = (right - left) / window.last()["sheet"][0]  # of a cell
        # The first box has the token embeddings.
        window.move(left + (GAP + 10.5) * pixels, top + (GAP + NAMES + 1.5) * pixels)
        report = window.wait("the cell under the cursor is named", lambda report: report["cursor"] is not None)
        assert report["cursor"].startswith("embed.tokens[")
        window.wait("its value arrives", lambda report: len(report["values"]) == 1)
        window.tool("xdotool", "click", "3")
        report = window.wait("a right click pins it", lambda report: len(report["pins"]) == 1)
        pinned = report["pins"]
        window.press("Right", "an arrow key moves the pin", lambda report: report["pins"] != pinned)
        assert len(window.last()["pins"]) == 1

        window.click_tab("Tensors")
        window.type("##search", "3 gelu", lambda report: report["search"])
        window.wait("the search leaves one tensor and its heading", lambda report: report["found"] == 2)
        window.click("h.3.mlp.gelu")
        report = window.wait("a click inspects it", lambda report: report["cursor"] == "h.3.mlp.gelu[0, 0]")
        assert report["messages"] == []
        picture(window, "atlas-tensors.png")

        window.move(376, 500)
        window.wait("the last frame is drawn", lambda report: report["resting"])
        before = picture(window, "atlas-inspector.png")
        if len(window.last()["palettes"]) == 1:
            pytest.skip("there is one palette only")
        window.click("##palette")
        window.click("blue-orange##palette")
        window.wait("the palette is chosen", lambda report: report["look"][0] == "blue-orange")
        window.move(376, 500)
        window.wait("it is drawn with it", lambda report: report["resting"])
        after = picture(window, "atlas-palette.png")
        changed = (np.abs(before.astype(int) - after).max(axis=2) > 8).mean()
        assert changed > 0.05, f"the palette changed {changed:.1%} of the atlas"
