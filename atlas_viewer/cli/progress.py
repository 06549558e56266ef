"""Progress bars on standard error, shown only if it is a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

from compute.io.escape import one_line

from .streams import progress_stream

T = TypeVar("T")


def bytes_bar(name: str, total: int) -> tqdm[Any]:
    """A bar that counts bytes; it disappears at the end."""
    shown = one_line(name)
    return tqdm(total=total, desc=shown, unit="B", unit_scale=True, disable=None, leave=False, file=progress_stream())


def counted(items: Iterable[T], total: int, unit: str) -> Iterator[T]:
    """Yield `items` while a bar counts them."""
    yield from tqdm(items, total=total, unit=f" {unit}", disable=None, file=progress_stream())


@contextlib.contextmanager
def copies_bar() -> Iterator[Callable[[int, int], None]]:
    """A bar for copies of a text that run; yields a function that takes how many have run, and of how many."""
    with tqdm(total=0, unit=" copies", disable=None, leave=False, file=progress_stream()) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress
