"""What version 0.1.0 wrote is still good: recordings open, verify and play, settings apply, tours do the same.

`tests/data/version_0.1.0` was written by commit e087560, the last before its files, classes and labels were renamed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.open_recording import open_player
from atlas_viewer.app.recorded_model_loading import loading_recorded_model
from atlas_viewer.recording.cameras import recorded_viewport
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recover import recover
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.settings import loads
from atlas_viewer.state.state import State
from atlas_viewer.ui import panels, theme
from atlas_viewer.ui.services import Services
from compute.errors import RecordingError
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device
from compute.sampling.options import GenerateOptions
from compute.weights.checkpoint import open_model

from helpers.command_line import runner as command
from helpers.paths import DATA, SEARCH_PATH
from helpers.patience import PATIENCE_S
from helpers.real_window import TOOLS, display
from helpers.recording_loop import Loop
from helpers.screen import context

__all__ = ["context", "display"]

WRITTEN = DATA / "version_0.1.0"
STEPS = {"cli": 4, "window": 2}


@pytest.fixture(params=STEPS)
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy: a recording may be closed only after SQLite has written beside it."""
    return Path(shutil.copy(WRITTEN / f"{request.param}.atlas", tmp_path))


@pytest.mark.gpu
def test_recordings_verify(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = command(capsys, "session")("verify", recording, "--json")
    report = json.loads(result.out)
    assert result.status == 0, result.err
    assert report["holds"]
    assert report["model"] == {"name": "stories", "architecture": "gpt2"}  # which the file does not name
    assert report["counts"]["different"] == 0
    assert [step["draw_repeats"] for step in report["steps"]] == [True] * STEPS[recording.stem]


def test_information_names_the_architecture(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = recording.read_bytes()
    result = command(capsys, "session")("info", recording, "--json")
    assert result.status == 0, result.err
    assert json.loads(result.out)["head"]["config"]["architecture"] == "gpt2"
    assert recording.read_bytes() == written


def test_damaged_recordings_are_recovered(recording: Path, tmp_path: Path) -> None:
    whole = recording.read_bytes()
    recording.write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(RecordingError, match="session recover"), Recording(recording) as damaged:
        [damaged.steps(run) for run in damaged.runs()]
    saved = tmp_path / "saved.atlas"
    assert recover(recording, saved).steps > 0
    with Recording(saved) as now, Recording(WRITTEN / recording.name) as then:
        assert now.head == then.head
        tokens, known = ([step.record.token for step in of.steps(of.run(1))] for of in (now, then))
    assert tokens
    assert tokens == known[: len(tokens)]


def without_new_fields(now: Any, then: Any) -> Any:
    """`now` without the fields that `then` lacks: fields may be added, none renamed or removed."""
    if isinstance(now, dict) and isinstance(then, dict):
        return {name: without_new_fields(now[name], then[name]) for name in now if name in then}
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [without_new_fields(*pair) for pair in zip(now, then, strict=True)]
    return now


@pytest.mark.gpu
def test_recordings_are_exported_as_they_were(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = command(capsys, "session")("export", recording, "--json")
    assert result.status == 0, result.err
    then = json.loads((WRITTEN / f"{recording.stem}.json").read_text("utf-8"))
    assert without_new_fields(json.loads(result.out), then) == then


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Loop]:
    """The recording of the window, opened in a window, with its model."""
    with Recording(Path(shutil.copy(WRITTEN / "window.atlas", tmp_path))) as recording:
        state = State("", GenerateOptions())
        viewer, player = open_player(open_picture((960, 540)), shared_device(), state, recording, None)
        loop = Loop(viewer)
        viewer.load(loading_recorded_model(player, open_model("stories"), LoadOptions()), "stories")
        loop.draw(lambda: viewer.controller is not None and isinstance(viewer.controller.model, ModelRunner))
        yield loop
        viewer.canvas.close()


@pytest.mark.gpu
def test_a_recording_plays_with_its_cameras_and_events(window: Loop) -> None:
    state, player = window.state, window.viewer.player
    assert player is not None
    playback = player.playback
    window.draw(lambda: state.run is not None and playback.count == 1)
    assert state.run is not None
    assert [step.text for step in state.run.steps] == [" brave"]
    playback.playing, playback.speed, playback.seek = True, 16.0, 0
    window.draw(lambda: not playback.playing and playback.position == 1)
    assert playback.event == "Continue 1"
    assert state.camera.zoom == pytest.approx(1.515716566510398)
    assert state.camera.center == pytest.approx((276.3398087178083, 129.26508683868917))


def test_cameras_of_the_map_are_read() -> None:
    with Recording(WRITTEN / "window.atlas") as recording:
        viewport_at = recorded_viewport(recording.cameras())
    first, last = viewport_at(4.0), viewport_at(5.0)
    assert first is not None
    assert last is not None
    assert (first.target.name, last.target.name) == ("wte", "h.3.mlp.gelu")
    assert last.height == pytest.approx(6.0357142857142865)


def test_settings_are_remembered() -> None:
    text = (WRITTEN / "interface.json").read_text("utf-8")
    ui = loads(text)
    assert ui.layout.startswith("[Window][")
    assert (ui.zoom, ui.theme, ui.hidden, ui.prompts) == (1.1, "light", set(), ["Once upon a time", "The dog"])
    assert ui.presets == {"mine": GenerateOptions(top_k=7)}
    assert (ui.chip_color, ui.seed_locked, ui.minimap, ui.glow) == ("rank", True, True, True)


def test_panels_are_where_they_were(context: None) -> None:
    state = State("", GenerateOptions(), ui=loads((WRITTEN / "interface.json").read_text("utf-8")))
    state.ui.timeline = False  # it takes a part of the height, and that version had none
    imgui.get_io().display_size = ImVec2(1280, 720)
    imgui.load_ini_settings_from_memory(state.ui.layout)
    for _ in range(4):
        theme.follow(state.ui)
        imgui.new_frame()
        panels.draw_all(state, Services())
        imgui.render()
    written = json.loads((WRITTEN / "interface.json").read_text("utf-8"))["layout"]
    rects = re.findall(r"^\[Window\]\[([A-Z][\w ]+)\]\nPos=(\d+),(\d+)\nSize=(\d+),(\d+)$", written, re.MULTILINE)
    assert {name for name, *_ in rects} >= {"Atlas", "Map", "Prompt", "Sampling", "Inspector", "Logits"}
    for name, *numbers in rects:
        found = imgui.internal.find_window_by_name(name)
        assert found is not None, name
        rect = [found.pos.x, found.pos.y, found.size.x, found.size.y]
        assert rect == pytest.approx([float(number) for number in numbers], abs=1), name


@pytest.mark.gpu
@pytest.mark.window
@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or any(shutil.which(tool) is None for tool in TOOLS),
    reason="needs Linux with Xvfb (./dev test installs it)",
)
def test_a_tour_does_the_same(display: str, tmp_path: Path) -> None:
    environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": SEARCH_PATH, "ATLAS_VIEWER_CONFIG": str(tmp_path)}
    environment.pop("WAYLAND_DISPLAY", None)
    done = subprocess.run(
        [
            sys.executable, "-m", "atlas_viewer", "view", "Once upon a time", "-n", "4", "--context", "32",
            "--temperature", "0", "--tour", str(WRITTEN / "tour.jsonl"), "--pictures", str(tmp_path / "pictures"),
        ],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with Recording(tmp_path / "session-1.atlas") as now, Recording(WRITTEN / "window.atlas") as then:
        for new, old in zip(now.runs(), then.runs(), strict=True):
            assert (new.prompt_tokens, new.options, new.parent) == (old.prompt_tokens, old.options, old.parent)
            assert [s.record.token for s in now.steps(new)] == [s.record.token for s in then.steps(old)]
        assert [(e.name, e.data) for e in now.events()] == [(e.name, e.data) for e in then.events()]
