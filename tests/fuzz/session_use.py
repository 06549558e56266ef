"""Everything that the program does with a recording when its model is missing."""

from __future__ import annotations

import math
from pathlib import Path

from atlas_viewer.recording.arrays import as_csv, as_json, as_npz
from atlas_viewer.recording.cameras import recorded_camera_track
from atlas_viewer.recording.diff import diff_runs
from atlas_viewer.recording.lens_columns import lens_columns, lens_csv
from atlas_viewer.recording.player import Player
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recover import recover
from atlas_viewer.state.state import State
from compute.errors import RecordingError
from compute.sampling.options import GenerateOptions

from .target import Refused, may_refuse

_TIMES = (-1e300, 0.0, 0.25, 1e300)


def use_session(path: Path) -> None:
    """Read, export, compare and play the recording at `path`. Raises `Refused`."""
    saved = True
    try:
        _recover(path)
    except Refused:
        saved = False
    with may_refuse(RecordingError), Recording(path) as recording:
        _export(recording)
        _look(recording)
        _play(recording)
    assert saved, "all of it can be read, and recover refuses it"


def _recover(path: Path) -> None:
    """Recover the recording at `path`; what is saved must be readable."""
    target = path.with_suffix(".recovered")
    target.unlink(missing_ok=True)
    try:
        with may_refuse(RecordingError):
            recover(path, target)
    except Refused:
        assert not target.exists(), "recover left a file that it says is none"
        raise
    with Recording(target) as recording:
        as_json(recording).encode()
        recording.weight_statistics()


def _export(recording: Recording) -> None:
    as_json(recording).encode()
    as_csv(recording).encode()
    runs = recording.runs()
    for run in runs[-2:]:
        as_npz(recording, run)
        diff_runs(recording, run, recording, runs[0])
        recording.lens_file(run)
        columns = lens_columns(recording, run)
        if columns is not None:
            lens_csv(recording, run, columns).encode()
    recording.weight_statistics()


def _look(recording: Recording) -> None:
    looks = recorded_camera_track(recording.cameras(), recording.events())
    for time in _TIMES:
        assert 1 <= looks.strip(time).zoom <= 64
        assert looks.view(time) in (None, "strip", "map")
        viewport = looks.map(time)
        assert viewport is None or 0 < viewport.width < math.inf


def _play(recording: Recording) -> None:
    """Show it in a window without pictures, first from its end, then from its beginning."""
    state = State("", GenerateOptions())
    player = Player(recording, state)
    player.show()
    state.run = player.run
    playback = player.playback
    for time in (0.0, 0.05, 0.1):
        player.frame(time)
    for position in (0, 1, playback.count):
        playback.seek, playback.playing = position, True
        player.frame(1.0 + position)
    player.back()
    for text in (playback.event, player.run.name, player.run.continuation, player.run.prompt):
        text.encode()
    assert math.isfinite(playback.time)
    assert math.isfinite(playback.length)
