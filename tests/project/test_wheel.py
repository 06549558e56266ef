"""The built wheel runs from another folder, with shaders and embedded data inside it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

pytestmark = pytest.mark.gpu

PACKAGES = ("atlas_viewer", "compute", "wgsl", "assets")


def run(*command: object, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment that the wheel is installed in.

    Its dependencies are those already installed here, so that no network is needed; a `.pth` file names their folder
    but reads none of the `.pth` files in it, so the project itself can only come from the wheel.
    """
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / "python"
    run(sys.executable, "-m", "pip", "-q", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    (site,) = folder.glob("Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return programs


def test_the_wheel_contains_all_files_of_the_packages_and_no_others(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == wanted
    assert any(name.endswith(".wgsl") for name in held)
    assert "atlas_viewer/schemas/generate.json" in held
    assert {"assets/stories_bf16.bin", "assets/gpt2_tokenizer.bin", "assets/README.md"} <= held


def test_licence_and_notices_travel_with_it(wheel: Path) -> None:
    held = {name.rsplit("/", 1)[1] for name in zipfile.ZipFile(wheel).namelist() if "/licenses/" in name}
    assert held == {"LICENSE", "THIRD_PARTY_NOTICES.md"}


def test_the_notices_name_every_package_that_is_installed_along() -> None:
    """All that `pip install` brings on this system; other systems may need fewer."""
    needed: set[str] = set()
    waiting = ["atlas-viewer"]
    while waiting:
        for line in metadata.requires(waiting.pop()) or []:
            requirement = Requirement(line)
            name = canonicalize_name(requirement.name)
            if name not in needed and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                needed.add(name)
                waiting.append(name)
    rows = re.findall(r"^\| ([a-z0-9-]+) \| \S", (ROOT / "THIRD_PARTY_NOTICES.md").read_text("utf-8"), re.MULTILINE)
    assert "numpy" in needed
    assert needed - {"colorama"} <= set(rows)


def test_the_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=ROOT)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    assert {"dev", "constraints.txt", "tests", "docs", "README.md"} <= {path.name for path in source.iterdir()}
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=source)
    (again,) = tmp_path.glob("*.whl")
    one, other = ({entry.filename: entry.CRC for entry in zipfile.ZipFile(path).infolist()} for path in (wheel, again))
    assert one == other


def test_it_is_the_wheel_that_is_imported(fresh: Path, tmp_path: Path) -> None:
    code = f"import importlib\nfor name in {PACKAGES}: print(importlib.import_module(name).__path__[0])"
    places = run(fresh / "python", "-c", code, cwd=tmp_path).split()
    assert len(places) == len(PACKAGES)
    assert all(Path(place).is_relative_to(fresh.parent) for place in places)


def test_the_version_is_the_same_everywhere(fresh: Path, tmp_path: Path) -> None:
    code = "import importlib.metadata as m, atlas_viewer as a; print(m.version('atlas-viewer') == a.__version__)"
    assert run(fresh / "python", "-c", code, cwd=tmp_path).strip() == "True"


def test_it_writes_text_from_another_folder(fresh: Path, tmp_path: Path) -> None:
    prompt = "Once upon a time"
    text = run(fresh / "atlas-viewer", "generate", prompt, "-n", 2, "--temperature", 0, cwd=tmp_path)
    assert prompt in text
    assert len(text.strip()) > len(prompt)
    assert list(tmp_path.iterdir()) == []
