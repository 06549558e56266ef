"""Files are written completely or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from compute.errors import OutputError, OutputExistsError
from compute.io.output_files import new_path, output_path, write_output
from compute.io.placing import put_in_place, set_aside


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_halfway(target: Path, error: BaseException | type[BaseException]) -> None:
    with output_path(target) as temporary:
        temporary.write_bytes(b"half")
        raise error


def test_write_creates_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    write_output(target, b"first")
    write_output(str(target), b"second")
    assert target.read_bytes() == b"second"
    assert names(tmp_path) == ["a.bin"]


def test_the_temporary_file_is_next_to_the_target_and_has_its_suffix(tmp_path: Path) -> None:
    with output_path(tmp_path / "picture.png") as temporary:
        assert temporary.parent.parent == tmp_path
        assert len(names(tmp_path)) == 1
        assert temporary.suffix == ".png"
        assert not (tmp_path / "picture.png").exists()
        temporary.write_bytes(b"x")
    assert names(tmp_path) == ["picture.png"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, ValueError])
def test_an_error_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(error):
        fail_halfway(target, error)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_full_disk_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\.bin: cannot be written \(No space left on device\)") as caught:
        fail_halfway(tmp_path / "a.bin", OSError(28, "No space left on device"))
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
        write_output(make(tmp_path), b"x")  # type: ignore[operator]
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["file"]


def test_a_line_break_in_a_name_stays_out_of_the_message(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\\nb") as caught:
        write_output(tmp_path / "a\nb" / "c", b"")
    assert "\n" not in str(caught.value)


def test_permissions_follow_the_umask_and_survive_replacing(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    before = os.umask(0o027)
    try:
        write_output(target, b"1")
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        target.chmod(0o604)
        write_output(target, b"2")
        assert stat.S_IMODE(target.stat().st_mode) == 0o604
    finally:
        os.umask(before)


def test_a_symbolic_link_is_kept(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.bin"
    link.symlink_to(tmp_path / "real" / "a.bin")
    write_output(link, b"through")
    assert link.is_symlink()
    assert (tmp_path / "real" / "a.bin").read_bytes() == b"through"
    assert names(tmp_path / "real") == ["a.bin"]


def test_a_device_is_written_to_and_not_replaced() -> None:
    write_output("/dev/null", b"x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


# -- without replacing


@pytest.fixture(params=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test on a file system with hard links, and on one without."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if request.param == "no links":
        monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("links")
def test_a_new_file_replaces_nothing_even_if_the_target_appears_late(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    with new_path(target) as temporary:
        temporary.write_bytes(b"first")
    assert target.read_bytes() == b"first"
    assert names(tmp_path) == ["a.bin"]

    def late() -> None:
        with new_path(tmp_path / "b.bin") as temporary:
            temporary.write_bytes(b"second")
            (tmp_path / "b.bin").write_bytes(b"first")

    for write in (late, late):
        with pytest.raises(OutputExistsError, match=r"b\.bin: already exists"):
            write()
        assert (tmp_path / "b.bin").read_bytes() == b"first"
        assert names(tmp_path) == ["a.bin", "b.bin"]


@pytest.mark.usefixtures("links")
def test_a_taken_name_is_replaced_by_another_one_on_request(tmp_path: Path) -> None:
    others = [tmp_path / "b.bin", tmp_path / "c.bin"]
    others[0].write_bytes(b"old")
    with new_path(tmp_path / "a.bin", lambda: others.pop(0)) as temporary:
        temporary.write_bytes(b"new")
        (tmp_path / "a.bin").write_bytes(b"old")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a.bin": b"old", "b.bin": b"old", "c.bin": b"new",
    }  # fmt: skip


def test_a_claimed_name_is_released_when_the_rename_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match="Operation not permitted"), new_path(tmp_path / "a.bin") as temporary:
        temporary.write_bytes(b"x")
    assert names(tmp_path) == []


@pytest.mark.usefixtures("links")
def test_a_file_is_set_aside_under_the_first_free_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("bad")
    (tmp_path / "b").write_text("earlier")
    assert set_aside(tmp_path / "a", iter([tmp_path / "b", tmp_path / "c"])) == tmp_path / "c"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"b": "earlier", "c": "bad"}


# -- replacing a folder


def test_a_folder_replaces_another_or_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
    rename = os.rename

    def fail(source: Path, target: Path) -> None:
        if Path(source).name == "new":
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", fail)
        with pytest.raises(OSError, match="Input/output error"):
            put_in_place(tmp_path / "new", tmp_path / "old")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["new", "new", "old", "old"]
    put_in_place(tmp_path / "new", tmp_path / "old")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["new", "old"]
