"""Results are written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from atlas_viewer.output import atomic_path, atomic_write
from compute.errors import OutputError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_half_way(target: Path, error: BaseException | type[BaseException]) -> None:
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"half")
        raise error


def test_write_creates_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    atomic_write(target, b"first")
    atomic_write(str(target), b"second")
    assert target.read_bytes() == b"second"
    assert names(tmp_path) == ["a.bin"]


def test_the_temporary_file_is_next_to_the_target_with_its_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "picture.png") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        assert not (tmp_path / "picture.png").exists()
        temporary.write_bytes(b"x")
    assert names(tmp_path) == ["picture.png"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, ValueError])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(error):
        fail_half_way(target, error)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\.bin: cannot be written \(No space left on device\)") as caught:
        fail_half_way(tmp_path / "a.bin", OSError(28, "No space left on device"))
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none" / "a.bin", "there is no folder"),
        (lambda folder: folder, "it is a folder"),
        (lambda folder: folder / "file" / "a.bin", "Not a directory"),
        (lambda folder: folder / "a\0b", "null byte"),
        (lambda folder: folder / ("n" * 300), "File name too long"),
    ],
)
def test_paths_that_cannot_be_written(tmp_path: Path, make: object, message: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=message) as caught:
        atomic_write(make(tmp_path), b"x")  # type: ignore[operator]
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["file"]


def test_a_line_break_in_a_name_stays_out_of_the_message(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\\nb") as caught:
        atomic_write(tmp_path / "a\nb" / "c", b"")
    assert "\n" not in str(caught.value)


def test_permissions_follow_the_umask_and_stay_on_replacing(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    before = os.umask(0o027)
    try:
        atomic_write(target, b"1")
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        target.chmod(0o604)
        atomic_write(target, b"2")
        assert stat.S_IMODE(target.stat().st_mode) == 0o604
    finally:
        os.umask(before)


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.bin"
    link.symlink_to(tmp_path / "real" / "a.bin")
    atomic_write(link, b"through")
    assert link.is_symlink()
    assert (tmp_path / "real" / "a.bin").read_bytes() == b"through"
    assert names(tmp_path / "real") == ["a.bin"]


def test_a_device_is_written_to_and_never_replaced() -> None:
    atomic_write("/dev/null", b"x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
