"""Prints what the time of the window's frames consists of while it generates, by phase and by file.

Usage: `PYTHONPATH=tests python -m measure.frame_profile [CHECKOUT ...] [--view NAME] [--lecture] [--seconds N]
[--size WIDTHxHEIGHT] [--model NAME|PATH] [--rows N]`. Needs Xvfb. Nothing else should run meanwhile. Each CHECKOUT
(this one, if there is none) is measured with its own sources and its own .venv.

"clock" contains waits, "processor" is the main thread's processor time, both in milliseconds per frame. By file, it is
processor time only: of the files of this program with the libraries that they call, then of every file by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S
from helpers.real_window import x_server

DRIVER = Path(__file__).with_name("frame_profile_driver.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[ROOT])
    parser.add_argument("--view", default="Map", help="the panel in front: Map, Atlas (Strip), ...")
    parser.add_argument("--lecture", action="store_true")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--size", default="1280x720", help="of the window, up to 1920x1080")
    parser.add_argument("--model", default="stories", help="a name, or the full path of a file")
    parser.add_argument("--rows", type=int, default=20, help="of each list")
    arguments = parser.parse_args()
    with x_server(f"{arguments.size}x24") as (display, _):
        for checkout in arguments.checkouts:
            print(checkout)
            _show(_measured(checkout, display, arguments), arguments.rows)


def _measured(checkout: Path, display: str, arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as settings:
        environment = {**os.environ, "PYTHONPATH": str(checkout.resolve()), "DISPLAY": display}
        environment["ATLAS_VIEWER_CONFIG"] = str(Path(settings) / "settings")
        environment.pop("WAYLAND_DISPLAY", None)
        python = str(checkout.resolve() / ".venv" / "bin" / "python")
        options = [arguments.view, str(int(arguments.lecture)), str(arguments.seconds), arguments.model]
        made = subprocess.run(
            [python, str(DRIVER), *options, arguments.size], env=environment, cwd=checkout, stdout=subprocess.PIPE,
            text=True, check=True, timeout=PATIENCE_S,
        )  # fmt: skip
    found: dict[str, Any] = json.loads(made.stdout.splitlines()[-1])
    return found


def _show(found: dict[str, Any], rows: int) -> None:
    print(f"{found['frames_per_second']:.1f} frames/s, {found['tokens_per_second']:.2f} tok/s")
    print(f"{'ms per frame':46}{'clock':>8}{'processor':>11}")
    for phase, (clock, processor) in [*found["phases"].items(), ("all", found["frame"])]:
        print(f"  {phase:44}{clock:8.2f}{processor:11.2f}")
    for title, name in (
        ("files of this program, with the libraries that they call", "own_files"),
        ("files, by themselves", "files"),
        ("functions", "functions"),
    ):
        print(f"{title}: processor, ms per frame")
        for key, spent in list(found[name].items())[:rows]:
            print(f"  {key:60}{spent:8.3f}")


if __name__ == "__main__":
    main()
