"""How much processor time an unsound file may cost, whatever else the machine does meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from atlas_viewer.recording import safe_open


class Limit:
    """How much processor time an unsound file may cost: as much as a query may take, and many times what a sound one
    costs here."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.slowest = 0.0
        action()  # what is made once is no cost of a file
        with self.kept():
            action()
        self._most = safe_open._PATIENCE_S + 100 * self.slowest

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Measures what the context costs."""
        start = time.thread_time()
        yield
        self.slowest = max(self.slowest, time.thread_time() - start)

    def check(self) -> None:
        """Raise AssertionError when one cost more."""
        assert self.slowest < self._most
