"""Writing a file, or the files of a folder, whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
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


@contextmanager
def whole_folder(path: Path, shown: str) -> Iterator[Path]:
    """Give a new folder, whose files are at `path` at the end; when the body raises it is gone instead.

    Where there is a folder at `path`, it keeps what is in it, but for files of the same names. Folders above are made,
    at the end. Raises `OutputError`, which begins with `shown`, for an `OSError` of the body too.
    """
    above = path
    while not os.path.isdir(above):
        if os.path.lexists(above):
            raise OutputError(f"{shown}: cannot be written ({above.name} is no folder); choose another path")
        above = above.parent
    part = above / f".{secrets.token_hex(8)}.part"
    try:
        try:
            part.mkdir()
            yield part
            if above == path:
                for file in sorted(part.iterdir()):
                    file.replace(path / file.name)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                part.replace(path)
        finally:
            # Gone already when it was renamed.
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"{shown}: cannot be written ({error.strerror}); choose another path") from None
