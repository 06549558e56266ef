"""Makes the pictures of the documentation with the program itself: `./dev pictures`, on a display or under Xvfb.

Adapters round differently, so a picture may differ by a few pixels although nothing has changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SCREEN = "1600x1000x24"
RUN = ("Once upon a time, there was a", "-n", "24", "--temperature", "0")
NAMED = "Once upon a time, there was a little girl named"
GREEDY = ("--temperature", "0", "--context")
SMALL = (*RUN, "--view", "map", "--size", "960x540")

SMOLLM2 = FOLDER.parent / ".cache" / "SmolLM2-135M-Instruct.Q4_1.gguf"  # `./dev models` fetches it

# Tours of the window, each of which makes the pictures in the folder of its name, and what they are played with.
TOURS = {
    FOLDER / "tour.jsonl": (*RUN, "--context", "64"),
    FOLDER / "walks.jsonl": (*RUN, "--context", "64"),
    FOLDER / "attention.jsonl": (RUN[0], "-n", "56", *GREEDY, "64"),
    FOLDER / "attribution.jsonl": (NAMED, "-n", "12", *GREEDY, "64"),
    FOLDER / "edits.jsonl": (NAMED, "-n", "12", *GREEDY, "64"),
    FOLDER / "compare.jsonl": (NAMED, "-n", "12", *GREEDY, "64"),
    FOLDER / "patching.jsonl": ("The little boy was", "-n", "12", *GREEDY, "64"),
    FOLDER / "lens.jsonl": (NAMED, "-n", "245", *GREEDY, "256"),
    FOLDER / "smollm2.jsonl": ("The capital of France is", "-n", "4", *GREEDY, "64", "--model", str(SMOLLM2)),
}

# File and what `atlas-viewer render` is given for it, from the whole map to single digits.
RENDERED = {
    "map-1.png": SMALL,
    "map-2.png": (*SMALL, "--zoom", "7", "--place", "h.3.mlp.gelu"),
    "map-3.png": (*SMALL, "--zoom", "25", "--place", "h.3.attn.pattern[2, 15, 15]"),
    "map-4.png": (*SMALL, "--zoom", "330", "--place", "h.3.attn.pattern[1, 12, 8]"),
    "map-5.png": (*SMALL, "--zoom", "1000", "--place", "h.3.attn.qkv[3, 5]"),
}

_TEXTS = (
    "One day, Tom had a red ball and a very big cat. Then",
    "One day, Ben had a red ball and a very big cat. Then",
)
_PATCH = (*_TEXTS, "--target", " Tom", "--against", " Ben", "--over")

# File and what `atlas-viewer patch` is given for it.
PATCHED = {"edits/stream.png": (*_PATCH, "resid_pre"), "edits/heads.png": (*_PATCH, "heads")}

# The animation: a flight into one attention pattern while tokens are generated. Sizes in pixels, delays in 1/100 s.
FLIGHT = FOLDER / "flight.gif"
FLIGHT_SIZE, FLIGHT_COLORS = (720, 520), 64
NOTCHES = 40  # of the wheel, one per picture
GOAL = "map+30,56"  # a value in the pattern of block 6, head 1, while the map is shown whole
DELAY, PAUSE = 10, 160
# Fewer tokens than the flight generates, but so many that the map keeps its layout.
BEGUN = ("Once upon a time, there was a", "-n", "10", "--temperature", "0", "--context", "64")


def main() -> int:
    """Render every picture, play the tours, each into the folder of its name, then make the animation."""
    for command, pictures in (("render", RENDERED), ("patch", PATCHED)):
        for name, arguments in pictures.items():
            print(name, flush=True)
            viewer(command, *arguments, "--out", str(FOLDER / name), out=subprocess.DEVNULL)
    with display() as environment:
        for tour, run in TOURS.items():
            print(tour.name, flush=True)
            play(run, tour, tour.with_suffix(""), environment)
        print(FLIGHT.name, flush=True)
        animate(environment)
    return 0


def play(run: tuple[str, ...], tour: Path, pictures: Path, environment: dict[str, str]) -> None:
    """Play a tour in an empty folder, with default settings."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**environment, "ATLAS_VIEWER_CONFIG": folder, "PYTHONPATH": str(FOLDER.parent)}
        arguments = (*run, "--tour", str(tour), "--pictures", str(pictures))
        viewer("view", *arguments, environment=environment, folder=Path(folder))


def animate(environment: dict[str, str]) -> None:
    """Play the flight, and join its pictures to an animation."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tour = folder / "flight.jsonl"
        tour.write_text("".join(json.dumps(step) + "\n" for step in flight()))
        play(BEGUN, tour, folder, environment)
        pictures = sorted(str(path) for path in folder.glob("*.png"))
        pauses = [part for path in (pictures[0], pictures[-1]) for part in ("-delay", str(PAUSE), path)]
        joined = (*pauses[:3], "-delay", str(DELAY), *pictures[1:-1], *pauses[3:])
        colors = ("+dither", "-colors", str(FLIGHT_COLORS), "-loop", "0", "-layers", "optimize")
        subprocess.run(["convert", *joined, *colors, str(FLIGHT)], check=True)


def flight() -> Iterator[dict[str, Any]]:
    """The steps of the animation's tour."""
    wait = {"wait": "done"}
    yield from ({"key": "M"}, wait, {"key": "Shift+M"}, {"key": "F11"})  # without the minimap
    yield from ({"resize": FLIGHT_SIZE}, {"frames": 10}, {"key": "F"}, wait)
    for number in range(NOTCHES):
        yield {"wheel": 1, "at": GOAL} if number else {"point": GOAL}
        if number % 3 == 1 and number < 36:
            yield {"key": "."}
        yield from ({"frames": 4}, wait, {"picture": f"{number:02}"})


def viewer(
    *arguments: str, environment: dict[str, str] | None = None, out: int | None = None, folder: Path = FOLDER.parent
) -> None:
    """Run the program in a folder; its failure ends this one."""
    command = [sys.executable, "-m", "atlas_viewer", *arguments]
    status = subprocess.run(command, env=environment, stdout=out, cwd=folder).returncode
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
