"""Two processes make the same recording at once: `python recording_racers.py FOLDER ROUNDS` prints the result of each.

Both wait at a barrier before each round. One line of JSON: for each round the outcomes, "made" or the error.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from atlas_viewer.recording.recorder import Recorder
from compute.errors import AtlasError

from helpers.make_recordings import HEAD, OPTIONS, PROMPT_TOKENS, TENSORS, draw, step, token_bytes
from helpers.patience import PATIENCE_S


def race(folder: Path, rounds: int, name: str, barrier: Barrier, pipe: Connection) -> None:
    """Make a recording in each round, whose prompt is `name` and which has one step."""
    outcomes = []
    for number in range(rounds):
        barrier.wait(PATIENCE_S)
        try:
            recorder = Recorder(folder / f"{number}.atlas", HEAD, TENSORS, token_bytes)
        except AtlasError as error:
            outcomes.append(f"{type(error).__name__}: {error}")
            continue
        recorder.begin_run(name, PROMPT_TOKENS, OPTIONS)
        recorder.step(step(0), draw(0))
        recorder.close()
        outcomes.append("made" if recorder.trouble is None else recorder.trouble)
    pipe.send(outcomes)


def main() -> None:
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    pipes, racers = [], []
    for name in ("one", "two"):
        reading, writing = context.Pipe(duplex=False)
        racers.append(context.Process(target=race, args=(folder, rounds, name, barrier, writing)))
        pipes.append(reading)
    for racer in racers:
        racer.start()
    outcomes = [pipe.recv() for pipe in pipes]
    for racer in racers:
        racer.join()
    print(json.dumps(list(zip(*outcomes, strict=True))))


if __name__ == "__main__":
    main()
