"""The atlas in the real window: hover, pin, search the tensor list, change the palette; with a picture of it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_window import ARTIFACTS, TOOLS, Window, display

__all__ = ["display"]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or any(shutil.which(tool) is None for tool in TOOLS),
    reason=f"needs Linux with {', '.join(TOOLS)} (./dev test installs them)",
)


def picture(window: Window, name: str) -> np.ndarray:
    """The atlas on the screen, uint8 [height, width, 3]; the whole screen is kept as `name`."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    path = ARTIFACTS / name
    path.unlink(missing_ok=True)
    window.tool("import", "-window", "root", str(path))
    data = subprocess.run(["convert", str(path), "-depth", "8", "rgb:-"], capture_output=True, check=True).stdout
    left, top, right, bottom = (round(edge) for edge in window.reports()[-1]["picture"])
    return np.frombuffer(data, np.uint8).reshape(720, 1280, 3)[top:bottom, left:right]


def test_hover_pin_search_and_palette(display: str, tmp_path: Path) -> None:
    window = Window(display, 6, tmp_path / "window")
    try:
        window.wait("the run ends and is measured", lambda told: told["done"] and told["statistics"] > 100)
        left, top, right, _ = window.reports()[-1]["picture"]
        pixels = (right - left) / 640  # of a cell
        # Row 2 is inside the token embeddings: 4096 cells, or the context's 192 columns a token.
        window.tool("xdotool", "mousemove", str(round(left + 100.5 * pixels)), str(round(top + 1.5 * pixels)))
        told = window.wait("the cell under the cursor is named", lambda told: told["cursor"] is not None)
        assert told["cursor"].startswith("embed.tokens:")
        window.wait("its value arrives", lambda told: len(told["values"]) == 1)
        window.tool("xdotool", "click", "3")
        told = window.wait("a right click pins it", lambda told: len(told["pins"]) == 1)
        pinned = told["pins"]
        window.tool("xdotool", "key", "Right")
        window.wait("an arrow key moves the pin", lambda told: told["pins"] != pinned and len(told["pins"]) == 1)

        window.click_tab("Tensors")
        window.click("##search")
        window.tool("xdotool", "type", "--delay", "40", "3 gelu")
        window.wait("the search leaves one tensor and its heading", lambda told: told["found"] == 2)
        window.click("  mlp.gelu##h.3.mlp.gelu")
        told = window.wait("a click inspects it", lambda told: told["cursor"] == "h.3.mlp.gelu:0")
        assert told["messages"] == []
        picture(window, "atlas-tensors.png")

        window.tool("xdotool", "mousemove", "376", "500")
        before = picture(window, "atlas-inspector.png")
        if len(window.reports()[-1]["palettes"]) == 1:
            pytest.skip("there is one palette only")
        window.click("##palette")
        window.click("blue-orange##palette")
        window.wait("the palette is chosen", lambda told: told["look"][0] == "blue-orange")
        window.tool("xdotool", "mousemove", "376", "500")
        time.sleep(1.0)
        after = picture(window, "atlas-palette.png")
        changed = (np.abs(before.astype(int) - after).max(axis=2) > 8).mean()
        assert changed > 0.05, f"the palette changed {changed:.1%} of the atlas"
    finally:
        window.process.send_signal(signal.SIGINT)
        status = window.process.wait(30)
    assert status == 0, window.errors()
    assert "Traceback" not in window.errors()
