"""The list of recent recordings."""

from __future__ import annotations

import os
from pathlib import Path

from atlas_viewer.state import recent_files, settings
from atlas_viewer.state.ui_state import UiState


def test_the_newest_comes_first_once_and_ten_are_kept(tmp_path: Path) -> None:
    recent: list[str] = []
    for number in range(12):
        recent = recent_files.with_newest(recent, tmp_path / f"{number}.atlas")
    assert [Path(path).stem for path in recent] == [str(number) for number in range(11, 1, -1)]
    recent = recent_files.with_newest(recent, tmp_path / "5.atlas")
    assert [Path(path).stem for path in recent] == ["5", "11", "10", "9", "8", "7", "6", "4", "3", "2"]


def test_paths_are_absolute() -> None:
    assert recent_files.with_newest([], "a.atlas") == [os.path.join(os.getcwd(), "a.atlas")]


def test_equal_names_show_their_folders() -> None:
    assert recent_files.labels(["/a/s.atlas", "/b/s.atlas", "/b/t.atlas"]) == [
        "s.atlas  (/a)",
        "s.atlas  (/b)",
        "t.atlas",
    ]


def test_missing_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.atlas").touch()
    gone = str(tmp_path / "b.atlas")
    assert recent_files.missing([str(tmp_path / "a.atlas"), gone, str(tmp_path)]) == {gone, str(tmp_path)}


def test_they_are_remembered_with_the_settings() -> None:
    ui = UiState(recent=[f"/{number}.atlas" for number in range(10)], timeline=False)
    read = settings.loads(settings.dumps(ui))
    assert (read.recent, read.timeline) == (ui.recent, False)
