"""Measures the formula card in the real window, on a virtual display: how soon it appears, and the frame rate with it.

Usage: `PYTHONPATH=tests python -m measure.card_cost [--cards N] [--seconds N]`. Needs Xvfb. Nothing else should run
meanwhile. Prints JSON: how long after the mouse stops on another cell its card is drawn, in milliseconds, while the run
is paused; then the frames per second while the model generates and a card is visible.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S
from helpers.real_window import x_server

DRIVER = Path(__file__).with_name("card_cost_driver.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    with x_server("1280x720x24") as (display, _), tempfile.TemporaryDirectory() as settings:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "DISPLAY": display}
        environment["ATLAS_VIEWER_CONFIG"] = str(Path(settings) / "settings")
        environment.pop("WAYLAND_DISPLAY", None)
        made = subprocess.run(
            [sys.executable, str(DRIVER), str(arguments.cards), str(arguments.seconds)],
            env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S,
        )  # fmt: skip
    print(made.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
