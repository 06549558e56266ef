"""The loss of the X server: Xlib then ends the process at once, so its error handler saves what must not be lost."""

from __future__ import annotations

import ctypes
import os
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
        self._handler = _Handler(self._lost)  # keeps it alive: Xlib stores only its address
        xlib = ctypes.CDLL("libX11.so.6")
        xlib.XSetIOErrorHandler(self._handler)
        self._connection = socket.socket(fileno=os.dup(xlib.XConnectionNumber(ctypes.c_void_p(display))))

    def rescue_with(self, rescue: Callable[[], object]) -> None:
        """Let `rescue` save what must not be lost. It is called on the main thread, perhaps in the middle of a frame;
        afterwards the program reports the lost display and exits."""
        self._rescue = rescue

    def check(self) -> None:
        """Check for the server before a call that would end the process without calling Xlib's handler."""
        try:
            gone = not self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            gone = False
        except OSError:
            gone = True
        if gone:
            self._lost(None)

    def _lost(self, _display: int | None) -> int:
        # If this returned, Xlib would print its own message and call exit(); raising is impossible in a C callback.
        error = DisplayError(
            f"display {os.environ.get('DISPLAY', '')!r}: the X server has disappeared, and the window with it;"
            " start again when the server runs"
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


def _report(message: str) -> None:
    with suppress(Exception):
        print(f"atlas-viewer: {message}", file=sys.stderr, flush=True)
