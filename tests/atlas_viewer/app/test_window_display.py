"""The real window on displays that exceed the adapter's limits, or disappear."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.x11 import hung_up
from atlas_viewer.recording.reader import Recording
from compute.gpu.device import shared_device

from helpers.paths import SEARCH_PATH
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

            # A second press would end the recording, so that only its beginning is waited for.
            window.press("ctrl+r", "Ctrl+R records", lambda report: report["recording"][0])
            window.wait("steps are written", lambda report: report["recording"][1] >= 2)
            server.kill()  # in the middle of a run
            status = window.process.wait(PATIENCE_S)
        finally:
            window.kill()
    text = window.report().rpartition("}\n")[2]
    assert text.startswith(PROMPT + " "), text
    assert (status, window.errors().count("\n")) == (1, 1), window.errors()
    assert window.errors().startswith(f"atlas-viewer: display '{name}': the X server has disappeared")
    (path,) = tmp_path.glob("session*")  # without a leftover log
    with closing(Recording(path)) as recording:
        assert len(recording.steps(recording.run(None))) >= 2


# Kills the X server in a frame: after the check that it exists, before wgpu acquires a texture.
KILLER = """
import os, signal, sys
from pathlib import Path
from atlas_viewer.app.window_canvas import WindowCanvas
from atlas_viewer.cli.main import main

server, check, frames = int(sys.argv.pop(1)), WindowCanvas.check, 0

def then_kill(canvas):
    global frames
    check(canvas)
    frames += 1
    if frames == 20:
        os.kill(server, signal.SIGKILL)
        # Its connections are closed when it is a zombie.
        while " Z " not in Path(f"/proc/{server}/stat").read_text():
            pass

WindowCanvas.check = then_kill
sys.exit(main(sys.argv[1:]))
"""


@needs_display
def test_a_server_that_is_lost_while_a_frame_begins(tmp_path: Path) -> None:
    with x_server("640x400x24") as (name, server):
        environment = {**os.environ, "DISPLAY": name, "PYTHONPATH": SEARCH_PATH, "ATLAS_VIEWER_CONFIG": str(tmp_path)}
        environment.pop("WAYLAND_DISPLAY", None)
        done = subprocess.run(
            [sys.executable, "-c", KILLER, str(server.pid), "view", PROMPT, "-n", "1000", "--temperature", "0"],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(f"atlas-viewer: display '{name}': the X server has disappeared")
    assert done.stdout.startswith(PROMPT)


def test_a_closed_connection_is_noticed_behind_unread_data() -> None:
    here, there = socket.socketpair()
    with here:
        with there:
            assert not hung_up(here)
            there.send(b"an event")
            assert not hung_up(here)
        assert hung_up(here)
        assert here.recv(8) == b"an event"
        assert hung_up(here)


def test_a_picture_is_no_larger_than_a_texture() -> None:
    canvas = open_picture((100, 60))
    canvas.limit_to(80)
    assert canvas.get_physical_size() == (80, 60)
    canvas.set_logical_size(50, 900)
    assert canvas.get_physical_size() == (50, 80)
    canvas.set_physical_size(81, 79)
    assert canvas.get_physical_size() == (80, 79)
    assert canvas.get_logical_size() == (80, 79)
