"""Files are written by one routine: no other module opens one for writing, renames or removes."""

from __future__ import annotations

import ast

import pytest

from helpers.paths import ROOT

WRITERS = {
    "compute/io/output_files.py", "compute/io/placing.py", "compute/io/temporary_folder.py",
    "compute/io/growing_file.py",
}  # fmt: skip
# What else touches files: those on their way to a place that `put_in_place` gives them, and nobody's.
ALLOWED = {
    "atlas_viewer/hub/download.py": {"open", "unlink", "truncate"},  # a transfer goes on where it was cut off
    "compute/io/array_files.py": {"open"},  # the members of an archive that `output_file` has opened
    "atlas_viewer/hub/fetch.py": {"write_text", "unlink"},  # in the folder of transfers
    "atlas_viewer/recording/safe_open.py": {"copyfile"},  # to read them, into a temporary folder
    "atlas_viewer/media/video.py": {"open"},  # the encoder, of a path that it is given
    "atlas_viewer/state/start_marker.py": {"unlink"},  # the lock file of a start, which holds nothing
    "atlas_viewer/cli/streams.py": {"open"},  # the null device
}
METHODS = {
    "write_bytes", "write_text", "renames", "hardlink_to", "symlink_to", "unlink", "rmtree",
    "move", "copyfile", "copyfileobj", "copy2", "mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryDirectory",
    "fsync", "truncate", "ftruncate", "tofile", "memmap",
}  # fmt: skip
OF_OS = {"replace", "open", "rename", "link", "remove", "removedirs", "rmdir"}
OWNERS = {"np", "numpy"}  # whose save functions take a path


def is_open_for_writing(node: ast.Call, name: str) -> bool:
    """`open` with a mode that writes, of a path or as a function."""
    modes = [*node.args[:2], *(k.value for k in node.keywords if k.arg == "mode")]
    texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
    return name == "open" and any(set(text) & set("wax+") and len(text) <= 3 for text in texts)


def writes(source: str) -> set[str]:
    """Names of the calls of a module that write, rename or remove files."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        attribute = node.func if isinstance(node.func, ast.Attribute) else None
        name = attribute.attr if attribute else getattr(node.func, "id", "")
        owner = getattr(attribute.value, "id", "") if attribute else ""
        if is_open_for_writing(node, name) or name in METHODS or (owner == "os" and name in OF_OS):
            found.add(name)
        elif attribute and name in ("replace", "rename") and (len(node.args), node.keywords) == (1, []):
            found.add(name)  # of a path: text needs two arguments, and a dataclass keywords
        elif owner in OWNERS and name.startswith("save"):
            target = node.args[0]
            if not (isinstance(target, ast.Name) and target.id == "buffer"):  # in memory
                found.add(name)
    return found


def test_one_routine_writes_every_file() -> None:
    users = {}
    for package in ("compute", "atlas_viewer", "wgsl", "assets"):
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name not in WRITERS:
                users[name] = writes(path.read_text("utf-8"))
    assert {name: calls for name, calls in users.items() if calls - ALLOWED.get(name, set())} == {}
    assert all(users[name] == calls for name, calls in ALLOWED.items()), "a module is named here in vain"


@pytest.mark.parametrize(
    "source",
    [
        "open(path, 'w')",
        "path.open('xb')",
        "path.open(mode='a')",
        "path.write_bytes(data)",
        "os.replace(a, b)",
        "part.replace(whole)",
        "os.open(path, flags)",
        "np.save(path, array)",
        "tempfile.mkstemp()",
    ],
)
def test_a_module_that_writes_is_found(source: str) -> None:
    assert writes(source)


@pytest.mark.parametrize("source", ["text.replace('a', 'b')", "open(path, 'rb')", "path.open()", "np.save(buffer, a)"])
def test_what_writes_no_file_is_left_alone(source: str) -> None:
    assert writes(source) == set()
