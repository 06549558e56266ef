"""The worked example of a custom object in the scene."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

EXAMPLE = ROOT / "examples" / "line_over_map.py"
# Imports the example, then renders the window as `atlas-viewer` does.
SCRIPT = """
import runpy, sys
runpy.run_path(sys.argv[1])
from atlas_viewer.cli.main import main
sys.exit(main(["render", "hi", "-n", "1", "--view", "map", "--panels", "--size", "900x600", "--out", sys.argv[2]]))
"""


def test_the_function_has_at_most_fifteen_lines() -> None:
    text = EXAMPLE.read_text("utf-8")
    body = text[text.index("@on_map") : text.index("\n\nif __name__")]
    assert len(body.strip().splitlines()) <= 15


@pytest.mark.gpu
def test_the_line_is_in_the_picture(tmp_path: Path) -> None:
    out = tmp_path / "map.png"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(EXAMPLE), str(out)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    magenta = (matplotlib.image.imread(out)[..., :3] == (1, 0, 1)).all(axis=2)
    columns = np.flatnonzero(magenta.any(axis=0))
    assert len(columns) > 50
    assert len(columns) == np.ptp(columns) + 1, "the line is not interrupted"
