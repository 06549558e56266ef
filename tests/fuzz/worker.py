"""Runs one target in a process of its own, so that a crash ends nothing else: `python -m fuzz.worker TARGET ...`.

Each finding is a line of JSON on standard output; statistics go to standard error in libFuzzer's format.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .checking import Finding, check
from .reduction import reduced
from .scratch import folder
from .target import PACKAGES, Target, finding_path, findings, kept, load

HANGS_S = 60  # wall-clock limit per input; generous, because the machine may be busy
_POOL = 200  # how many inputs to keep mutating when there is no coverage to tell which reach more code
_MEGABYTES = 2048  # of memory for a whole campaign of one target


class Work:
    """What becomes of one target's inputs."""

    def __init__(self, target: Target, places: Path) -> None:
        """places: the folder for the inputs of findings."""
        self._target, self._places = target, places
        self._known: set[str] = set()

    def run(self, data: bytes) -> bool:
        """Whether the input was accepted. A new finding is reduced, saved and reported."""
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
    parser.add_argument("--work", type=Path, required=True, help="folder of inputs found to reach new code")
    parser.add_argument("--findings", type=Path, help="folder to keep findings in")
    parser.add_argument("--plain", action="store_true")
    arguments = parser.parse_args()
    places = arguments.findings or findings(arguments.target)
    (_plain if arguments.plain else _guided)(arguments, places)


def _begun(target: Target, places: Path) -> Work:
    """Start work on a target. Exits if it accepts none of its seeds, since fuzzing would then reach little."""
    work = Work(target, places)
    if not [data for data in target.seeds() if work.run(data)]:
        sys.exit("the program takes none of the seeds")
    return work


def _guided(arguments: argparse.Namespace, places: Path) -> None:
    """Fuzz with libFuzzer, guided toward code not reached before."""
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
    # Slow inputs are already reported by the check of each input, which measures processor time.
    options.append(f"-report_slow_units={HANGS_S}")
    options.append(f"-artifact_prefix={folder() / 'artifact-'}")
    # On Linux a process begins with the peak memory of the process that started it, which may be a long run of tests.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    options.append(f"-rss_limit_mb={peak + _MEGABYTES}")
    # libFuzzer would take a return value for a verdict.
    atheris.Setup(
        [sys.argv[0], *options, *limits, *map(str, sources)],
        lambda data: work.run(data) and None,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


def _plain(arguments: argparse.Namespace, places: Path) -> None:
    """Fuzz without atheris: try every saved input, then mutations of the accepted ones."""
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
        current.write_bytes(data)  # all that remains of this process if it crashes
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        if work.run(data):
            pool[min(len(pool), chance.randrange(_POOL)) :][:1] = [data]
        runs += 1
    faulthandler.cancel_dump_traceback_later()
    current.unlink()
    print(f"stat::number_of_executed_units: {runs}", file=sys.stderr)


if __name__ == "__main__":
    main()
