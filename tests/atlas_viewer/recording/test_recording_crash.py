"""Recordings after a kill, on a full disk, and when the file is removed; ATLAS_KILLS=200 kills more often,
ATLAS_RACES=40 starts more recordings at once."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recorder import Recorder
from compute.errors import OutputError

from helpers.make_recordings import (
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
from helpers.paths import SEARCH_PATH
from helpers.patience import PATIENCE_S

KILLS = int(os.environ.get("ATLAS_KILLS", "12"))
RACES = int(os.environ.get("ATLAS_RACES", "6"))
WRITER = """
import sys
from pathlib import Path
from helpers.make_recordings import HEAD, OPTIONS, PROMPT_TOKENS, TENSORS, StepCapture, draw, step, token_bytes
from atlas_viewer.recording.recorder import Recorder
recorder = Recorder(Path(sys.argv[1]), HEAD, TENSORS, token_bytes)
recorder.begin_run("a prompt", PROMPT_TOKENS, OPTIONS)
for index in range(2000):
    recorder.step(step(index), draw(index), StepCapture(index))
recorder.close()
print(recorder.steps_written)
print(recorder.trouble)
"""


def python(*arguments: object, limit: int | None = None) -> list[str]:
    """The lines that another Python process prints; limit: the maximum size of its files, in bytes."""

    def restrict() -> None:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, *map(str, arguments)], env=os.environ | {"PYTHONPATH": SEARCH_PATH}, preexec_fn=restrict,
        capture_output=True, text=True, timeout=PATIENCE_S, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def intact_steps(path: Path) -> int:
    """The number of steps in the file, which must be sound and contain the first steps of the run."""
    with Recording(path) as recording:
        runs = recording.runs()
        steps = [known.record for run in runs for known in recording.steps(run)]
        assert steps == [step(index) for index in range(len(steps))]
        for index in range(len(steps)):
            statistics = recording.statistics(runs[0], index)
            assert statistics is not None
            assert statistics.tobytes() == StepCapture(index).statistics.tobytes()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return len(steps)


def test_a_process_killed_at_any_moment_leaves_a_sound_file(tmp_path: Path) -> None:
    (line,) = python("-m", "helpers.recording_killer", tmp_path, KILLS, 7)
    acknowledged = json.loads(line)
    assert len(acknowledged) == KILLS
    assert sum(acknowledged) > KILLS, "nothing was recorded, so the kills prove nothing"
    for number, count in enumerate(acknowledged):
        path = tmp_path / f"{number}.atlas"
        if not path.exists():
            assert count == 0
            continue
        assert intact_steps(path) >= count


def test_of_two_simultaneous_recordings_one_is_made_and_one_refused(tmp_path: Path) -> None:
    (line,) = python("-m", "helpers.recording_racers", tmp_path, RACES)
    rounds = json.loads(line)
    assert len(rounds) == RACES
    for number, outcomes in enumerate(rounds):
        path = tmp_path / f"{number}.atlas"
        winner = outcomes.index("made")
        refusal = outcomes[1 - winner]
        assert refusal.startswith(f"OutputExistsError: {path}: already exists")
        assert "\n" not in refusal
        with Recording(path) as recording:
            assert recording.run().prompt == ("one", "two")[winner]
            assert recording.count(recording.run()) == 1
    assert sorted(tmp_path.iterdir()) == sorted(tmp_path / f"{number}.atlas" for number in range(RACES))


def full_disk(path: Path, lines: list[str]) -> None:
    written, trouble = int(lines[-2]), lines[-1]
    assert 0 < written < 2000
    assert str(path) in trouble
    assert f"nothing is recorded from step {written + 1} of run 1 on" in trouble
    assert "\n" not in trouble
    assert intact_steps(path) == written


def test_a_full_disk_ends_the_recording_not_the_run(tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    full_disk(path, python("-c", WRITER, path, limit=300_000))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small file system")
def test_a_full_file_system_ends_the_recording_not_the_run(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        lines = python("-c", WRITER, tmp_path / "a.atlas")
        assert "the disk is full" in lines[-1]
        full_disk(tmp_path / "a.atlas", lines)
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_removed_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    written = threading.Event()
    recorder = Recorder(path, HEAD, TENSORS, token_bytes, on_step=lambda _run, _step: written.set())
    recorder.begin_run("a prompt", PROMPT_TOKENS, OPTIONS)
    recorder.step(step(0), draw(0))
    assert written.wait(PATIENCE_S)
    path.unlink()
    recorder.step(step(1), draw(1))
    recorder.step(step(2), draw(2))
    recorder.close()
    assert str(recorder.trouble).endswith(
        "nothing is recorded from step 2 of run 1 on: the file was removed or replaced;"
        " what was recorded before is lost, start a new recording"
    )


def test_a_read_only_folder_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    if os.getuid() == 0:
        folder = Path("/proc")  # where not even root can create a file
    with pytest.raises(OutputError, match="cannot be written"):
        Recorder(folder / "a.atlas", HEAD, TENSORS, token_bytes)


def test_a_log_is_read_in_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[Path] = []
    for seed in range(1, 9):  # a kill before the first step leaves no log
        folder = tmp_path / str(seed)
        folder.mkdir()
        python("-m", "helpers.recording_killer", folder, 3, seed)
        logged = [path for path in folder.glob("*.atlas") if Path(f"{path}-wal").exists()]
        if logged:
            break
    assert logged
    monkeypatch.setattr("os.access", lambda *_: False)
    for path in logged:
        with Recording(path) as recording:
            assert recording.path == path
            found = sum(recording.count(run) for run in recording.runs())
        assert found == intact_steps(path)


def test_a_killed_recording_has_no_stop_reason(tmp_path: Path) -> None:
    with Recording(make_session(tmp_path / "a.atlas", reason=None)) as recording:
        assert recording.run().stop_reason is None
