"""Standard output and standard error in every condition: on a terminal, on a full disk, without a reader, or closed."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

from compute.errors import OutputError
from compute.io.escape import escaped, one_line
from compute.io.system_errors import reason_of

_KEPT = "\n\t"  # a terminal shows these as expected


class _Output:
    """Standard output that names itself in its errors, so that none is mistaken for the failure of another file.

    On a terminal, control characters are escaped: text from a model, a recording or a file name must not move the
    cursor or rename the window. A pipe or a file receives the text unchanged.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._terminal = stream is not None and stream.isatty()
        self.failed = False

    def write(self, text: str) -> int:
        """Like `TextIO.write`. Raises `OutputError`, or BrokenPipeError if the reader is gone."""
        with self._named_failures():
            return self._open().write(escaped(text, _KEPT) if self._terminal else text)

    def flush(self) -> None:
        """Like `TextIO.flush`. Raises the same errors as `write`."""
        if self._stream is not None:  # if it is None, nothing was written
            with self._named_failures():
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._open(), name)

    def _open(self) -> TextIO:
        if self._stream is None:
            raise OutputError("standard output: cannot be written to (it is closed); open it or redirect it to a file")
        return self._stream

    @contextmanager
    def _named_failures(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            self.failed = True
            raise
        except OSError as error:
            self.failed = True
            raise OutputError(
                f"standard output: cannot be written to ({reason_of(error)}); free some disk space"
            ) from None


class _Errors:
    """Standard error with control characters escaped, whether they come from a message, a traceback or a library."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Like `TextIO.write`."""
        return self.stream.write(escaped(text, _KEPT))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def complain(message: object) -> None:
    """Print one line on standard error that says what went wrong and what to do."""
    print(f"atlas-viewer: {one_line(str(message))}", file=sys.stderr)


def note(message: object) -> None:
    """Print one line on standard error with something the user should know even though nothing went wrong."""
    print(f"note: {one_line(str(message))}", file=sys.stderr)


def progress_stream() -> TextIO:
    """Standard error for a progress bar, which must move the cursor. Callers escape untrusted text."""
    return sys.stderr.stream if isinstance(sys.stderr, _Errors) else sys.stderr


@contextmanager
def standard_streams() -> Iterator[None]:
    """A context in which both streams can be written to, and a failure of standard output raises `OutputError`."""
    _fill_gaps()
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal cannot show is replaced instead of ending the program.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    output = _Output(sys.stdout)
    with open(os.devnull, "w") as nowhere:
        errors = nowhere if sys.stderr is None else sys.stderr
        # If sys.stderr were None, print(file=sys.stderr) would write to standard output.
        with redirect_stdout(cast(TextIO, output)), redirect_stderr(cast(TextIO, _Errors(errors))):
            try:
                yield
            finally:
                if output.failed:
                    # Send the interpreter's last flush to the null device; otherwise it would fail and be reported
                    # again.
                    os.dup2(nowhere.fileno(), output.fileno())


def _fill_gaps() -> None:
    """Open the null device for each closed standard stream.

    Otherwise the next files to be opened would get these descriptors, and a driver's output would end up in them.
    """
    with suppress(OSError):
        for number in range(3):
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor
