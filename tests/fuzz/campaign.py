"""Runs one target for a time or a number of inputs, in a process of its own, and collects the result."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import scratch
from .target import FOLDER, finding_path, findings

GUIDED = importlib.util.find_spec("atheris") is not None
"""Whether coverage guides the choice of inputs. Atheris is not available for every system and every Python."""


@dataclass(frozen=True)
class Found:
    """A finding: what happened, and the input that causes it."""

    what: str
    path: Path


@dataclass(frozen=True)
class Result:
    """The result of one target. coverage: number of branches reached, None when they are not counted."""

    target: str
    runs: int
    seconds: float
    coverage: int | None
    found: tuple[Found, ...]
    trouble: str  # why the target could not be run to the end, although nothing was found

    @property
    def sound(self) -> bool:
        """True when everything was run and nothing was found."""
        return not self.found and not self.trouble


def run(
    name: str,
    *,
    seconds: int | None = None,
    runs: int | None = None,
    seed: int,
    work: Path,
    log: Path,
    guided: bool = GUIDED,
    places: Path | None = None,
) -> Result:
    """Run the target of that name for a number of seconds or inputs; at least one of the two must be given.

    work: a folder, where inputs that reach more are kept for the next time; log: a file for what the target's process
    says; places: the folder for findings, by default that of the repository.
    """
    places = places or findings(name)
    work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fuzz.worker", name, f"--seed={seed}", f"--work={work}", f"--findings={places}"]
    command += [f"--seconds={seconds}"] if seconds else []
    command += [f"--runs={runs}"] if runs else []
    command += [] if guided else ["--plain"]
    folder = Path(tempfile.mkdtemp(prefix="atlas-fuzz-", dir=scratch.parent_folder()))
    start = time.monotonic()
    try:
        with log.open("wb") as errors:
            done = subprocess.run(
                command,
                cwd=FOLDER.parents[1],
                env=_environment(folder),
                stdout=subprocess.PIPE,
                stderr=errors,
                check=False,
            )
        took = time.monotonic() - start
        found = [Found(report["what"], Path(report["path"])) for report in map(json.loads, _lines(done.stdout))]
        found += [Found(_death(path, done.returncode), _kept(path, places)) for path in folder.rglob("artifact-*")]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    said = log.read_text(errors="replace")
    reached = re.findall(r"\bcov: (\d+)", said)
    count = re.findall(r"^stat::number_of_executed_units: +(\d+)", said, re.MULTILINE) or re.findall(
        r"^#(\d+)\t", said, re.M
    )
    trouble = "" if done.returncode == 0 or found else f"its process ended with status {done.returncode}"
    return Result(
        name, int(count[-1]) if count else 0, took, int(reached[-1]) if reached else None, tuple(found), trouble
    )


def _environment(folder: Path) -> dict[str, str]:
    paths = [str(FOLDER.parent), str(FOLDER.parents[1]), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        scratch.VARIABLE: str(folder),
        "ATLAS_VIEWER_CONFIG": str(folder),
        # Temporary files of the program, such as copies of sessions, go with the folder.
        "TMPDIR": str(folder),
    }


def _lines(text: bytes) -> list[bytes]:
    return [line for line in text.splitlines() if line.startswith(b'{"what"')]


def _death(artifact: Path, status: int) -> str:
    kind = artifact.name.removeprefix("artifact-").partition("-")[0]
    says = {"timeout": "it takes too long", "oom": "it takes too much memory", "crash": "it ends the process"}
    return says.get(kind, f"it ends the process (status {status})")


def _kept(artifact: Path, places: Path) -> Path:
    data = artifact.read_bytes()
    path = finding_path(places, data)
    path.write_bytes(data)
    return path
