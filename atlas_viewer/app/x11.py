"""Handles the loss of the X server: Xlib would end the process at once, so an error handler first saves what must not
be lost."""

from __future__ import annotations

import ctypes
import os
import select
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

from compute.errors import DisplayError

_Handler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class LostDisplay:
    """Saves, reports and exits when the X server disappears."""

    def __init__(self, display: int) -> None:
        """display: Xlib's pointer to an open connection."""
        self._rescue: Callable[[], object] = lambda: None
        self._handler = _Handler(self._lost)  # kept alive here: Xlib stores only its address
        xlib = ctypes.CDLL("libX11.so.6")
        xlib.XSetIOErrorHandler(self._handler)
        self._connection = socket.socket(fileno=os.dup(xlib.XConnectionNumber(ctypes.c_void_p(display))))

    def rescue_with(self, rescue: Callable[[], object]) -> None:
        """Set `rescue` as the function that saves what must not be lost.

        It is called on the main thread, perhaps in the middle of a frame; then the program reports the lost display and
        exits.
        """
        self._rescue = rescue

    def check(self) -> None:
        """Check that the server still exists, before a call that would end the process without calling the handler."""
        if hung_up(self._connection):
            self._lost(None)

    def _lost(self, _display: int | None) -> int:
        # If this returned, Xlib would print its own message and call exit(). A C callback cannot raise an exception.
        error = DisplayError(
            f"display {os.environ.get('DISPLAY', '')!r}: the X server has disappeared, and the window with it;"
            " start again once the server is running"
        )
        rescue, self._rescue = self._rescue, lambda: None  # once, even if it fails
        try:
            rescue()
        except Exception as failure:
            _report(f"{type(failure).__name__}: {failure}")
        finally:
            _report(str(error))
            with suppress(Exception):
                sys.stdout.flush()
            os._exit(error.exit_status)


def hung_up(connection: socket.socket) -> bool:
    """Whether the other end of a connection has closed it, even if there is data that nobody has read yet."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)  # POLLHUP and POLLERR are always reported
    return bool(poll.poll(0))


def _report(message: str) -> None:
    with suppress(Exception):
        print(f"atlas-viewer: {message}", file=sys.stderr, flush=True)
