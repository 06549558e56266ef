"""The entry point. It imports almost nothing, so that from the start Ctrl+C ends the program with one line."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from contextlib import suppress

INTERRUPTED = 130  # the exit status that shells use after Ctrl+C


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 success, 1 failure, 2 usage error, 128 + n for signal n."""
    if argv is None:
        # The process runs only this program. Garbage collection during imports took a tenth of the startup time, and
        # imports leave no garbage. `run` enables the collector again once everything has been imported.
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
    # After an interrupt inside `exec`, which dataclasses use, Python would end this process by the signal even now.
    # Another `exec` makes it forget that.
    exec("")
    # After SIGHUP the terminal is gone.
    with suppress(OSError):
        if sys.stderr is not None:
            print("atlas-viewer: stopped", file=sys.stderr)
    return INTERRUPTED
