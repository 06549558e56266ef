"""File dialogs: the effects of a choice, frames that never wait, and the real dialogs with a stand-in for zenity."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from imgui_bundle import imgui, portable_file_dialogs

from atlas_viewer.state.requests import OpenModel, OpenRecording, Screenshot
from atlas_viewer.state.state import ModelSummary, State
from atlas_viewer.ui import file_dialogs
from compute.sampling.options import GenerateOptions

from helpers.paths import ROOT
from helpers.screen import Screen, context

__all__ = ["context"]

MODEL = ModelSummary("fake", 2, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter", 0)


class FakeDialog:
    """A dialog that a test closes."""

    shown: ClassVar[list[FakeDialog]]  # of this class, newest last

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.paths: list[str] | None = None
        self.killed = False
        type(self).shown.append(self)

    def ready(self, timeout: int) -> bool:
        assert timeout == 0, "a frame must not wait"
        return self.paths is not None

    def kill(self) -> bool:
        self.killed = True
        return True


class FakeOpen(FakeDialog):
    shown: ClassVar[list[FakeDialog]] = []

    def result(self) -> list[str]:
        assert self.paths is not None, "asking for the result would wait"
        return self.paths


class FakeSave(FakeDialog):
    shown: ClassVar[list[FakeDialog]] = []

    def result(self) -> str:
        assert self.paths is not None, "asking for the result would wait"
        return next(iter(self.paths), "")


@pytest.fixture
def dialogs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    FakeOpen.shown.clear()
    FakeSave.shown.clear()
    monkeypatch.setattr(portable_file_dialogs, "open_file", FakeOpen)
    monkeypatch.setattr(portable_file_dialogs, "save_file", FakeSave)
    monkeypatch.setattr(file_dialogs, "problem", str)
    yield
    file_dialogs.close()


@pytest.fixture
def state() -> State:
    made = State("Once upon a", GenerateOptions(), model=MODEL)
    made.ui.front = "Session"
    return made


@pytest.fixture
def screen(context: None, dialogs: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(state, monkeypatch)


def test_a_model_is_opened_once_it_is_chosen(screen: Screen, state: State) -> None:
    state.ui.dialog = "models"
    screen.frame(3)
    screen.click("browse model")
    assert file_dialogs.pending()
    (dialog,) = FakeOpen.shown
    assert "*.bin *.safetensors" in dialog.arguments[2]  # type: ignore[operator]
    screen.frame(5)
    assert not state.requests
    dialog.paths = ["/models/a.bin"]
    screen.frame()
    assert list(state.requests) == [OpenModel("/models/a.bin")]
    assert (state.models.path, state.ui.dialog) == ("/models/a.bin", "models")
    assert not file_dialogs.pending()


def test_cancel_changes_nothing_and_the_next_dialog_opens(screen: Screen, state: State) -> None:
    screen.click("browse recording")
    screen.click("browse recording")
    assert len(FakeOpen.shown) == 1, "one dialog at a time"
    FakeOpen.shown[0].paths = []
    screen.frame()
    assert not state.requests
    screen.click("browse recording")
    FakeOpen.shown[1].paths = ["/recordings/a.atlas"]
    screen.frame()
    assert list(state.requests) == [OpenRecording("/recordings/a.atlas")]


def test_names_of_new_files(screen: Screen, state: State) -> None:
    recorder, video = state.recording.recorder, state.recording.video
    recorder.path = "of mine.atlas"
    for identity, path in (("browse session file", "/here/b.atlas"), ("browse video file", "/here/b.mp4")):
        screen.click(identity)
        FakeSave.shown[-1].paths = [path]
        screen.frame()
    assert (recorder.path, video.path) == ("/here/b.atlas", "/here/b.mp4")
    assert FakeSave.shown[0].arguments[1] == str(Path("of mine.atlas").absolute())
    assert FakeSave.shown[0].arguments[3] == portable_file_dialogs.opt.force_overwrite
    assert not state.requests


def test_menu_entries(screen: Screen, state: State) -> None:
    screen.click("File##menu")
    screen.frame(2)
    screen.click("app.screenshot_as")
    FakeSave.shown[-1].paths = ["/pictures/a.png"]
    screen.frame()
    assert list(state.requests) == [Screenshot("/pictures/a.png")]


def test_a_recording_is_also_opened_by_its_typed_path(screen: Screen, state: State) -> None:
    screen.click("##recording to open")
    screen.io.add_input_characters_utf8(" b.atlas ")
    screen.frame(2)
    screen.press(imgui.Key.enter)
    assert list(state.requests) == [OpenRecording("b.atlas")]


def test_without_dialogs_buttons_and_entries_say_why(
    context: None, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_dialogs, "problem", lambda: "No file dialogs: a reason")
    screen = Screen(state, monkeypatch)
    screen.click("browse session file")
    assert not file_dialogs.pending()
    screen.frame(5)
    assert screen.shows("No file dialogs: a reason")
    screen.click("File##menu")
    screen.frame(2)
    screen.click("session.window")
    assert not file_dialogs.pending()
    screen.frame(5)
    assert screen.shows("No file dialogs: a reason")
    screen.click("session.open")  # leads to the field for the path instead
    screen.frame(3)
    assert imgui.get_io().want_text_input


@pytest.mark.skipif(sys.platform != "linux", reason="other systems need no helper program")
def test_the_reason_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert "no desktop" in file_dialogs.problem.__wrapped__()
    monkeypatch.setenv("DISPLAY", ":1")
    assert "none of zenity" in file_dialogs.problem.__wrapped__()
    (tmp_path / "kdialog").write_text("#!/bin/sh\n")
    (tmp_path / "kdialog").chmod(0o755)
    assert file_dialogs.problem.__wrapped__() == ""


REAL = """
import time
from atlas_viewer.ui import file_dialogs
paths, longest = [], 0.0
assert not file_dialogs.problem(), file_dialogs.problem()
file_dialogs.choose("Open", "a.atlas", file_dialogs.RECORDINGS, paths.append)
end = time.monotonic() + 60
while file_dialogs.pending() and time.monotonic() < end:
    begin = time.perf_counter()
    file_dialogs.poll()
    longest = max(longest, time.perf_counter() - begin)
    time.sleep(0.01)
file_dialogs.choose_new("Save", "a.atlas", file_dialogs.RECORDINGS, paths.append, replace=False)
file_dialogs.poll()
assert file_dialogs.pending()
file_dialogs.close()
print(paths, longest)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems need no helper program")
def test_real_dialogs_are_polled_and_closed(tmp_path: Path) -> None:
    helper = tmp_path / "zenity"
    helper.write_text('#!/bin/sh\ncase "$*" in *Save*) exec sleep 600;; esac\nsleep 1\necho "/chosen/ä b.atlas"\n')
    helper.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "DISPLAY": ":none",
        "PYTHONPATH": str(ROOT),
    }
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", REAL], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    paths, longest = done.stdout.rsplit(" ", 1)
    assert paths == "['/chosen/ä b.atlas']"
    assert float(longest) < 0.5, "a poll waits for the dialog"
    assert time.monotonic() - begin < 240, "the program waits for the open dialog before it ends"
