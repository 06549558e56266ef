"""Runs one target in this process, so that a crash ends nothing else: `python -m fuzz.worker TARGET ...`.

Each finding is a line of JSON on standard output; how much was done is on standard error, in libFuzzer's words.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .checking import Finding, check
from .reduction import reduced
from .scratch import folder
from .target import PACKAGES, Target, finding_path, findings, kept, load

HANGS_S = 60  # on the clock, for one input: the machine may be busy
_POOL = 200  # inputs that are changed further when nothing tells which of them reach more


class Work:
    """What comes of the inputs of one target."""

    def __init__(self, target: Target, places: Path) -> None:
        """places: the folder that findings are kept in."""
        self._target, self._places = target, places
        self._known: set[str] = set()

    def run(self, data: bytes) -> bool:
        """Whether the input was taken. A finding that is new is made smaller, kept and told."""
        try:
            return check(self._target, data)
        except Finding as finding:
            if finding.place not in self._known:
                self._known.add(finding.place)
                self._keep(data, finding)
            return False

    def _keep(self, data: bytes, finding: Finding) -> None:
        print(finding.details, file=sys.stderr)
        path = finding_path(self._places, data)
        if not path.exists():
            if finding.place not in ("time", "memory", "descriptors"):
                data = reduced(data, lambda shorter: self._finds(shorter) == finding.place)
            path = finding_path(self._places, data)
            path.write_bytes(data)
        print(json.dumps({"what": finding.what, "place": finding.place, "path": str(path)}), flush=True)

    def _finds(self, data: bytes) -> str:
        try:
            check(self._target, data)
        except Finding as finding:
            return finding.place
        return ""


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of inputs that were found to reach more")
    parser.add_argument("--findings", type=Path, help="folder to keep findings in")
    parser.add_argument("--plain", action="store_true")
    arguments = parser.parse_args()
    places = arguments.findings or findings(arguments.target)
    (_plain if arguments.plain else _guided)(arguments, places)


def _begun(target: Target, places: Path) -> Work:
    """The work on a target; the program exits when it takes none of its seeds, since then little would be reached."""
    work = Work(target, places)
    if not [data for data in target.seeds() if work.run(data)]:
        sys.exit("the program takes none of the seeds")
    return work


def _guided(arguments: argparse.Namespace, places: Path) -> None:
    """By libFuzzer, towards what was not reached before."""
    import atheris

    with atheris.instrument_imports(include=list(PACKAGES)):
        target = load(arguments.target)
    start = folder() / "seeds"
    start.mkdir()
    for number, data in enumerate(target.seeds()):
        (start / str(number)).write_bytes(data)
    work = _begun(target, places)

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.7:
            changed = target.mutate(data, chance)
            if len(changed) <= longest:
                return changed
        return bytes(atheris.Mutate(data, longest))

    limits = [f"-max_total_time={arguments.seconds}"] if arguments.seconds else []
    limits += [f"-runs={arguments.runs}"] if arguments.runs else []
    sources = [arguments.work, start, *{path.parent for path in kept(arguments.target)}]
    options = [f"-seed={arguments.seed}", f"-max_len={target.longest}", f"-timeout={HANGS_S}", "-print_final_stats=1"]
    # Inputs that take long are reported by the check of each, by processor time.
    options.append(f"-report_slow_units={HANGS_S}")
    options.append(f"-artifact_prefix={folder() / 'artifact-'}")
    # What the function returns would be taken for a verdict.
    atheris.Setup(
        [sys.argv[0], *options, *limits, *map(str, sources)],
        lambda data: work.run(data) and None,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


def _plain(arguments: argparse.Namespace, places: Path) -> None:
    """Without atheris: every input that is kept, then changes of those that were taken."""
    target = load(arguments.target)
    work = _begun(target, places)
    chance = random.Random(arguments.seed)
    pool = [*target.seeds(), *(path.read_bytes() for path in kept(arguments.target))]
    current = folder() / "artifact-current"
    end = time.monotonic() + (arguments.seconds or 1e9)

    def inputs() -> Iterator[bytes]:
        yield from list(pool)
        while time.monotonic() < end:
            yield target.mutate(chance.choice(pool), chance)[: target.longest]

    runs = 0
    for data in inputs():
        if arguments.runs and runs >= max(arguments.runs, len(pool)):
            break
        current.write_bytes(data)  # what is left of this process when it crashes
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        if work.run(data):
            pool[min(len(pool), chance.randrange(_POOL)) :][:1] = [data]
        runs += 1
    faulthandler.cancel_dump_traceback_later()
    current.unlink()
    print(f"stat::number_of_executed_units: {runs}", file=sys.stderr)


if __name__ == "__main__":
    main()
