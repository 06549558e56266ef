"""Makes the pictures of the documentation with the program itself: `./dev pictures`, on a display or under Xvfb.

Adapters round differently, so a picture may differ by a few pixels although nothing has changed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parent
TOUR = FOLDER / "tour.jsonl"
SCREEN = "1600x1000x24"
RUN = ("Once upon a time, there was a", "-n", "24", "--temperature", "0")
SMALL = (*RUN, "--view", "map", "--size", "960x540")

# File and what `atlas-viewer render` is given for it, from the whole map to single digits.
RENDERED = {
    "map-1.png": SMALL,
    "map-2.png": (*SMALL, "--zoom", "7", "--place", "h.3.mlp.gelu"),
    "map-3.png": (*SMALL, "--zoom", "53", "--place", "h.3.attn.pattern[2, 15, 15]"),
    "map-4.png": (*SMALL, "--zoom", "330", "--place", "h.3.attn.pattern[1, 12, 8]"),
    "map-5.png": (*SMALL, "--zoom", "480", "--place", "h.3.attn.qkv[3, 5]"),
}


def main() -> int:
    """Render every picture, then play the tour, which takes its own into the folder of its name."""
    for name, arguments in RENDERED.items():
        print(name, flush=True)
        viewer("render", *arguments, "--out", str(FOLDER / name), out=subprocess.DEVNULL)
    with display() as environment, tempfile.TemporaryDirectory() as settings:
        environment["ATLAS_VIEWER_CONFIG"] = settings  # not the looks of whoever makes them
        print(TOUR.name, flush=True)
        arguments = (*RUN, "--context", "64", "--tour", str(TOUR), "--pictures", str(TOUR.with_suffix("")))
        viewer("view", *arguments, environment=environment)
    return 0


def viewer(*arguments: str, environment: dict[str, str] | None = None, out: int | None = None) -> None:
    """Run the program; its failure ends this one."""
    command = [sys.executable, "-m", "atlas_viewer", *arguments]
    status = subprocess.run(command, env=environment, stdout=out, cwd=FOLDER.parent).returncode
    if status:
        raise SystemExit(status)


@contextmanager
def display() -> Iterator[dict[str, str]]:
    """The environment of a window: on Linux a screen of its own, so that nothing of the desktop gets into a picture."""
    if sys.platform != "linux":
        yield dict(os.environ)
        return
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    try:
        os.close(write)
        with os.fdopen(read) as told:
            number = told.readline().strip()
        if not number:
            raise SystemExit("Xvfb did not start")
        yield {name: value for name, value in os.environ.items() if name != "WAYLAND_DISPLAY"} | {
            "DISPLAY": f":{number}"
        }
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
