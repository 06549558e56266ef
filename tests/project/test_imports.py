"""Imports point one way, wgsl <- compute <- atlas_viewer, and every package that is imported is declared."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PACKAGES = ("wgsl", "assets", "compute", "atlas_viewer")
WINDOWING = {"pygfx", "pylinalg", "imgui_bundle", "rendercanvas", "glfw", "wgpu.gui", "wgpu.utils.imgui"}
# Imported by another name than they are installed by.
DISTRIBUTIONS = {"PIL": "pillow", "freetype": "freetype-py"}
FORBIDDEN = {
    "wgsl": {"assets", "compute", "atlas_viewer", *WINDOWING},
    "assets": {"wgsl", "compute", "atlas_viewer", *WINDOWING},
    "compute": {"atlas_viewer", *WINDOWING},
    "atlas_viewer": {"tests"},
}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(source: str, package: str) -> set[str]:
    """Absolute dotted names that the module's import statements, and imports by a literal name, ask for.

    package: the dotted package that the module lies in, for relative imports.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__", "files") and isinstance(node.args[0].value, str):
                names.add(node.args[0].value)
    return names


def breaches(names: set[str], forbidden: set[str]) -> set[str]:
    return {name for name in names if any(name == f or name.startswith(f + ".") for f in forbidden)}


def dotted_package(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parent.parts)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    files = sources(package)
    assert files, f"no sources in {package}/"
    for path in files:
        wrong = breaches(imported(path.read_text("utf-8"), dotted_package(path)), FORBIDDEN[package])
        assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("compute", "import pygfx as gfx"),
        ("compute", "def f():\n    from wgpu.utils.imgui import ImguiRenderer"),
        ("compute", "from wgpu.utils import imgui"),
        ("compute", "import importlib\nimportlib.import_module('glfw')"),
        ("compute", "from atlas_viewer.cli.streams import note"),
        ("wgsl", "from compute import errors"),
        ("assets", "import compute"),
        ("atlas_viewer", "from tests import gpu"),
    ],
)
def test_a_wrong_import_is_found(package: str, source: str) -> None:
    assert breaches(imported(source, package), FORBIDDEN[package])


def users(module: str) -> set[str]:
    """Sources that import `module` or something in it, what lies in it left out."""
    found = set()
    for path in (path for package in PACKAGES for path in sources(package)):
        own = f"{dotted_package(path)}.{path.stem}"
        if not own.startswith(module) and breaches(imported(path.read_text("utf-8"), dotted_package(path)), {module}):
            found.add(path.relative_to(ROOT).as_posix())
    return found


def test_only_the_self_test_uses_the_float64_reference() -> None:
    using = users("compute.selftest.reference")
    assert using, "the self-test does not use it"
    assert {path for path in using if not path.startswith("compute/selftest/")} == set()


def test_only_the_doctor_uses_the_self_test() -> None:
    assert users("compute.selftest") == {"atlas_viewer/cli/doctor_prove.py"}


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("atlas_viewer", "from compute.selftest import reference"),
        ("atlas_viewer", "from compute.selftest.reference import softmax"),
        ("compute.selftest", "from . import reference"),
        ("compute.selftest", "def f():\n    from .reference import softmax"),
        ("compute.views", "from ..selftest import reference"),
    ],
)
def test_a_use_of_the_reference_is_found(package: str, source: str) -> None:
    assert breaches(imported(source, package), {"compute.selftest.reference"})


def test_relative_imports_are_resolved() -> None:
    assert imported("from ..state import Use", "atlas_viewer.ui.panels") == {
        "atlas_viewer.ui.state",
        "atlas_viewer.ui.state.Use",
    }
    assert imported("from . import theme", "atlas_viewer") == {"atlas_viewer", "atlas_viewer.theme"}


def layers() -> dict[str, int]:
    """The layer of each folder, by its dotted name, as ARCHITECTURE.md has them."""
    rows = re.findall(r"^\| (\d+) \| `([\w/]+)/` \|", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), re.MULTILINE)
    return {folder.replace("/", "."): int(layer) for layer, folder in rows}


def folder_of(module: str, known: dict[str, int]) -> str | None:
    """The deepest folder that the module lies in; None for files that lie in none."""
    inside = [folder for folder in known if module == folder or module.startswith(f"{folder}.")]
    return max(inside, key=len, default=None)


def upward(known: dict[str, int], package: str, source: str) -> set[str]:
    """What the source of a module in `package` imports from its own layer or from above, its own folder left out."""
    own = folder_of(package, known)
    found = set()
    for name in imported(source, package):
        other = folder_of(name, known)
        if own is not None and other not in (own, None) and known[other] >= known[own]:
            found.add(name)
    return found


def test_every_folder_has_a_layer() -> None:
    known = layers()
    folders = {dotted_package(path) for package in PACKAGES for path in sources(package)}
    assert folders - {"compute", "atlas_viewer"} == set(known)
    assert set(known.values()) == set(range(1, 13))


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_import_from_lower_layers_only(package: str) -> None:
    known = layers()
    for path in sources(package):
        wrong = upward(known, dotted_package(path), path.read_text("utf-8"))
        assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


@pytest.mark.parametrize(
    ("package", "source", "wrong"),
    [
        ("compute.io", "from compute.gpu.device import shared_device", True),
        ("compute.gpu", "from ..models import config", True),  # the same layer
        ("compute.gpu", "from compute.errors import AtlasError", False),
        ("atlas_viewer.ui", "from .panels import layout", True),
        ("atlas_viewer.ui.panels", "from atlas_viewer.ui import theme", False),
        ("atlas_viewer.state", "def f():\n    from atlas_viewer.app import app", True),
    ],
)
def test_an_upward_import_is_found(package: str, source: str, wrong: bool) -> None:
    assert bool(upward(layers(), package, source)) == wrong


def test_compute_runs_without_the_window_libraries() -> None:
    names = [f"{dotted_package(path)}.{path.stem}" for path in sources("compute") if path.stem != "__init__"]
    code = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "print(*(sorted({'pygfx', 'imgui_bundle', 'glfw', 'atlas_viewer'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_the_viewer_builds_no_compute_pipeline() -> None:
    for path in sources("atlas_viewer"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "value", "")
            line = getattr(node, "lineno", 0)
            assert not (isinstance(name, str) and name.startswith("create_compute_pipeline")), f"{path}:{line}"


def third_party(packages: tuple[str, ...]) -> set[str]:
    """Distribution names of what the sources import, standard library and our own modules left out."""
    found: set[str] = set()
    for path in (path for package in packages for path in sources(package)):
        found |= {name.split(".")[0] for name in imported(path.read_text("utf-8"), dotted_package(path))}
    own = {
        *PACKAGES,
        "tests",
        "helpers",
        "fuzz",
    }
    return {normal(DISTRIBUTIONS.get(name, name)) for name in found - own - set(sys.stdlib_module_names)}


def declared(lines: list[str]) -> set[str]:
    return {normal(re.split(r"[<>=!~\[; ]", line)[0]) for line in lines}


def test_declared_dependencies_are_those_imported() -> None:
    assert third_party(PACKAGES) == declared(PROJECT["dependencies"])


def test_what_the_tests_import_is_declared() -> None:
    known = declared(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"])
    assert third_party(("tests",)) <= known | {"torch", "transformers"}  # references, never necessary


def test_every_dependency_is_pinned_without_an_address() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    pin = r"[A-Za-z0-9_.-]+==[A-Za-z0-9.]+(; python_version (<|>=) \"3\.\d+\")?"
    assert all(re.fullmatch(pin, line) for line in pins), pins
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    assert declared(wanted) <= declared(pins)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
