"""The verdict on one input: accepted, refused with a one-line error, or neither of them, which is a finding."""

from __future__ import annotations

import os
import resource
import time
import traceback
import unicodedata
from pathlib import Path

from .target import PACKAGES, Refused, Target

_SECONDS = 5.0  # of processor time, which does not depend on other processes
_MEGABYTES = 256  # that one input may add to the peak memory of the process
_LONGEST_LINE = 2000  # maximum length of a message, in characters
_ROOT = Path(__file__).parents[2]


class Finding(Exception):
    """The program mishandled an input. `place` is the same for all findings of one defect."""

    def __init__(self, what: str, place: str, details: str) -> None:
        super().__init__(what)
        self.what, self.place, self.details = what, place, details


def check(target: Target, data: bytes) -> bool:
    """True if `target` accepts `data`, False if it refuses it. Raises `Finding`."""
    size, descriptors, start = _peak_megabytes(), _descriptors(), time.process_time()
    try:
        target.use(data)
        taken = True
    except Refused as refused:
        _check_line(refused.error)
        taken = False
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in a Rust library is not an `Exception`
        raise Finding(_outline(error), f"{type(error).__name__} {_place(error)}", _trace(error)) from None
    seconds, grown = time.process_time() - start, _peak_megabytes() - size
    if seconds > _SECONDS:
        raise Finding(f"it takes {seconds:.1f} s of processor time", "time", "")
    if grown > _MEGABYTES:
        raise Finding(f"it takes {grown:.0f} MB of memory", "memory", "")
    if _descriptors() > descriptors:
        raise Finding("it leaves a file open", "descriptors", "")
    return taken


def _check_line(error: Exception) -> None:
    text = str(error)
    harmful = [character for character in text if _is_harmful(character)]
    if not text or harmful or len(text) > _LONGEST_LINE:
        what = f"has {harmful[0]!r} in it" if harmful else "is empty" if not text else f"has {len(text)} characters"
        raise Finding(f"the message {what}: {text[:300]!r}", f"message {_place(error)}", _trace(error))


def _is_harmful(character: str) -> bool:
    """True for what controls a terminal, ends a line or is not a character. Emoji and some scripts need joiners."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in "\u200c\u200d"


def _outline(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]!r}"


def _place(error: BaseException) -> str:
    """The innermost line of this project's sources in the error's traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename)]
    return f"{Path(frames[-1].filename).relative_to(_ROOT)}:{frames[-1].lineno}" if frames else ""


def _is_own(name: str) -> bool:
    path = Path(name)
    return path.is_relative_to(_ROOT) and path.relative_to(_ROOT).parts[0] in (*PACKAGES, "tests")


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _peak_megabytes() -> float:
    """The peak memory of this process so far."""
    try:
        with open("/proc/self/status", "rb") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(b"VmHWM")) / 1024
    except OSError:  # macOS, which counts in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _descriptors() -> int:
    return len(os.listdir("/dev/fd"))
