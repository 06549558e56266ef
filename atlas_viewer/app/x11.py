"""An X server that goes away: Xlib then ends the process on the spot, so what matters is saved from within its call."""

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
    """What is done when the X server of this process goes away."""

    def __init__(self, display: int) -> None:
        """display: Xlib's pointer to an open connection."""
        self._rescue: Callable[[], object] = lambda: None
        self._handler = _Handler(self._lost)  # Xlib has only its address
        xlib = ctypes.CDLL("libX11.so.6")
        xlib.XSetIOErrorHandler(self._handler)
        self._connection = socket.socket(fileno=os.dup(xlib.XConnectionNumber(ctypes.c_void_p(display))))

    def rescue_with(self, rescue: Callable[[], object]) -> None:
        """Let `rescue` save what there is. It may be called in the middle of a frame, on the main thread, and is the
        last thing that runs: then the program reports the lost display and ends."""
        self._rescue = rescue

    def check(self) -> None:
        """Look whether the server is there still, before something that would end the process without Xlib's notice."""
        try:
            gone = not self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            gone = False
        except OSError:
            gone = True
        if gone:
            self._lost(None)

    def _lost(self, _display: int | None) -> int:
        # Xlib would print a message of its own and call exit() when this returns; raising is not possible here.
        error = DisplayError(
            f"display {os.environ.get('DISPLAY', '')!r}: the X server is gone, and the window with it;"
            " start again once it runs"
        )
        rescue, self._rescue = self._rescue, lambda: None  # once, whatever happens in it
        try:
            rescue()
        except Exception as failure:
            _tell(f"{type(failure).__name__}: {failure}")
        finally:
            _tell(str(error))
            with suppress(Exception):
                sys.stdout.flush()
            os._exit(error.exit_status)


def _tell(message: str) -> None:
    with suppress(Exception):
        print(f"atlas-viewer: {message}", file=sys.stderr, flush=True)
