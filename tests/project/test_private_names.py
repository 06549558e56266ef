"""Private names of a library are touched in one file only: what breaks at an update is found there."""

from __future__ import annotations

import ast

import pytest

from helpers.paths import ROOT

# The files that may, and the one library of which each may.
ALLOWED = {
    "compute": {"compute/gpu/wgpu_native.py": "wgpu", "compute/gpu/cffi_startup.py": "cffi"},
    "atlas_viewer": {
        "atlas_viewer/scene/shared_texture.py": "pygfx",
        "atlas_viewer/app/picture_canvas.py": "rendercanvas",
    },
}
FOREIGN = {"wgpu", "cffi", "pygfx", "rendercanvas", "glfw", "imgui_bundle", "pylinalg"}
# Documented names that only look private.
PUBLIC = {"_replace", "_asdict", "_fields", "_make", "_exit"}


def is_private(name: object) -> bool:
    return isinstance(name, str) and name.startswith("_") and not name.startswith("__") and name not in PUBLIC | {"_"}


def defined(trees: list[ast.Module]) -> set[str]:
    """Private names that our own sources define: functions, classes, variables, fields and attributes of self."""
    names: set[str] = set()
    for node in (n for tree in trees for n in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
            names.add(node.attr)
    return names


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def foreign_private_names(tree: ast.Module, own: set[str]) -> list[str]:
    """Where a module reaches for a private name that none of our sources defines, as `line: name`."""
    found = []
    for node in ast.walk(tree):
        names: list[object] = []
        if isinstance(node, ast.Attribute) and node.attr not in own:
            names = [node.attr]
        elif isinstance(node, ast.Import):
            names = [part for a in node.names if a.name.split(".")[0] in FOREIGN for part in a.name.split(".")]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in FOREIGN:
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "getattr",
            "setattr",
            "hasattr",
            "delattr",
        ):
            names = [a.value for a in node.args[1:2] if isinstance(a, ast.Constant) and a.value not in own]
        found += [f"{getattr(node, 'lineno', 0)}: {name}" for name in names if is_private(name)]
    return found


def libraries(tree: ast.Module) -> set[str]:
    """Top-level names of what a module imports from `ALLOWED`'s libraries."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    known = {library for files in ALLOWED.values() for library in files.values()}
    return {name.split(".")[0] for name in names} & known


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_private_names_of_others_stay_in_one_file_each(package: str) -> None:
    trees = {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in (ROOT / package).rglob("*.py")
    }
    own = defined(list(trees.values()))
    users = {path: names for path, tree in trees.items() if (names := foreign_private_names(tree, own))}
    for file, library in ALLOWED[package].items():
        assert users.pop(file, None), f"{file} is named here but touches no private name"
        # Which library a name belongs to is not to be seen, so the file may use no other one that has such names.
        assert libraries(trees[file]) - {"wgpu"} <= {library}, file
    assert users == {}
    assert "cffi" not in set().union(*(libraries(tree) for path, tree in trees.items() if path not in ALLOWED[package]))


@pytest.mark.parametrize(
    "source",
    [
        "texture._wgpu_object = native",
        "from wgpu.backends.wgpu_native import _ffi",
        "from wgpu.backends.wgpu_native._api import libf",
        "import pygfx.renderers._base as base",
        "getattr(device, '_internal')",
        "self.device._internal",
        "parser._declarations",
        "from cffi import _pycparser",
    ],
)
def test_a_private_name_of_others_is_found(source: str) -> None:
    assert foreign_private_names(ast.parse(source), own={"_device"})


@pytest.mark.parametrize("source", ["self._device = 1", "other._device", "__version__", "record._replace(a=1)"])
def test_own_names_are_left_alone(source: str) -> None:
    assert foreign_private_names(ast.parse(source), own={"_device"}) == []
