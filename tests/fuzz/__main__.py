"""`./dev fuzz`: runs one target, or all of them in turn, and reports the findings."""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

from . import campaign
from .target import FOLDER, names

_ROOT = FOLDER.parents[1]
_SECONDS = 60


def main() -> int:
    """Run; returns 0 if nothing was found, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="./dev fuzz", description="Hands mutated files to the readers of the program.", allow_abbrev=False
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(names())}; all by default")
    parser.add_argument("--seconds", type=_count, default=_SECONDS, help="time per target (default: %(default)s)")
    parser.add_argument("--runs", type=_count, help="end a target after this many inputs, if that comes first")
    parser.add_argument("--seed", type=_count, default=1, help="seed of the random numbers (default: %(default)s)")
    parser.add_argument("--plain", action="store_true", help="without coverage, as if atheris were not installed")
    arguments = parser.parse_args()
    unknown = set(arguments.targets) - set(names())
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    guided = campaign.GUIDED and not arguments.plain
    if not campaign.GUIDED:
        where = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
        print(f"note: atheris is not installed ({where}): inputs are changed at random, not guided by coverage")
    sound = True
    for name in arguments.targets or names():
        work = _ROOT / "out" / "fuzz" / name
        result = campaign.run(
            name, seconds=arguments.seconds, runs=arguments.runs, seed=arguments.seed, work=work,
            log=_log(work), guided=guided,
        )  # fmt: skip
        sound = sound and result.sound
        _tell(result, _log(work))
    return 0 if sound else 1


def _log(work: Path) -> Path:
    work.parent.mkdir(parents=True, exist_ok=True)
    return work.with_suffix(".log")


def _tell(result: campaign.Result, log: Path) -> None:
    speed = result.runs / result.seconds if result.seconds else 0.0
    line = f"{result.target:16} {result.runs:9,} runs, {speed:6,.0f} a second"
    line += f", coverage {result.coverage:5,}" if result.coverage is not None else ""
    print(f"{line}, {len(result.found) or 'no'} finding{'' if len(result.found) == 1 else 's'}", flush=True)
    for found in result.found:
        print(f"    {found.what}\n        {_shown(found.path)}, more in {_shown(log)}", flush=True)
    if result.trouble:
        print(f"    {result.trouble}: see {_shown(log)}", flush=True)


def _shown(path: Path) -> str:
    return str(path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
