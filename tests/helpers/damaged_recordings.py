"""Damaged recordings, and the checks that apply to reading any of them."""

from __future__ import annotations

import math
import re
import sqlite3
from pathlib import Path

from atlas_viewer.recording.arrays import as_csv, as_json, as_npz
from atlas_viewer.recording.cameras import recorded_camera_track
from atlas_viewer.recording.reader import Recording
from compute.errors import AtlasError, RecordingError


def use(path: Path) -> None:
    """Read a recording in every way that needs no model."""
    with Recording(path) as recording:
        as_json(recording)
        as_csv(recording)
        for run in recording.runs():
            as_npz(recording, run)
        recording.weight_statistics()
        looks = recorded_camera_track(recording.cameras(), recording.events())
        for at in (-1e9, 0.5, 20.0, 1e9):
            assert 1 <= looks.strip(at).zoom <= 64
            assert looks.view(at) in (None, "strip", "map")
            viewport = looks.map(at)
            assert viewport is None or 0 < viewport.width < math.inf


def assert_clear_message(path: Path, error: AtlasError) -> None:
    assert isinstance(error, RecordingError)
    line = str(error)
    assert re.fullmatch(r"[^\n\r]+", line), line
    assert str(path) in line
    assert len(line) < 600


def damage(path: Path, *statements: str) -> Path:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path
