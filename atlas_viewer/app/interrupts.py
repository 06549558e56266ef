"""Ctrl+C, `kill` and a closed terminal: a command cleans up and ends; a window closes between two frames."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_TERMINATING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_BASE = 128  # what a shell adds to the number of the signal that ended a program

_came: list[int] = []  # signals of _TERMINATING, since `terminating` began


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP came. What stops for Ctrl+C stops for them in the same way."""


class Termination:
    """What came while a command ran."""

    @property
    def exit_status(self) -> int | None:
        """128 + n after signal n, None when no terminating signal came."""
        return _BASE + _came[0] if _came else None


@contextmanager
def terminating() -> Iterator[Termination]:
    """Inside it SIGTERM and SIGHUP raise `Terminated` in the main thread, so that everything open is cleaned up.

    A signal that is ignored, as SIGHUP under nohup, or that has a handler already, stays as it is.
    """
    _came.clear()
    changed: list[int] = []
    try:
        if threading.current_thread() is threading.main_thread():
            for number in _TERMINATING:
                if signal.getsignal(number) == signal.SIG_DFL:
                    changed.append(number)
                    signal.signal(number, _terminate)
        yield Termination()
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


def _terminate(number: int, _frame: Any) -> None:
    _came.append(number)
    raise Terminated


@contextmanager
def closing(close_soon: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Give a function that begins it: from then on the first signal calls `close_soon`, a second interrupts at once.

    close_soon: called from a signal handler, that is between any two instructions of the main thread, perhaps in the
    middle of a frame; it must leave the closing to the event loop. Only from the main thread. A signal that is ignored
    when the context begins (as in a job in the background) stays ignored. At the end of the context all handlers are
    those of its beginning, whatever the event loop has set.
    """

    def handle(number: int, _frame: Any) -> None:
        if number in _TERMINATING:
            _came.append(number)
        signal.signal(number, _terminate if number in _TERMINATING else signal.default_int_handler)
        close_soon()

    def begin() -> None:
        for number in before:
            signal.signal(number, handle)

    numbers = (signal.SIGINT, *_TERMINATING)
    before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield begin
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
