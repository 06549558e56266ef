"""Handles Ctrl+C, `kill` and a closed terminal: a command cleans up and exits; a window closes between frames."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_TERMINATING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_BASE = 128  # when a signal ends a program, shells report this plus the signal's number
_LATER_S = 0.02

_received: list[int] = []  # signals of _TERMINATING since `terminating` began


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP was received. Whatever stops on Ctrl+C stops on them, too."""


class Termination:
    """The terminating signals received while a command was running."""

    @property
    def exit_status(self) -> int | None:
        """128 + n after signal n, or None if no terminating signal was received."""
        return _BASE + _received[0] if _received else None


@contextmanager
def terminating() -> Iterator[Termination]:
    """A context in which SIGTERM and SIGHUP raise `Terminated` in the main thread, so that cleanup code runs.

    A signal that is ignored, like SIGHUP under nohup, or that already has a handler is left alone. Where these signals
    and Ctrl+C would do harm, they arrive a little later.
    """
    _received.clear()
    changed: dict[int, Any] = {}
    usual = {signal.SIGINT: signal.default_int_handler} | dict.fromkeys(_TERMINATING, signal.SIG_DFL)
    try:
        if threading.current_thread() is threading.main_thread():
            for number, handler in usual.items():
                if signal.getsignal(number) == handler:
                    changed[number] = handler
                    signal.signal(number, _end)
        yield Termination()
    finally:
        for number, handler in changed.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    """The handler of all signals that end a command."""
    if not _may_raise(frame):
        timer = threading.Timer(_LATER_S, _send, (number,))
        timer.daemon = True
        timer.start()
    elif number in _TERMINATING:
        _received.append(number)
        raise Terminated
    else:
        raise KeyboardInterrupt


def _send(number: int) -> None:
    if hasattr(signal, "pthread_kill"):  # also ends a system call of the main thread
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        _thread.interrupt_main(signal.Signals(number))


def _may_raise(frame: FrameType | None) -> bool:
    """False where the exception would do harm.

    In a callback of wgpu, cffi prints it and continues without the result. While imgui_bundle is imported, its
    extension module aborts the process.
    """
    while frame is not None:
        package, name = str(frame.f_globals.get("__name__")).partition(".")[0], frame.f_code.co_name
        if (package == "wgpu" and name.endswith("callback")) or (package == "imgui_bundle" and name == "<module>"):
            return False
        frame = frame.f_back
    return True


@contextmanager
def closing(close_soon: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """A context whose value is a function that installs handlers: from then on the first signal calls `close_soon`, and
    the second interrupts at once.

    Use it only in the main thread. close_soon: called by a signal handler between any two instructions of the main
    thread, perhaps in the middle of a frame, so it must leave the closing to the event loop. A signal that is ignored
    when the context begins (as in a background job) stays ignored. Leaving the context restores all handlers, whatever
    the event loop has installed.
    """

    def handle(number: int, _frame: Any) -> None:
        if number in _TERMINATING:
            _received.append(number)
        signal.signal(number, _end)
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
