"""Converts system errors, mostly file errors, to this program's errors, which say what failed, why and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from compute.errors import AtlasError

from .escape import one_line


def first_line(error: BaseException) -> str:
    """The first line of the text of `error`, or the name of its type if there is no text."""
    return one_line((str(error).splitlines() or [type(error).__name__])[0])


def reason_of(error: BaseException) -> str:
    """The system's reason for `error`, without the file name, which messages already contain, or its first line."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return one_line(error.strerror) if isinstance(error, OSError) and error.strerror else first_line(error)


@contextmanager
def read_errors_as(kind: type[AtlasError], shown: str, advice: str = "check the path") -> Iterator[None]:
    """Convert an `OSError` or ValueError of the body, which reads a file, to a `kind`. shown: the file's name."""
    try:
        yield
    except FileNotFoundError:
        raise kind(f"{shown}: there is no such file; {advice}") from None
    except PermissionError:
        raise kind(f"{shown}: may not be read by this user; change its permissions") from None
    except (OSError, ValueError) as error:
        raise kind(f"{shown}: cannot be read ({reason_of(error)}); {advice}") from None


@contextmanager
def write_errors_as(
    kind: type[AtlasError], shown: str, advice: str = "choose another path", problem: str = "cannot be written"
) -> Iterator[None]:
    """Convert an `OSError` of the body, which writes a file, to a `kind`. shown: the file's name."""
    try:
        yield
    except OSError as error:
        raise kind(f"{shown}: {problem} ({reason_of(error)}); {advice}") from error
