"""Windows that are resized, minimized, closed early, opened again and again, and lose their device."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from atlas_viewer.state.requests import Generate, Screenshot

from helpers.fake_generation import FakeRunner
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S, wait_until
from helpers.viewer_loop import Loop

pytestmark = pytest.mark.gpu

LOST = """
import pygfx
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.app.canvas import open_picture
from atlas_viewer.state.state import State
from atlas_viewer.runner.model_runner import ModelRunner
from compute.weights.checkpoint import open_model
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device
from compute.gpu.wgpu_native import Readback, poll
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer

state = State("Once", GenerateOptions(max_new_tokens=50))
loading = ModelRunner.loading(open_model("stories"), load_tokenizer(), LoadOptions(context=32))
canvas = open_picture((320, 200))
viewer = Viewer(canvas, shared_device(), state, loading)
while state.run is None or len(state.run.steps) < 3:
    canvas.draw()
readback = Readback(shared_device(), 64)
readback.request()
poll(shared_device(), wait=True)
shared_device().destroy()
for _ in range(5):
    if not canvas.get_closed():
        canvas.draw()
print(len(readback.read()), "bytes that had arrived")
print(type(viewer.failure).__name__, "/", viewer.failure, "/", canvas.get_closed())
"""
# 30 windows; pygfx keeps some pipelines of each until it has 128, so those are dropped after every five.
OPENED_AND_CLOSED = """
import ctypes, gc, json, sys
from pathlib import Path

sys.path.insert(0, "tests")
import wgpu
from pygfx.renderers.wgpu.engine.utils import gpu_caches
from helpers.viewer_loop import Loop

counted = {"native": [], "objects": [], "resident": []}
for count in range(30):
    loop = Loop(1)
    loop.draw(5)
    loop.canvas.close()
    del loop
    if count % 5 == 4:
        gpu_caches.disable()
        gpu_caches.enable()
        gc.collect()
        counts = wgpu.diagnostics.object_counts.get_dict()
        counted["native"].append({name: entry["count"] for name, entry in counts.items()})
        counted["objects"].append(len(gc.get_objects()))
        ctypes.CDLL(None).malloc_trim(0)
        counted["resident"].append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6)
print(json.dumps(counted))
"""


def test_a_lost_device_closes_the_window_with_a_clear_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOST], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    *_, arrived, printed = done.stdout.splitlines()
    assert arrived == "64 bytes that had arrived"
    assert printed == "DeviceError / the GPU device was lost: close other GPU programs and start again / True"


@pytest.mark.parametrize("size", [(200, 150), (1, 1), (3840, 2160), (640, 2000)])
def test_sizes(size: tuple[int, int]) -> None:
    loop = Loop(3)
    loop.canvas.set_logical_size(*size)
    loop.finish()
    loop.canvas.set_logical_size(960, 540)
    loop.draw(2)
    loop.canvas.set_logical_size(*size)
    loop.draw(2)
    loop.canvas.close()


def test_closed_while_a_run_generates() -> None:
    loop = Loop(50)
    loop.draw(8)
    assert loop.state.busy
    loop.canvas.close()
    assert loop.viewer.failure is None


def test_a_picture_of_the_window(tmp_path: Path) -> None:
    loop = Loop(3)
    loop.finish()
    target, refused = tmp_path / "window.png", tmp_path / "no folder" / "window.png"
    loop.state.requests += [Screenshot(str(target)), Screenshot(str(refused))]
    wait_until(lambda: target.exists() and loop.state.messages, "both are answered", meanwhile=lambda: loop.draw(1))
    assert target.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(target.read_bytes()[16:20]) == 960
    assert "no folder" in loop.state.messages[-1]
    assert loop.state.ui.saved == str(target)


def test_pictures_get_new_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("atlas_viewer.app.screenshot.time.strftime", lambda _format: "2026-11-28")
    (tmp_path / "atlas-viewer-2026-11-28-2.png").write_bytes(b"kept")
    loop = Loop(2)
    loop.finish()
    for number in (1, 3):
        path = tmp_path / f"atlas-viewer-2026-11-28-{number}.png"
        loop.state.requests.append(Screenshot())
        loop.draw(1)
        assert loop.state.ui.saved == "", "the picture does not show the message about the previous one"
        wait_until(lambda: loop.state.ui.saved, "it is saved", meanwhile=lambda: loop.draw(1))
        assert loop.state.ui.saved == str(path)
        assert path.read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "atlas-viewer-2026-11-28-2.png").read_bytes() == b"kept"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_windows_that_are_opened_and_closed_leak_nothing() -> None:
    """In a separate process: after a thousand tests a heap grows by more than a leak of this size."""
    done = subprocess.run(
        [sys.executable, "-c", OPENED_AND_CLOSED], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout.splitlines()[-1])
    native, objects, resident = counted["native"], counted["objects"], counted["resident"]
    assert native[-1] == native[1], "objects of wgpu"
    assert objects[-1] - objects[1] < 20 * 50, f"objects of Python after every five windows: {objects}"
    assert resident[-1] - resident[1] < 20, f"resident MB after every five windows: {resident}"


def test_many_sizes_share_one_renderer() -> None:
    from pygfx.renderers.wgpu.engine.utils import gpu_caches

    loop = Loop(1)
    loop.finish()
    loop.draw(2)
    known = gpu_caches.get_stats()["pipelines"][0]
    for width in range(600, 960, 20):
        loop.canvas.set_logical_size(width, 540)
        loop.draw(2)
    assert gpu_caches.get_stats()["pipelines"][0] == known
    loop.canvas.close()


def test_the_model_of_an_unfinished_run_is_released() -> None:
    loop = Loop(30)
    loop.draw(9)
    loop.state.requests.append(Generate("another", loop.state.options))
    loop.draw(4)
    assert isinstance(loop.runner, FakeRunner)
    assert len(loop.state.runs.all) == 2
    assert loop.state.runs.all[1].stop_reason == "paused"
    loop.canvas.close()
