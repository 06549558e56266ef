"""Ctrl+C, `kill` and a closed terminal: a command cleans up and exits; a window closes between two frames."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_TERMINATING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_BASE = 128  # shells report this plus the number of the signal that ended a program

_received: list[int] = []  # signals of _TERMINATING since `terminating` began


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP was received. Whatever stops for Ctrl+C stops for them in the same way."""


class Termination:
    """The terminating signals received while a command ran."""

    @property
    def exit_status(self) -> int | None:
        """128 + n after signal n, None without a terminating signal."""
        return _BASE + _received[0] if _received else None


@contextmanager
def terminating() -> Iterator[Termination]:
    """A context in which SIGTERM and SIGHUP raise `Terminated` in the main thread, so that cleanup runs.

    A signal that is ignored, like SIGHUP under nohup, or that already has a handler, is left alone.
    """
    _received.clear()
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
    _received.append(number)
    raise Terminated


@contextmanager
def closing(close_soon: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """A context whose value, when called, installs handlers: the first signal then calls `close_soon`, a second
    interrupts at once.

    Use it in the main thread only. close_soon: called by a signal handler, between any two instructions of the main
    thread, perhaps in the middle of a frame; it must leave the closing to the event loop. A signal that is ignored when
    the context begins (as in a background job) stays ignored. The end of the context restores all handlers, whatever
    the event loop has installed.
    """

    def handle(number: int, _frame: Any) -> None:
        if number in _TERMINATING:
            _received.append(number)
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
