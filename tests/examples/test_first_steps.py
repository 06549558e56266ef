"""The notebook runs from its first cell to its last, and its file contains no outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

NOTEBOOK = ROOT / "examples" / "first_steps.ipynb"
# Runs behind the last cell.
SHAPES = "for number in plt.get_fignums(): print('picture', *plt.figure(number).axes[0].images[0].get_array().shape)"


def cells(kind: str) -> list[dict[str, Any]]:
    """The cells of a kind, "code" or "markdown"."""
    return [cell for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_its_file_contains_no_outputs() -> None:
    code = cells("code")
    assert len(code) >= 8
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []


def test_every_section_has_text_and_code() -> None:
    headings = [line for cell in cells("markdown") for line in source(cell).splitlines() if line.startswith("## ")]
    assert len(headings) >= 5


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.gpu
def test_it_runs() -> None:
    done = run("\n\n".join([*map(source, cells("code")), SHAPES]))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "<Run of 19 tokens, 133 arrays>" in lines
    assert [line for line in lines if line.startswith("picture ")] == ["picture 19 19", "picture 8 6"]
    compared = {name: float(value) for name, value in (line.split() for line in lines if ".resid_" in line)}
    assert len(compared) == 3 * 8
    assert max(compared.values()) < 2e-3


@pytest.mark.gpu
def test_its_comparison_finds_a_wrong_forward_pass() -> None:
    code = "\n\n".join(map(source, cells("code")))
    assert code.count(" / np.sqrt(size)") == 1
    done = run(code.replace(" / np.sqrt(size)", ""))
    assert "AssertionError" in done.stderr
    assert "h.0.resid_mid" in done.stdout
