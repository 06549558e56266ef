"""Standard output and standard error, whatever they are: a terminal, a full disk, a reader that went away, closed."""

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

_KEPT = "\n\t"  # what a terminal does with these is what a reader expects


class _Output:
    """Standard output that tells its own failures, so that none is mistaken for that of another file.

    On a terminal, control characters in what is written are spelled out: text of a model, a session or a file name must
    not be able to move the cursor or rename the window. A pipe or a file gets the text as it is.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._terminal = stream is not None and stream.isatty()
        self.failed = False

    def write(self, text: str) -> int:
        """As of a text stream. Raises `OutputError`; BrokenPipeError when the reader went away."""
        with self._telling():
            return self._open().write(escaped(text, _KEPT) if self._terminal else text)

    def flush(self) -> None:
        """As of a text stream; raises what `write` does."""
        if self._stream is not None:  # nothing was written to it
            with self._telling():
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._open(), name)

    def _open(self) -> TextIO:
        if self._stream is None:
            raise OutputError("standard output: cannot be written (it is closed); leave it open or send it to a file")
        return self._stream

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            self.failed = True
            raise
        except OSError as error:
            self.failed = True
            raise OutputError(f"standard output: cannot be written ({reason_of(error)}); free its disk") from None


class _Errors:
    """Standard error, with control characters spelled out whoever writes: a message, a traceback, a library."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """As of a text stream."""
        return self.stream.write(escaped(text, _KEPT))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def complain(message: object) -> None:
    """One line on standard error: what went wrong and what to do."""
    print(f"atlas-viewer: {one_line(str(message))}", file=sys.stderr)


def note(message: object) -> None:
    """One line on standard error: what the user should know, though nothing went wrong."""
    print(f"note: {one_line(str(message))}", file=sys.stderr)


def progress_stream() -> TextIO:
    """Standard error for a progress bar, which has to move the cursor; whoever writes to it escapes foreign text."""
    return sys.stderr.stream if isinstance(sys.stderr, _Errors) else sys.stderr


@contextmanager
def standard_streams() -> Iterator[None]:
    """Inside it both can be printed to, and a failure of standard output is an `OutputError`."""
    _fill_gaps()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows another in its place, rather than ending the program.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    output = _Output(sys.stdout)
    with open(os.devnull, "w") as nowhere:
        errors = nowhere if sys.stderr is None else sys.stderr
        # print() takes standard output for an error stream that is None.
        with redirect_stdout(cast(TextIO, output)), redirect_stderr(cast(TextIO, _Errors(errors))):
            try:
                yield
            finally:
                if output.failed:
                    # The interpreter's last flush goes nowhere: it would fail, and tell so, once more.
                    os.dup2(nowhere.fileno(), output.fileno())


def _fill_gaps() -> None:
    """Put the null device in the place of closed streams: else the next files opened would get their numbers, and what
    a driver prints would end up in one of them."""
    with suppress(OSError):
        for number in range(3):
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
