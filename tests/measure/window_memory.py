"""Prints what the resident memory of the window consists of, in MB, while it generates on a virtual display.

Usage: `PYTHONPATH=tests python -m measure.window_memory [CHECKOUT ...] [--seconds N] [--size WIDTHxHEIGHT]
[--model NAME|PATH]`. Needs Linux and Xvfb. Each CHECKOUT (this one, if there is none) is measured with its own sources
and its own .venv, in two processes: one as usual, one with `tracemalloc` for the objects of Python.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S
from helpers.real_window import x_server

DRIVER = Path(__file__).with_name("window_memory_driver.py")


def measured(checkout: Path, display: str, options: list[str], *, objects: bool) -> dict[str, float]:
    """MB by what they are for. objects: the objects of Python, by package, instead of the process."""
    with tempfile.TemporaryDirectory() as settings:
        environment = {**os.environ, "PYTHONPATH": str(checkout), "DISPLAY": display}
        environment["ATLAS_VIEWER_CONFIG"] = str(Path(settings) / "settings")
        environment.pop("WAYLAND_DISPLAY", None)
        python = [str(checkout / ".venv" / "bin" / "python"), *(["-X", "tracemalloc"] if objects else [])]
        made = subprocess.run(
            [*python, str(DRIVER), *options], env=environment, cwd=checkout, stdout=subprocess.PIPE, text=True,
            check=True, timeout=PATIENCE_S,
        )  # fmt: skip
    found: dict[str, float] = json.loads(made.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[ROOT])
    parser.add_argument("--seconds", type=float, default=10.0, help="from the first picture of the map on")
    parser.add_argument("--size", default="1280x720", help="of the display")
    parser.add_argument("--model", default="stories", help="a name, or the full path of a file")
    arguments = parser.parse_args()
    with x_server(f"{arguments.size}x24") as (display, _):
        for checkout in arguments.checkouts:
            print(checkout)
            for objects in (False, True):
                options = [str(arguments.seconds), arguments.model]
                for what, size in measured(checkout.resolve(), display, options, objects=objects).items():
                    print(f"{size:8.1f}  {what}")


if __name__ == "__main__":
    main()
