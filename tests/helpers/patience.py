"""Waiting in tests: for an event, never for a fixed time.

`PATIENCE_S` ends a test that hangs. It is no promise about the machine: whatever a test waits for may take as long as
it takes, next to other programs too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 600.0
_PAUSE_S = 0.05  # between two checks
_AGAIN_S = 3.0  # after which an input first counts as lost; twice as long each time, for a machine that is only slow

T = TypeVar("T")


def nap() -> None:
    """Pause between two checks, when nothing has to be driven meanwhile."""
    time.sleep(_PAUSE_S)


def wait_until(
    check: Callable[[], T],
    what: str | Callable[[], str],
    *,
    meanwhile: Callable[[], object] = nap,
    repeat: Callable[[], object] | None = None,
) -> T:
    """Call `check` until its result is true, and return that.

    what: for the message when it never comes about; meanwhile: done between two checks; repeat: an input that a busy
    machine may lose: given at once, and again when nothing came of it, so it must do no harm when it comes twice.
    """
    end = time.monotonic() + PATIENCE_S
    again, pause = time.monotonic(), _AGAIN_S
    while not (found := check()):
        now = time.monotonic()
        if now > end:
            raise AssertionError(f"not within {PATIENCE_S:.0f} s: {what if isinstance(what, str) else what()}")
        if repeat is not None and now >= again:
            repeat()
            again, pause = time.monotonic() + pause, 2 * pause
        meanwhile()
    return found
