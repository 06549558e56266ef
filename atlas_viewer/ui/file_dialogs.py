"""The desktop's own file dialogs: opened by a click and polled once per frame, without waiting.

One dialog is open at a time. On Linux, portable_file_dialogs runs a helper program for each; without one, there are no
dialogs, and `problem` says why. Every path can also be typed.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from imgui_bundle import portable_file_dialogs

_HELPERS = ("zenity", "matedialog", "qarma", "kdialog")  # in the order in which portable_file_dialogs looks for them
_ALL = ("All files", "*")
MODELS = ("Models", "*.bin *.safetensors")
RECORDINGS = ("Recordings", "*.atlas")
VIDEOS = ("Videos", "*.mp4 *.mkv *.webm")
PICTURES = ("Pictures", "*.png")
ARRAYS = ("Arrays", "*.npy *.npz *.safetensors")

Filter = tuple[str, str]  # a name for the files, and their patterns separated by spaces


class Dialog(Protocol):
    """A dialog of portable_file_dialogs."""

    def ready(self, timeout: int) -> bool:
        """True once the user has closed it. timeout: milliseconds to wait for that."""

    def result(self) -> str | list[str]:
        """The path or paths, empty after Cancel. Waits until the dialog is closed."""

    def kill(self) -> bool:
        """Close it without a result."""


@dataclass
class _Open:
    """The dialog on screen."""

    dialog: Dialog
    take: Callable[[str], None]


_open: _Open | None = None


@functools.cache
def problem() -> str:
    """Why there are no file dialogs, as shown to the user; empty where there are."""
    if sys.platform != "linux":
        return ""
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        return "No file dialogs: there is no desktop. Type the path."
    if not any(map(shutil.which, _HELPERS)):
        return f"No file dialogs: none of {', '.join(_HELPERS)} is installed. Install one, or type the path."
    return ""


def choose(title: str, start: str, kind: Filter, take: Callable[[str], None]) -> None:
    """Let the user choose an existing file. Do nothing while another dialog is open.

    start: the file or folder to begin with; take: called by `poll` with the path, but not after Cancel.
    """
    _show(lambda: portable_file_dialogs.open_file(title, _start(start), [*kind, *_ALL]), take)


def choose_new(title: str, start: str, kind: Filter, take: Callable[[str], None], *, replace: bool) -> None:
    """Let the user name a file to write; otherwise like `choose`. replace: ask before choosing an existing file."""
    options = portable_file_dialogs.opt.none if replace else portable_file_dialogs.opt.force_overwrite
    _show(lambda: portable_file_dialogs.save_file(title, _start(start), [*kind, *_ALL], options), take)


def poll() -> None:
    """Pass on the path once the user has chosen one. Call it in every frame; it never waits."""
    global _open
    if _open is None or not _open.dialog.ready(0):
        return
    closed, _open = _open, None
    result = closed.dialog.result()
    path = result if isinstance(result, str) else next(iter(result), "")
    if path:
        closed.take(path)


def pending() -> bool:
    """True while a dialog is open, so that `poll` must be called again."""
    return _open is not None


def close() -> None:
    """Close an open dialog without a result; otherwise the program would wait for it before ending."""
    global _open
    if _open is not None:
        _open.dialog.kill()
        _open = None


def _show(make: Callable[[], Dialog], take: Callable[[str], None]) -> None:
    global _open
    if _open is None and not problem():
        _open = _Open(make(), take)


def _start(path: str) -> str:
    """`path` made absolute: helpers start in their own folders."""
    return str(Path(path).expanduser().absolute())
