"""A limit on the processor time for a damaged file, independent of other processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from atlas_viewer.recording import safe_open


class Limit:
    """The limit for a damaged file: the time allowed for one query plus many times what a sound file takes here."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.slowest = 0.0
        action()  # one-time setup must not count toward a file's cost
        with self.kept():
            action()
        self._most = safe_open._PATIENCE_S + 100 * self.slowest

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Measure the processor time of the context."""
        start = time.thread_time()
        yield
        self.slowest = max(self.slowest, time.thread_time() - start)

    def check(self) -> None:
        """Raise AssertionError if any measured action took longer than the limit."""
        assert self.slowest < self._most
