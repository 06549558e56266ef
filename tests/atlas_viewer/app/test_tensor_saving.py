"""Saving tensors between frames: one pass, no waiting, and what happens when it is stopped or fails."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import atlas_viewer
from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.requests import Continue, OpenRecording, SaveTensors, StopSaving
from atlas_viewer.state.state import State
from compute.api import selection_reading
from compute.gpu.device import shared_device
from compute.gpu.loading import Loading
from compute.sampling.options import GenerateOptions

pytestmark = pytest.mark.gpu

PROMPT = "Once upon a time"
OPTIONS = GenerateOptions(max_new_tokens=8, context=32, temperature=0)


class Frames:
    """A viewer of a real model whose frames are drawn by hand."""

    def __init__(self, runner: ModelRunner) -> None:
        self.state = State(PROMPT, OPTIONS)
        self.canvas = open_picture((640, 360))
        self.viewer = Viewer(self.canvas, shared_device(), self.state, self._load(runner))
        self.until(lambda: self.state.run is not None and len(self.state.run.steps) >= 2)

    def _load(self, runner: ModelRunner) -> Loading[ModelRunner]:
        yield "kernels", 1.0
        return runner

    def draw(self) -> None:
        self.canvas.draw()
        if self.viewer.failure is not None:
            raise self.viewer.failure

    def until(self, reached: Callable[[], object]) -> None:
        end = time.monotonic() + 60
        while not reached():
            assert time.monotonic() < end, f"{self.state.save}; {self.state.messages}"
            self.draw()

    def save(self, names: str, path: Path) -> None:
        """Ask for a file, and draw until it is saved or has failed."""
        self.state.save.note = self.state.save.trouble = ""
        self.state.requests.append(SaveTensors(names, str(path)))
        self.until(lambda: self.state.save.note or self.state.save.trouble)

    def finish(self) -> None:
        self.until(lambda: self.state.run and self.state.run.done and not self.viewer._wants_frames(float("inf")))


@pytest.fixture
def frames(runner: ModelRunner) -> Iterator[Frames]:
    made = Frames(runner)
    yield made
    made.canvas.close()


def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection_reading, "slices", partial(selection_reading.slices, most=4096))


def wanted(frames: Frames, step: int) -> atlas_viewer.Run:
    """The pass of a step by the Python API."""
    run = frames.state.run
    assert run is not None
    tokens = [token for token, _ in run.prompt_tokens] + [known.token for known in run.steps[:step]]
    return atlas_viewer.load("stories", context=32).run(tokens, keep="*")


def test_a_run_in_progress_is_paused_and_goes_on(
    frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_slices(monkeypatch)
    frames.save("*", tmp_path / "all.npz")
    state, run = frames.state, frames.state.run
    assert run is not None
    assert (state.save.trouble, run.stop_reason) == ("", "paused")
    step = len(run.steps) - 1
    assert f"step {step + 1} of run 1" in state.save.note
    passed = wanted(frames, step)
    with np.load(tmp_path / "all.npz") as file:
        assert file["tokens"].tolist() == passed.tokens
        for name in passed:
            expected = passed.logits[-1:] if passed[name] is passed.logits else passed[name]
            assert file[name].shape == expected.shape, name
            assert np.allclose(file[name], expected, atol=2e-3), name
    state.requests.append(Continue())
    frames.until(lambda: run.stop_reason == "length")
    assert len(run.steps) == 8


def test_another_step_chosen_meanwhile_does_not_enter_the_file(
    frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_slices(monkeypatch)
    frames.finish()
    frames.state.chosen = 3
    frames.finish()
    frames.state.requests.append(SaveTensors("h.*.attn.qkv", str(tmp_path / "a.npz")))
    frames.until(lambda: frames.state.save.stage == "saving")
    assert frames.viewer.controller is not None
    assert frames.viewer.controller.held
    frames.state.chosen = 6
    frames.until(lambda: frames.state.save.note or frames.state.save.trouble)
    assert "step 4 of run 1" in frames.state.save.note
    passed = wanted(frames, 3)
    with np.load(tmp_path / "a.npz") as file:
        for layer in range(8):
            name = f"h.{layer}.attn.qkv"
            assert np.allclose(file[name], passed[name], atol=2e-3), name
    frames.finish()
    assert frames.viewer.controller.step_in_engine == 6


def test_a_recording_opens_after_the_save(frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_slices(monkeypatch)
    frames.finish()
    opened: list[str] = []

    class Playbacks:
        """Notes what is opened, and whether the file was there."""

        def do(self, request: object) -> bool:
            opened.append(
                f"{request.path} {(tmp_path / 'a.npz').exists()}" if isinstance(request, OpenRecording) else ""
            )
            return True

    monkeypatch.setattr(frames.viewer, "playbacks", Playbacks())
    frames.state.requests.append(SaveTensors("*", str(tmp_path / "a.npz")))
    frames.until(lambda: frames.state.save.stage == "saving")
    frames.state.requests.append(OpenRecording("b.atlas"))
    frames.draw()
    assert frames.state.save.stage == "saving"
    assert opened == []
    frames.until(lambda: opened)
    assert opened == ["b.atlas True"]
    assert frames.state.ui.saved == str(tmp_path / "a.npz"), "the dialog is closed"


def test_stop_leaves_no_file(frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_slices(monkeypatch)
    frames.finish()
    frames.state.requests.append(SaveTensors("*", str(tmp_path / "a.npz")))
    frames.until(lambda: frames.state.save.stage == "saving")
    frames.state.requests.append(StopSaving())
    frames.until(lambda: not frames.state.save.stage)
    assert frames.state.save.note == "stopped; nothing was saved"
    assert list(tmp_path.iterdir()) == []
    frames.save("ln_f", tmp_path / "b.npy")
    assert not frames.state.save.trouble


def test_a_closed_window_leaves_no_file(runner: ModelRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_slices(monkeypatch)
    frames = Frames(runner)
    frames.finish()
    frames.state.requests.append(SaveTensors("*", str(tmp_path / "a.npz")))
    frames.until(lambda: frames.state.save.stage == "saving")
    frames.canvas.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("names", ["ln_f", "wpe"])
def test_a_full_disk_is_one_line(frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    frames.finish()
    with monkeypatch.context() as patched:
        patched.setattr(np.lib.format, "write_array", full)
        frames.save(names, tmp_path / "a.npy")
    assert frames.state.save.trouble.endswith("a.npy: cannot be written (No space left on device); choose another path")
    assert frames.state.messages == [frames.state.save.trouble], "the dialog is closed"
    assert list(tmp_path.iterdir()) == []
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
        frames.save(names, tmp_path / "a.npy")
    assert "the disk has 10 bytes free" in frames.state.save.trouble
    frames.save(names, tmp_path / "a.npy")
    assert not frames.state.save.trouble


@pytest.mark.parametrize(
    ("names", "file", "message"),
    [
        ("h.0.nothing", "a.npy", "the nearest are"),
        ("z*", "a.npz", "no tensor matches"),
        ("h.*.ln_1", "a.npy", ".npy is for one tensor, 8 are selected"),
        ("ln_f", "a.txt", ".npy, .npz or .safetensors"),
        ("ln_f", "missing/a.npy", "No such file"),
    ],
)
def test_bad_input_is_one_line(frames: Frames, tmp_path: Path, names: str, file: str, message: str) -> None:
    frames.save(names, tmp_path / file)
    assert message in frames.state.save.trouble
    assert "\n" not in frames.state.save.trouble
    assert not frames.state.save.stage
    assert list(tmp_path.iterdir()) == []
