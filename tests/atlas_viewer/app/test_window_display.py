"""The real window on displays that exceed the adapter's limits, or disappear."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.recording.reader import Recording
from compute.gpu.device import shared_device

from helpers.patience import PATIENCE_S
from helpers.real_window import Window, needs_display, x_server

pytestmark = [pytest.mark.gpu, pytest.mark.window]

PROMPT = "Once upon a time, there was a"


@needs_display
def test_a_window_wider_than_a_texture_then_a_lost_server(tmp_path: Path) -> None:
    most = shared_device().limits["max-texture-dimension-2d"]
    if most > 32_000:
        pytest.skip("X windows are no wider than this adapter's textures")
    with x_server(f"{most + 2000}x200x24") as (name, server):
        window = Window.writing(name, 1000, tmp_path / "window")
        try:
            window.wait("it writes", lambda report: report["steps"] >= 2)
            number = window.tool("xdotool", "search", "--name", "Tensor Atlas").split()[0]
            window.tool("xdotool", "windowsize", number, str(most + 1000), "180")
            report = window.wait("it has the largest width", lambda report: report["size"] == [most, 180])
            window.wait("it continues", lambda now: now["steps"] > report["steps"])

            window.press("ctrl+r", "it is recorded", lambda report: report["recording"][1] >= 2)
            server.kill()  # in the middle of a run
            status = window.process.wait(PATIENCE_S)
        finally:
            window.kill()
    text = window.told().rpartition("}\n")[2]
    assert text.startswith(PROMPT + " "), text
    assert (status, window.errors().count("\n")) == (1, 1), window.errors()
    assert window.errors().startswith(f"atlas-viewer: display '{name}': the X server has disappeared")
    (path,) = tmp_path.glob("session*")  # without a leftover log
    with closing(Recording(path)) as recording:
        assert len(recording.steps(recording.run(None))) >= 2


def test_a_picture_is_no_larger_than_a_texture() -> None:
    canvas = open_picture((100, 60))
    canvas.limit_to(80)
    assert canvas.get_physical_size() == (80, 60)
    canvas.set_logical_size(50, 900)
    assert canvas.get_physical_size() == (50, 80)
    canvas.set_physical_size(81, 79)
    assert canvas.get_physical_size() == (80, 79)
    assert canvas.get_logical_size() == (80, 79)
