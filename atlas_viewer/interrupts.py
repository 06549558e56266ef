"""Ctrl+C and `kill` close a window as its close button does: between two frames, never within one."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def closing(close_soon: Callable[[], object]) -> Iterator[None]:
    """While the context lasts, the first signal calls `close_soon`; a second one interrupts at once.

    close_soon: called from a signal handler, that is between any two instructions of the main thread, perhaps in the
    middle of a frame; it must leave the closing to the event loop. Only from the main thread. A signal that is ignored
    when the context begins (as in a job in the background) stays ignored.
    """

    def handle(number: int, _frame: Any) -> None:
        signal.signal(number, signal.default_int_handler)
        close_soon()

    before = {number: signal.getsignal(number) for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
