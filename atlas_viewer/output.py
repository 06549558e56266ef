"""Writing results: next to the target first, then renamed, so that a failure leaves nothing half written."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from compute.errors import OutputError


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path with the suffix of `path`; what is written there takes the place of `path` at the end.

    When the body raises, `path` is as it was and the temporary file is gone. A symbolic link stays and its target is
    replaced; a device or pipe such as /dev/stdout is written to. The body only writes the file: an `OSError` from it
    is told as this path's.

    Raises `OutputError` when the path cannot be written.
    """
    target = Path(path)
    try:
        mode = _mode_of(target)
        real = Path(os.path.realpath(target))
        renames = mode is None or stat.S_ISREG(mode)
        temporary = _reserve(real.parent if renames else Path(tempfile.gettempdir()), real)
        try:
            yield temporary
            if renames:
                if mode is not None:
                    temporary.chmod(stat.S_IMODE(mode))
                _flush(temporary)
                temporary.replace(real)
            else:
                with temporary.open("rb") as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
        finally:
            # Gone already when it was renamed.
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise OutputError(f"{_shown(target)}: cannot be written ({reason}); choose another path") from error


def atomic_write(path: Path | str, data: bytes) -> None:
    """Write `data` to `path` whole or not at all. Raises `OutputError` when it cannot be written."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def free_name(stem: str, suffix: str) -> str:
    """`stem`-1`suffix`, or the next number of which there is no file in the current folder."""
    number = 1
    while os.path.lexists(f"{stem}-{number}{suffix}"):
        number += 1
    return f"{stem}-{number}{suffix}"


def _mode_of(target: Path) -> int | None:
    """The type and permissions of what is at `target`, None when there is nothing."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        if not target.name:
            raise
        return None
    except ValueError as error:  # a null byte
        raise OSError(0, str(error)) from error
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "it is a folder")
    return mode


def _reserve(folder: Path, target: Path) -> Path:
    """An empty new file in `folder`, named after `target`: hidden, with the suffix that writers choose formats by."""
    while True:
        path = folder / f".{target.stem[:40]}.{secrets.token_hex(4)}{target.suffix[:10]}"
        try:
            # Plain 0o666: the user's umask decides, as for any file a program makes.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        except FileNotFoundError:
            raise FileNotFoundError(0, f"there is no folder {_shown(folder)}") from None
        return path


def _flush(path: Path) -> None:
    """Have the content on the disk before the name points at it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _shown(path: Path) -> str:
    """The path on one line: control characters and undecodable bytes escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(path))
