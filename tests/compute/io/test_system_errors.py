"""Errors of the system become errors of this program, on one line, with what to do."""

from __future__ import annotations

import errno

import pytest

from compute.errors import OutputError, TourError
from compute.io.system_errors import first_line, read_errors_as, reason_of, write_errors_as


@pytest.mark.parametrize(
    ("error", "first", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left", "/a"), "[Errno 28] No space left: '/a'", "No space left"),
        (OSError("no library"), "no library", "no library"),
        (ValueError("one\ntwo"), "one", "one"),
        (ValueError("a\x1b[2J"), r"a\x1b[2J", r"a\x1b[2J"),
        (RuntimeError(), "RuntimeError", "RuntimeError"),
    ],
)
def test_an_error_in_a_few_words(error: Exception, first: str, reason: str) -> None:
    assert (first_line(error), reason_of(error)) == (first, reason)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file"), "a.jsonl: there is no such file; give a tour file"),
        (PermissionError(errno.EACCES, "Denied"), "a.jsonl: may not be read by this user; change its permissions"),
        (OSError(errno.EISDIR, "Is a directory"), "a.jsonl: cannot be read (Is a directory); give a tour file"),
        (ValueError("null byte"), "a.jsonl: cannot be read (null byte); give a tour file"),
        (
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
            "a.jsonl: cannot be read (it is not UTF-8); give a tour file",
        ),
    ],
)
def test_reading(error: Exception, message: str) -> None:
    with pytest.raises(TourError) as caught, read_errors_as(TourError, "a.jsonl", "give a tour file"):
        raise error
    assert str(caught.value) == message
    assert caught.value.__cause__ is None


def test_writing_passes_on_what_is_no_error_of_the_system() -> None:
    error = OSError(errno.ENOSPC, "No space left")
    with pytest.raises(OutputError) as caught, write_errors_as(OutputError, "a"):
        raise error
    assert str(caught.value) == "a: cannot be written (No space left); choose another path"
    assert caught.value.__cause__ is error
    with pytest.raises(ValueError, match="shape"), write_errors_as(OutputError, "a"):
        raise ValueError("shape")
