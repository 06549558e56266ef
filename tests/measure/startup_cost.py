"""Measures the cost of a start, in processor seconds.

Usage: `PYTHONPATH=tests python -m measure.startup_cost [CHECKOUT ...] [--rounds N]`.

Each CHECKOUT (this one, if there is none) is measured with its own sources and its own .venv; rounds alternate between
them, and of each figure the least counts: another process can only add to it. A first round fills the caches.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
from pathlib import Path

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

DRIVER = Path(__file__).with_name("startup_driver.py")
LIBRARY = "import numpy, wgpu.backends.wgpu_native"


def spent(command: list[str], environment: dict[str, str], folder: Path) -> float:
    """Processor seconds, user and system, of a process that exits on its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(checkout: Path, display: str) -> dict[str, float]:
    """Every figure of one checkout, once."""
    python = str(checkout / ".venv" / "bin" / "python")
    with tempfile.TemporaryDirectory() as settings:
        environment = {**os.environ, "PYTHONPATH": str(checkout), "DISPLAY": display, "ATLAS_VIEWER_CONFIG": settings}
        environment.pop("WAYLAND_DISPLAY", None)
        found = {
            "libraries": spent([python, "-c", LIBRARY], environment, checkout),
            "generate": spent([python, "-m", "atlas_viewer", "generate", "hi", "-n", "1"], environment, checkout),
        }
        for picture in ("strip", "map"):
            made = subprocess.run(
                [python, str(DRIVER), picture],
                env=environment,
                cwd=checkout,
                capture_output=True,
                text=True,
                check=True,
                timeout=PATIENCE_S,
            )
            found |= json.loads(made.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[ROOT])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x720x24", "-nolisten", "tcp"],
        pass_fds=[write], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            display = f":{pipe.readline().strip()}"
        least: dict[Path, dict[str, float]] = {}
        for number in range(arguments.rounds + 1):
            for checkout in arguments.checkouts:
                found = measured(checkout.resolve(), display)
                if number:
                    known = least.setdefault(checkout, found)
                    least[checkout] = {key: min(value, known[key]) for key, value in found.items()}
    finally:
        server.terminate()
        server.wait()
    for checkout, found in least.items():
        figures = ", ".join(f"{key} {value:.2f} s" for key, value in found.items())
        print(f"{checkout}: {figures}; generate is {found['generate'] / found['libraries']:.2f} times the libraries")


if __name__ == "__main__":
    main()
