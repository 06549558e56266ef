"""The page on extending, followed step by step in a copy of the sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.documents import Block, blocks
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

pytestmark = pytest.mark.gpu

PAGE = ROOT / "docs" / "extending.md"
SOURCES = ("wgsl", "compute", "atlas_viewer", "tests")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with what the page adds to them."""
    folder = tmp_path_factory.mktemp("extended")
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "assets").symlink_to(ROOT / "assets", target_is_directory=True)
    for name in ("pyproject.toml", "constraints.txt", "ARCHITECTURE.md"):
        shutil.copy(ROOT / name, folder)
    for block in blocks(PAGE):
        if block.language == "diff":
            change(folder / block.about, block)
        else:
            assert not (folder / block.about).exists(), f"{block}: {block.about} is there already"
            (folder / block.about).write_text(block.text, "utf-8")
    return folder


def change(path: Path, block: Block) -> None:
    """Add the block's `+` lines behind the line above them, which the file must have once."""
    lines = path.read_text("utf-8").splitlines()
    before, *added = block.text.splitlines()
    assert before[0] == " ", block
    assert all(line[0] == "+" for line in added), block
    assert lines.count(before[1:]) == 1, f"{block}: {before[1:]!r} is not in {block.about} once"
    at = lines.index(before[1:]) + 1
    lines[at:at] = [line[1:] for line in added]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def in_copy(copy: Path, *arguments: str, **variables: str) -> str:
    """The output of Python with `arguments`, in the copy and with these environment variables."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy, env={**os.environ, **variables}, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_its_tests_pass(copy: Path) -> None:
    tests = [block.about for block in blocks(PAGE) if block.about.startswith("tests/")]
    output = in_copy(
        copy,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        *tests,
        "tests/project/test_imports.py",
        "-k",
        "not declared",
    )
    assert len(tests) == 3
    assert "skipped" not in output


def test_each_example_touches_at_most_three_files() -> None:
    touched: dict[str, set[str]] = {}
    for block in blocks(PAGE):
        before = PAGE.read_text("utf-8").splitlines()[: block.line]
        section = next(line for line in reversed(before) if line.startswith("## "))
        touched.setdefault(section, set()).add(block.about)
    assert len(touched) == 3
    assert {section: files for section, files in touched.items() if len(files) > 3} == {}


def test_its_architecture_is_the_one_that_other_tests_use(copy: Path) -> None:
    code = (
        "from compute.models.parallel import parallel as shown\n"
        "from helpers.parallel_model import SMALL, parallel as used\n"
        "print(list(shown(SMALL).operations()) == list(used(SMALL).operations()))"
    )
    assert in_copy(copy, "-c", code, PYTHONPATH="tests") == "True\n"


def test_its_files_are_as_the_project_wants_them(copy: Path) -> None:
    files = [block.about for block in blocks(PAGE) if block.about.endswith(".py")]
    in_copy(copy, "-m", "ruff", "check", "--no-cache", *files)
    in_copy(copy, "-m", "ruff", "format", "--no-cache", "--check", *files)


def test_its_kernel_is_read_from_the_copy(copy: Path) -> None:
    code = "import wgsl; print('norms' in wgsl.load('statistics/row_norms', columns=4) and wgsl.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_relative_to(copy)
