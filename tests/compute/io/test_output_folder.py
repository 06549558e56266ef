"""The files in a folder are written together or not at all."""

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


def write(path: Path, error: BaseException | type[BaseException] | None = None) -> None:
    with output_folder(path, Path("it")) as folder:
        for name in ("a", "b"):
            with folder.file(name) as file:
                file.write(b"new")
            if error is not None:
                raise error


def test_missing_parent_folders_are_created(tmp_path: Path) -> None:
    write(tmp_path / "x" / "y")
    assert tree(tmp_path) == ["x", "x/y", "x/y/a", "x/y/b"]


def test_an_existing_folder_keeps_its_other_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "c").write_text("old")
    write(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "b": "new", "c": "old"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_failure_leaves_nothing_behind(tmp_path: Path, error: type[BaseException]) -> None:
    existing = tmp_path / "existing"
    existing.mkdir()
    (existing / "a").write_text("old")
    for path in (existing, tmp_path / "x" / "y"):
        with pytest.raises(error):
            write(path, error)
    assert tree(tmp_path) == ["existing", "existing/a"]
    assert (existing / "a").read_text() == "old"


def test_failures_are_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    for path in (tmp_path / "file", tmp_path / "file" / "x"):
        with pytest.raises(OutputError, match=r"it: cannot be written \(file is not a folder"):
            write(path)
    with pytest.raises(OutputError, match=r"it: cannot be written \(No space left on device\)"):
        write(tmp_path / "x", OSError(28, "No space left on device"))
    assert tree(tmp_path) == ["file"]


def test_all_files_are_restored_when_one_cannot_be_moved(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").mkdir()  # a file cannot replace a folder
    with pytest.raises(OutputError, match=r"it: cannot be written \(a folder has this name"):
        write(tmp_path)
    assert tree(tmp_path) == ["a", "b"]
    assert (tmp_path / "a").read_text() == "old"


def test_an_interrupted_conversion_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_model(str(tiny_checkpoint(tmp_path / "a.bin")))

    def stopped(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(convert_module, "_safetensors_header", stopped)
    for target in ("folder", "other/own.safetensors"):
        with pytest.raises(KeyboardInterrupt):
            convert(source, tmp_path / target)
    assert tree(tmp_path) == ["a.bin"]
