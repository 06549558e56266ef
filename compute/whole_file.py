"""Writing a file whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .errors import OutputError


@contextmanager
def whole_file(path: Path, shown: str) -> Iterator[IO[bytes]]:
    """Give a new file next to `path` that takes its place at the end; when the body raises it is gone instead.

    Raises `OutputError`, which begins with `shown`, for an `OSError` of the body too.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        try:
            with part.open("xb") as file:
                yield file
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{shown}: cannot be written ({error.strerror}); choose another place") from None
