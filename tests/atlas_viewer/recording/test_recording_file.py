"""Recording and reading: everything comes back, and the run continues, whatever the disk does."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atlas_viewer.recording import recorder as recorder_module
from atlas_viewer.recording.playback import RecordedRun
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recorder import Recorder, draw_info
from atlas_viewer.recording.records import LOGITS
from atlas_viewer.recording.schema import SCHEMA
from atlas_viewer.recording.store import Store
from compute.errors import OutputError, RecordingError

from helpers.make_recordings import (
    CONFIG,
    HEAD,
    OPTIONS,
    PROMPT_TOKENS,
    TENSORS,
    StepCapture,
    draw,
    make_session,
    step,
    token_bytes,
)
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

DOCUMENT = ROOT / "docs" / "sessions.md"


@pytest.mark.parametrize("logits", ["none", "f16", "f32"])
def test_everything_comes_back(tmp_path: Path, logits: str) -> None:
    path = make_session(tmp_path / "a.atlas", logits=logits)
    assert list(tmp_path.iterdir()) == [path], "a closed recording is one file"
    with Recording(path) as recording:
        assert recording.head == HEAD
        assert recording.tensors == TENSORS
        (run,) = recording.runs()
        assert (run.prompt, list(run.prompt_tokens), run.options) == ("a prompt", PROMPT_TOKENS, OPTIONS)
        assert (run.parent, run.fork_step, run.logits, run.statistics) == (None, None, logits, True)
        assert run.stop_reason == "length"
        steps = recording.steps(run)
        assert [known.record for known in steps] == [step(index) for index in range(12)]
        assert [known.draw for known in steps] == [draw_info(draw(index)) for index in range(12)]
        assert all(known.options == OPTIONS for known in steps)
        times = [known.time for known in steps]
        assert times == sorted(times)
        for index in range(12):
            measured = StepCapture(index)
            found = recording.logits(run, index)
            if logits == "none":
                assert found is None
            else:
                assert found is not None
                assert found.dtype == LOGITS[logits]
                np.testing.assert_array_equal(found, measured.logits.astype(found.dtype))
            statistics = recording.statistics(run, index)
            assert statistics is not None
            assert statistics.tobytes() == measured.statistics.tobytes()
        assert recording.weight_statistics()["wte"].tobytes() == StepCapture(0).weight_statistics.tobytes()
        (event,) = recording.events()
        assert (event.name, event.data, event.run, event.step) == ("chose", {"step": 3}, 1, 12)
        assert [(camera.step, camera.data["zoom"]) for camera in recording.cameras()] == [(0, 1.0), (12, 4.0)]


@pytest.mark.parametrize(
    "name", [":memory:", "file:a?mode=memory", "", " ", "100%41?#.atlas", os.fsdecode(b"caf\xe9.atlas"), "-wal"]
)
def test_any_file_name_can_be_recorded_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name or "file:")
    make_session(path, steps=3)
    assert os.listdir(tmp_path) == [path.name]
    with Recording(path) as recording:
        assert recording.count(recording.run()) == 3


def test_branches_keep_their_parent_and_fork_step(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.atlas", HEAD, TENSORS, token_bytes)
    first = recorder.begin_run("a", PROMPT_TOKENS, OPTIONS)
    recorder.step(step(0), draw(0))
    warmer = replace(OPTIONS, temperature=1.5)
    second = recorder.begin_run("a", [*PROMPT_TOKENS, 9], warmer, parent=first, fork_step=0, statistics=False)
    recorder.step(step(0), draw(0))
    recorder.close()
    with Recording(tmp_path / "a.atlas") as recording:
        runs = recording.runs()
        assert [(run.id, run.parent, run.fork_step) for run in runs] == [(first, None, None), (second, first, 0)]
        assert [recording.steps(run)[0].options.temperature for run in runs] == [0.7, 1.5]
        assert recording.run() == runs[1]
        with pytest.raises(RecordingError, match="has no run 3"):
            recording.run(3)


def test_non_finite_numbers_come_back(tmp_path: Path) -> None:
    odd = replace(step(0), probability=float("nan"), logit=float("inf"))
    recorder = Recorder(tmp_path / "a.atlas", HEAD, TENSORS, token_bytes)
    recorder.begin_run("a", PROMPT_TOKENS, OPTIONS)
    recorder.step(odd, draw(0))
    recorder.close()
    with Recording(tmp_path / "a.atlas") as recording:
        found = recording.steps(recording.run())[0].record
    assert np.isnan(found.probability)
    assert found.logit == np.inf


def test_a_recording_can_be_read_while_it_is_being_written(tmp_path: Path) -> None:
    written = threading.Event()
    recorder = Recorder(tmp_path / "a.atlas", HEAD, TENSORS, token_bytes, on_step=lambda _run, _step: written.set())
    recorder.begin_run("a", PROMPT_TOKENS, OPTIONS)
    recorder.step(step(0), draw(0))
    assert written.wait(PATIENCE_S)
    with Recording(tmp_path / "a.atlas") as recording:
        assert recording.count(recording.run()) == 1
        written.clear()
        recorder.step(step(1), draw(1))
        assert written.wait(PATIENCE_S)
        assert [known.record for known in recording.steps(recording.run(), 1)] == [step(1)]
    recorder.close()


def test_a_run_is_shown_without_its_model(tmp_path: Path) -> None:
    with Recording(make_session(tmp_path / "a.atlas")) as recording:
        run = RecordedRun(recording, recording.run())
    data = b"".join(token_bytes(step(index).token) for index in range(12))
    assert run.continuation == data.decode(errors="replace")
    assert run.prompt_texts == [(token, token_bytes(token).decode(errors="replace")) for token in PROMPT_TOKENS]
    assert (run.stop_reason, len(run.steps)) == ("length", 12)
    run.show(4)
    assert (run.stop_reason, run.steps) == (None, [step(index) for index in range(4)])


def test_a_recording_never_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="already exists"):
        Recorder(path, HEAD, TENSORS, token_bytes)
    assert path.read_bytes() == b"precious"
    (tmp_path / "b.atlas-wal").write_bytes(b"")
    with pytest.raises(OutputError, match=r"b\.atlas-wal"):
        Recorder(tmp_path / "b.atlas", HEAD, TENSORS, token_bytes)


def test_a_slow_disk_drops_arrays_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(StepCapture(0).data)
    monkeypatch.setattr(recorder_module, "_HEAVY_BYTES", 3 * size)
    go = threading.Event()
    original = Store.add_step

    def slow(self: Store, *arguments: object) -> None:
        go.wait(PATIENCE_S)
        original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "add_step", slow)
    recorder = Recorder(tmp_path / "a.atlas", HEAD, TENSORS, token_bytes)
    recorder.begin_run("a", PROMPT_TOKENS, OPTIONS)
    for index in range(20):
        recorder.step(step(index), draw(index), StepCapture(index))
    assert "logits and statistics of" in str(recorder.trouble)
    go.set()
    recorder.close()
    with Recording(tmp_path / "a.atlas") as recording:
        run = recording.run()
        assert [known.record for known in recording.steps(run)] == [step(index) for index in range(20)]
        kept = [index for index in range(20) if recording.logits(run, index) is not None]
    assert 3 <= len(kept) <= 5
    assert kept == list(range(len(kept)))


def test_a_disk_that_is_too_slow_ends_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_WAITING", 10)
    go = threading.Event()
    original = Store.add_run

    def slow(self: Store, *arguments: object) -> None:
        go.wait(PATIENCE_S)
        original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "add_run", slow)
    recorder = Recorder(tmp_path / "a.atlas", HEAD, TENSORS, token_bytes)
    recorder.begin_run("a", PROMPT_TOKENS, OPTIONS)
    for index in range(30):
        recorder.step(step(index), draw(index))
    assert re.search(r"nothing is recorded from step \d+ of run 1 on: the disk is slower", str(recorder.trouble))
    go.set()
    recorder.close()
    with Recording(tmp_path / "a.atlas") as recording:
        found = recording.steps(recording.run())
    assert [known.record for known in found] == [step(index) for index in range(len(found))]


def test_the_document_names_the_tables_and_columns_of_the_schema() -> None:
    connection = sqlite3.connect(":memory:")
    for statement in SCHEMA.tables:
        connection.execute(statement)
    tables = {
        name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    }
    documented: dict[str, list[str]] = {}
    name = ""
    for line in DOCUMENT.read_text("utf-8").splitlines():
        if match := re.fullmatch(r"### `(\w+)`.*", line):
            name = match[1]
            documented[name] = []
        elif name and (match := re.match(r"\| ((?:`\w+`(?:, )?)+) \|", line)):
            documented[name] += re.findall(r"`(\w+)`", match[1])
        elif line.startswith("## "):
            name = ""
    assert documented == tables
    assert f"version {SCHEMA.version}" in DOCUMENT.read_text("utf-8")
    assert CONFIG.vocabulary < CONFIG.padded_vocabulary, "the fixture's vocabulary is not padded"
