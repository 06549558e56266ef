"""The entry of the program. It imports next to nothing, so that Ctrl+C is told in a line from the first moment on."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

_INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl+C


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 done, 1 failed, 2 bad usage, 130 stopped by Ctrl+C."""
    if argv is None:
        # This process is the program. What it imports stays, and looking for garbage in that again and again took a
        # tenth of a start; `command` goes on collecting when everything is imported.
        gc.disable()
    try:
        from .command import run

        return run(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:
        if sys.stderr is not None:
            print("atlas-viewer: stopped", file=sys.stderr)
        return _INTERRUPTED
