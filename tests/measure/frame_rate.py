"""Measures the window's frame rate while it generates, on a virtual display.

Usage: `PYTHONPATH=tests python -m measure.frame_rate [CHECKOUT ...] [--view NAME] [--lecture] [--seconds N]
[--size WIDTHxHEIGHT] [--model NAME|PATH]`. Needs Xvfb. Nothing else should run meanwhile. Each CHECKOUT (this one, if
there is none) is measured with its own sources and its own .venv.
"""

from __future__ import annotations

from pathlib import Path

from .window_driver import driven, window_arguments
from helpers.real_window import x_server

DRIVER = Path(__file__).with_name("frame_rate_driver.py")


def main() -> None:
    arguments = window_arguments(__doc__).parse_args()
    with x_server(f"{arguments.size}x24") as (display, _):
        for checkout in arguments.checkouts:
            print(checkout, driven(DRIVER, checkout, display, arguments))


if __name__ == "__main__":
    main()
