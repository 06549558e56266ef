"""Stops commands in the middle of their work: `python command_stopper.py FOLDER [NAME...]` prints how each ended.

One process forks each command, so that imports are paid once. A command pauses at a call in the middle of its
writing; then the signal is sent. FOLDER has a model `m.bin` and a recording `a.atlas`. Without names it stops
every command. One line of JSON: for each command and signal the exit status, what was on standard error, and what was
in the folder that it wrote to.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from atlas_viewer.cli.main import main as program

from helpers.patience import PATIENCE_S, wait_until

# Name, arguments, and the function and the call of it where the command pauses.
COMMANDS: dict[str, tuple[str, str, int]] = {
    "convert": ("models convert {m} {out}/x.bin", "compute.weights.llmc:_write_tensor", 3),
    "convert to a folder": ("models convert {m} {out}/x", "compute.weights.convert:_safetensors_header", 1),
    "video": (
        "session export {a} --model {m} --video {out}/x.mp4 --size 64x36",
        "atlas_viewer.media.video:Encoder.add",
        2,
    ),
    "pictures": ("session export {a} --model {m} --png {out} --size 64x36", "atlas_viewer.media.png:png", 2),
    "render": ("render Hi -n 1 --context 8 --model {m} --out {out}/x.png", "compute.io.output_files:sync", 1),
    "record": (
        "session record Hi -n 5 --context 8 --model {m} --out {out}/x.atlas",
        "atlas_viewer.recording.recorder:Recorder.step",
        3,
    ),
}
EARLIER = ("step-000001.png", "x.bin")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def at_call(where: str, call: int, then: Callable[[], object]) -> Callable[[], None]:
    """Have the n-th call of a function begin with `then`; returns a function that undoes it."""
    module, _, name = where.partition(":")
    owner: Any = importlib.import_module(module)
    *parts, last = name.split(".")
    for part in parts:
        owner = getattr(owner, part)
    before, calls = getattr(owner, last), []

    def counted(*arguments: Any, **others: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            then()
        return before(*arguments, **others)

    setattr(owner, last, counted)
    return lambda: setattr(owner, last, before)


def prepare(out: Path) -> None:
    """A folder that already contains files."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for name in EARLIER:
        (out / name).write_text("earlier")


def found(out: Path) -> dict[str, str]:
    """The names of everything in the folder, and the content of the files that were there before."""
    return {path.name: path.read_text() if path.name in EARLIER else "" for path in out.iterdir()}


def arguments(line: str, folder: Path) -> list[str]:
    """The arguments of a command, with paths of `folder`."""
    return line.format(m=folder / "m.bin", a=folder / "a.atlas", out=folder / "out").split()


def stop_one(folder: Path, name: str, sent: signal.Signals) -> dict[str, Any]:
    """Run a command, send it a signal when it pauses, and report how it ended."""
    line, where, call = COMMANDS[name]
    out, mark, errors = folder / "out", folder / "mark", folder / "errors"
    prepare(out)
    mark.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        for number, path in ((1, os.devnull), (2, str(errors))):
            os.dup2(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), number)
        at_call(where, call, lambda: (mark.touch(), time.sleep(2 * PATIENCE_S)))
        sys.exit(program(arguments(line, folder)))
    wait_until(mark.exists, lambda: f"{name} is where it is to be stopped: {errors.read_text()}")
    during = sorted(path.name for path in out.iterdir())
    os.kill(child, sent)
    _, status = os.waitpid(child, 0)
    return {
        "command": name,
        "signal": sent.name,
        "status": os.waitstatus_to_exitcode(status),
        "errors": errors.read_text(),
        "during": during,
        "after": found(out),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    names = sys.argv[2:] or COMMANDS
    print(json.dumps([stop_one(folder, name, sent) for name in names for sent in SIGNALS]))


if __name__ == "__main__":
    main()
