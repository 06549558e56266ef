"""The files of a folder appear together or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from compute.errors import OutputError
from compute.io.output_files import output_folder
from compute.weights import convert as convert_module
from compute.weights.checkpoint import open_model
from compute.weights.convert import convert

from helpers.make_models import tiny_checkpoint


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def put(path: Path, error: BaseException | type[BaseException] | None = None) -> None:
    with output_folder(path, Path("it")) as folder:
        for name in ("a", "b"):
            with folder.file(name) as file:
                file.write(b"new")
            if error is not None:
                raise error


def test_a_new_folder_with_those_above(tmp_path: Path) -> None:
    put(tmp_path / "x" / "y")
    assert tree(tmp_path) == ["x", "x/y", "x/y/a", "x/y/b"]


def test_a_folder_that_is_there_keeps_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "c").write_text("old")
    put(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "b": "new", "c": "old"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_was_not_finished_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "a").write_text("old")
    for path in (there, tmp_path / "x" / "y"):
        with pytest.raises(error):
            put(path, error)
    assert tree(tmp_path) == ["there", "there/a"]
    assert (there / "a").read_text() == "old"


def test_failures_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    for path, reason in ((tmp_path / "file", "file is no folder"), (tmp_path / "file" / "x", "file is no folder")):
        with pytest.raises(OutputError, match=f"it: cannot be written .{reason}"):
            put(path)
    with pytest.raises(OutputError, match=r"it: cannot be written \(No space left on device\)"):
        put(tmp_path / "x", OSError(28, "No space left on device"))
    assert tree(tmp_path) == ["file"]


def test_all_files_are_as_before_when_the_last_cannot_be_moved(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").mkdir()  # which no file replaces
    with pytest.raises(OutputError, match=r"it: cannot be written \(the name is that of a folder"):
        put(tmp_path)
    assert tree(tmp_path) == ["a", "b"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_conversion_that_is_stopped_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_model(str(tiny_checkpoint(tmp_path / "a.bin")))

    def stopped(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(convert_module, "_safetensors_header", stopped)
    for target in ("folder", "other/own.safetensors"):
        with pytest.raises(KeyboardInterrupt):
            convert(source, tmp_path / target)
    assert tree(tmp_path) == ["a.bin"]
