"""Prints what the time of the window's frames consists of while it generates, by phase and by file.

Usage: `PYTHONPATH=tests python -m measure.frame_profile [CHECKOUT ...] [--view NAME] [--lecture] [--seconds N]
[--size WIDTHxHEIGHT] [--model NAME|PATH] [--rows N]`. Needs Xvfb. Nothing else should run meanwhile. Each CHECKOUT
(this one, if there is none) is measured with its own sources and its own .venv.

"clock" contains waits, "processor" is the main thread's processor time, both in milliseconds per frame. By file, it is
processor time only: of the files of this program with the libraries that they call, then of every file by itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .window_driver import driven, window_arguments
from helpers.real_window import x_server

DRIVER = Path(__file__).with_name("frame_profile_driver.py")


def main() -> None:
    parser = window_arguments(__doc__)
    parser.add_argument("--rows", type=int, default=20, help="of each list")
    arguments = parser.parse_args()
    with x_server(f"{arguments.size}x24") as (display, _):
        for checkout in arguments.checkouts:
            print(checkout)
            _show(json.loads(driven(DRIVER, checkout, display, arguments, arguments.size)), arguments.rows)


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
