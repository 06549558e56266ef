"""The entry of the program. It imports next to nothing, so that Ctrl+C ends it with one line from the start."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from contextlib import suppress

INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl+C


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 done, 1 failed, 2 bad usage, 128 + n stopped by signal n."""
    if argv is None:
        # This process is the program. What it imports stays, and looking for garbage in that again and again took a
        # tenth of a start; `command` goes on collecting when everything is imported.
        gc.disable()
    try:
        from atlas_viewer.app.interrupts import terminating

        with terminating() as termination:
            status = _run(sys.argv[1:] if argv is None else list(argv))
        return termination.exit_status or status
    except KeyboardInterrupt:
        return _stopped()


def _run(argv: list[str]) -> int:
    try:
        from .run import run

        return run(argv)
    except KeyboardInterrupt:
        return _stopped()


def _stopped() -> int:
    # After SIGHUP the terminal is gone.
    with suppress(OSError):
        if sys.stderr is not None:
            print("atlas-viewer: stopped", file=sys.stderr)
    return INTERRUPTED
