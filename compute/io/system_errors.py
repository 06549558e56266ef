"""Errors of the system, the file system above all, as errors of this program: what failed, why, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from compute.errors import AtlasError

from .escape import one_line


def first_line(error: BaseException) -> str:
    """The first line of the text of `error`; the name of its type when it has no text."""
    return one_line((str(error).splitlines() or [type(error).__name__])[0])


def reason_of(error: BaseException) -> str:
    """Why the system refused something, for a message that already names the file; else the first line of `error`."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return one_line(error.strerror) if isinstance(error, OSError) and error.strerror else first_line(error)


@contextmanager
def read_errors_as(kind: type[AtlasError], shown: str, advice: str = "check the path") -> Iterator[None]:
    """Raise an `OSError` or ValueError of the body, which reads the file that messages call `shown`, as a `kind`."""
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
    """Raise an `OSError` of the body, which writes the file that messages call `shown`, as a `kind`."""
    try:
        yield
    except OSError as error:
        raise kind(f"{shown}: {problem} ({reason_of(error)}); {advice}") from error
