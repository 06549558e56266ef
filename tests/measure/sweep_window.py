"""Measures an ablation of all heads and MLPs in the real window, on a virtual display: its time and the frame rate.

Usage: `PYTHONPATH=tests python -m measure.sweep_window [TOKENS]`. Needs Xvfb. Nothing else should run meanwhile. Prints
JSON; the time includes what the first sweep builds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S
from helpers.real_window import x_server

DRIVER = Path(__file__).with_name("sweep_window_driver.py")


def main(tokens: int = 16) -> None:
    with x_server("1280x720x24") as (display, _), tempfile.TemporaryDirectory() as settings:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "DISPLAY": display}
        environment["ATLAS_VIEWER_CONFIG"] = str(Path(settings) / "settings")
        environment.pop("WAYLAND_DISPLAY", None)
        made = subprocess.run(
            [sys.executable, str(DRIVER), str(tokens)],
            env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S,
        )  # fmt: skip
    print(made.stdout.splitlines()[-1])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
