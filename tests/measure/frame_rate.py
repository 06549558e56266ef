"""Measures the window's frame rate while it generates, on a virtual display.

Usage: `PYTHONPATH=tests python -m measure.frame_rate [CHECKOUT ...] [--view NAME] [--lecture] [--seconds N]
[--size WIDTHxHEIGHT] [--model NAME|PATH]`. Needs Xvfb. Nothing else should run meanwhile. Each CHECKOUT (this one, if
there is none) is measured with its own sources and its own .venv.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S
from helpers.real_window import x_server

DRIVER = Path(__file__).with_name("frame_rate_driver.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[ROOT])
    parser.add_argument("--view", default="Map", help="the panel in front: Map, Atlas (Strip), ...")
    parser.add_argument("--lecture", action="store_true")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--size", default="1280x720", help="of the display")
    parser.add_argument("--model", default="stories", help="a name, or the full path of a file")
    arguments = parser.parse_args()
    with x_server(f"{arguments.size}x24") as (display, _):
        for checkout in arguments.checkouts:
            with tempfile.TemporaryDirectory() as settings:
                environment = {**os.environ, "PYTHONPATH": str(checkout.resolve()), "DISPLAY": display}
                environment["ATLAS_VIEWER_CONFIG"] = str(Path(settings) / "settings")
                environment.pop("WAYLAND_DISPLAY", None)
                python = str(checkout.resolve() / ".venv" / "bin" / "python")
                options = [arguments.view, str(int(arguments.lecture)), str(arguments.seconds), arguments.model]
                made = subprocess.run(
                    [python, str(DRIVER), *options], env=environment, cwd=checkout, stdout=subprocess.PIPE, text=True,
                    check=True, timeout=PATIENCE_S,
                )  # fmt: skip
            print(checkout, made.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
