"""Runs a driver in the real window of other checkouts, on a virtual display: arguments and environment."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S


def window_arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser of what to measure; others may be added."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[ROOT])
    parser.add_argument("--view", default="Map", help="the panel in front: Map, Atlas (Strip), ...")
    parser.add_argument("--lecture", action="store_true")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--size", default="1280x720", help="of the display, up to 1920x1080")
    parser.add_argument("--model", default="stories", help="a name, or the full path of a file")
    return parser


def driven(driver: Path, checkout: Path, display: str, arguments: argparse.Namespace, *more: str) -> str:
    """The last line that the driver prints in a checkout, with its own sources, .venv, and no settings.

    more: arguments after the view, lecture mode, the seconds and the model.
    """
    with tempfile.TemporaryDirectory() as settings:
        environment = {**os.environ, "PYTHONPATH": str(checkout.resolve()), "DISPLAY": display}
        environment["ATLAS_VIEWER_CONFIG"] = str(Path(settings) / "settings")
        environment.pop("WAYLAND_DISPLAY", None)
        python = str(checkout.resolve() / ".venv" / "bin" / "python")
        options = [arguments.view, str(int(arguments.lecture)), str(arguments.seconds), arguments.model, *more]
        made = subprocess.run(
            [python, str(driver), *options], env=environment, cwd=checkout, stdout=subprocess.PIPE, text=True,
            check=True, timeout=PATIENCE_S,
        )  # fmt: skip
    return made.stdout.splitlines()[-1]
