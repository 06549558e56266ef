"""The next program removes what a killed program left, and nothing else."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from compute.io import temporary_folder
from compute.io.output_files import write_output
from compute.io.temporary_folder import TemporaryFolder, clear_leftovers

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

OWNER = """
import sys
from pathlib import Path
from compute.io.temporary_folder import TemporaryFolder
folder = TemporaryFolder(Path(sys.argv[1]))
(folder.path / "sub").mkdir()
(folder.path / "sub" / "half").write_bytes(bytes(1000))
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def next_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders are examined once per process; let each test act as a process of its own."""
    monkeypatch.setattr(temporary_folder, "_cleared", set())


def owner(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """A program that owns a temporary folder in `folder` until its input ends, and that folder."""
    started = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    return started, Path(started.stdout.readline().strip())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_leftovers_of_a_killed_program_are_removed_and_folders_of_a_running_one_kept(tmp_path: Path) -> None:
    (killed, leftover), (running, used) = owner(tmp_path), owner(tmp_path)
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait(PATIENCE_S)
        assert leftover.is_dir()
        write_output(tmp_path / "a.bin", b"x")
        assert names(tmp_path) == [used.name, "a.bin"]
        assert (used / "sub" / "half").stat().st_size == 1000
    finally:
        running.communicate(timeout=PATIENCE_S)
    assert names(tmp_path) == ["a.bin"], "a program removes its folders when it ends"


def test_only_own_folders_are_removed(tmp_path: Path) -> None:
    with_lock = TemporaryFolder(tmp_path)
    name = with_lock.path.name
    with_lock.remove()
    match = re.fullmatch(r"(\.atlas-viewer-)([0-9a-f]{8})(-[0-9a-f]{15})[0-9a-f](\.tmp)", name)
    assert match is not None
    start, host, middle, end = match.groups()
    other_host = f"{int(host, 16) ^ 1:08x}"
    kept = [
        tmp_path / f"{start}{other_host}{middle}0{end}",  # from another machine
        tmp_path / f"{start}{host}{middle}0{end}.d",
        tmp_path / f"{start}{host}{middle}g{end}",
        tmp_path / f"{start}{host}{middle}4{end}",  # without a lock, and not empty
    ]
    for folder in kept:
        folder.mkdir()
        (folder / "precious").write_text("mine")
    for folder in kept[:3]:
        (folder / "lock").touch()
    file = tmp_path / f"{start}{host}{middle}5{end}"
    file.write_text("mine")
    link = tmp_path / f"{start}{host}{middle}6{end}"
    link.symlink_to(kept[0])
    (tmp_path / f"{start}{host}{middle}7{end}").mkdir()  # killed before it had a lock
    dead = tmp_path / f"{start}{host}{middle}8{end}"
    dead.mkdir()
    (dead / "lock").touch()
    (dead / "elsewhere").symlink_to(kept[0])
    temporary_folder._cleared.clear()
    clear_leftovers(tmp_path)
    assert names(tmp_path) == sorted(path.name for path in [*kept, file, link])
    assert [names(folder) for folder in kept] == [["lock", "precious"]] * 3 + [["precious"]]


def test_an_owner_whose_folder_is_removed_at_once_creates_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the folder is locked, another program may take it for a leftover."""
    lock = temporary_folder._locked
    lost: list[Path] = []

    def late(descriptor: int, without_locks: bool = False) -> bool:
        if not lost:
            lost.extend(tmp_path.iterdir())
            temporary_folder._remove_if_unowned(lost[0])
            assert names(tmp_path) == []
        return lock(descriptor, without_locks)

    monkeypatch.setattr(temporary_folder, "_locked", late)
    folder = TemporaryFolder(tmp_path)
    assert names(tmp_path) == [folder.path.name]
    assert folder.path != lost[0]
    folder.remove()
    assert names(tmp_path) == []


def test_without_locks_nothing_is_removed_and_writing_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed, leftover = owner(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.wait(PATIENCE_S)
    monkeypatch.setattr(temporary_folder, "_locked", lambda _descriptor, without_locks=False: without_locks)
    write_output(tmp_path / "a.bin", b"x")
    assert names(tmp_path) == [leftover.name, "a.bin"]


def test_unfinished_output_is_private_to_the_user(tmp_path: Path) -> None:
    folder = TemporaryFolder(tmp_path)
    assert folder.path.stat().st_mode & 0o077 == 0
    folder.remove()
    folder.remove()


def test_a_forked_process_keeps_the_folder(tmp_path: Path) -> None:
    folder = TemporaryFolder(tmp_path)
    child = os.fork()
    if child == 0:
        folder.remove()
        os._exit(0)
    os.waitpid(child, 0)
    assert folder.path.is_dir()
    folder.remove()
