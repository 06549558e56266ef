"""Recordings as files in which any byte may have changed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..mutation import change_bytes
from ..scratch import folder
from ..session_base import sound, sound_version_1
from ..session_use import use_session
from ..target import Target

_HEADER_BYTES = 100


def seeds() -> Sequence[bytes]:
    """Recordings of every version, with something in every table."""
    return [sound(), sound_version_1()]


def use(data: bytes) -> None:
    """Do everything that the program does with it."""
    path = folder() / "a.atlas"
    path.write_bytes(data)
    use_session(path)


def change(data: bytes, chance: random.Random) -> bytes:
    """Change bytes of a page or its header, or replace a page by another."""
    size = int.from_bytes(data[16:18], "big")
    if size < 512 or len(data) < size:
        return change_bytes(data, chance)
    pages = [data[at : at + size] for at in range(0, len(data), size)]
    at, kind = chance.randrange(len(pages)), chance.randrange(10)
    start = _HEADER_BYTES if at == 0 else 0
    if kind == 0:
        pages[at] = chance.choice(pages)
    elif kind == 1:
        del pages[at]
    elif kind == 2:
        pages = pages[: at + 1]
    elif kind < 6:  # its kind, free blocks, cells and where they are
        head = change_bytes(pages[at][start : start + 32], chance)[:32]
        pages[at] = (pages[at][:start] + head + pages[at][start + len(head) :])[:size]
    elif kind == 6:
        pages[0] = change_bytes(pages[0][:_HEADER_BYTES], chance)[:_HEADER_BYTES] + pages[0][_HEADER_BYTES:]
    else:
        pages[at] = change_bytes(pages[at], chance)[:size].ljust(size, b"\0")
    return b"".join(pages)


TARGET = Target(use, seeds, change, longest=1 << 16, runs=150)
