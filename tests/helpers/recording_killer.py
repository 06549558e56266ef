"""Kills recordings at random moments: `python recording_killer.py FOLDER COUNT SEED` prints what each had acknowledged.

One process forks each recording, so that the imports are paid once. A recording acknowledges each step that is
committed with a byte on a pipe.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from atlas_viewer.recording.recorder import Recorder

from helpers.make_recordings import HEAD, OPTIONS, PROMPT_TOKENS, TENSORS, StepCapture, draw, step, token_bytes


def record(path: Path, pipe: int) -> None:
    """Record endlessly."""

    def report(_run: int, _step: int) -> None:
        os.write(pipe, b".")

    recorder = Recorder(path, HEAD, TENSORS, token_bytes, on_step=report)
    recorder.begin_run("a prompt", PROMPT_TOKENS, OPTIONS)
    index = 0
    while True:
        recorder.step(step(index), draw(index), StepCapture(index))
        index += 1
        while recorder.waiting > 20:
            time.sleep(0.0005)


def kill_one(path: Path, after: float) -> int:
    """Record for about `after` seconds; returns the number of acknowledged steps."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        record(path, writing)
    os.close(writing)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    acknowledged = 0
    while data := os.read(reading, 65536):
        acknowledged += len(data)
    os.close(reading)
    return acknowledged


def main() -> None:
    folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    moments = random.Random(seed)
    acknowledged_steps = []
    for number in range(count):
        # Early ones strike while the file is made, late ones while its log is taken in.
        after = moments.choice([moments.uniform(0, 0.02), moments.uniform(0, 0.3)])
        acknowledged_steps.append(kill_one(folder / f"{number}.atlas", after))
    print(json.dumps(acknowledged_steps))


if __name__ == "__main__":
    main()
