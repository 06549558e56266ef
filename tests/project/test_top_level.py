"""The top level of the repository: a short list that a reader takes in at one glance."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

import pytest

from helpers.paths import ROOT

FOLDERS = {"assets", "atlas_viewer", "compute", "docs", "examples", "tests", "wgsl"}
FILES = {
    "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md",
    "THIRD_PARTY_NOTICES.md", "constraints.txt", "dev", "pyproject.toml",
}  # fmt: skip


def strangers(paths: Iterable[str]) -> set[str]:
    """The entries of the top level that do not belong there. paths: of files, relative to the top level."""
    entries = {(path.partition("/")[0], "/" in path) for path in paths}
    return {name for name, folder in entries if not name.startswith(".") and name not in (FOLDERS if folder else FILES)}


def test_strangers_are_found() -> None:
    assert strangers(["docs/a.md", "dev", ".github/a.yml", ".gitignore", "LICENSE"]) == set()
    assert strangers(["notes.md", "run.atlas", "scripts/a.py", "docs", "dev/a"]) == {
        "notes.md", "run.atlas", "scripts", "docs", "dev",
    }  # fmt: skip


def test_the_top_level_has_only_its_entries() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout of the repository")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = listed.stdout.split("\0")[:-1]
    assert len(paths) > 900
    assert strangers(paths) == set()
    assert {path.partition("/")[0] for path in paths} >= FOLDERS | FILES, "the list names what no longer exists"
