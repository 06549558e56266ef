"""Work that is done in steps between frames, with a request that follows it."""

from __future__ import annotations

from atlas_viewer.state.requests import Request
from atlas_viewer.state.state import State
from compute.gpu.loading import Loading


class PendingWork:
    """Growing the context, or measuring an edit. Meanwhile no run advances."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._work: tuple[Loading[None], Request | None] | None = None

    @property
    def pending(self) -> bool:
        """True until the work is done."""
        return self._work is not None

    def begin(self, steps: Loading[None], follows: Request | None, shown: str = "") -> None:
        """Take the steps of `steps` from the next frame on. shown: what the window says meanwhile."""
        self._work, self._state.loading = (steps, follows), shown

    def advance(self) -> Request | None:
        """Take a step; returns the request that follows once the work is done. Raises `AtlasError`s, which end it."""
        if self._work is None:
            return None
        steps, follows = self._work
        try:
            self._state.loading_step, self._state.loaded = next(steps)
        except StopIteration:
            self._end()
            return follows
        except Exception:
            self._end()
            raise
        return None

    def _end(self) -> None:
        self._work = None
        self._state.loading, self._state.loaded = "", 0.0
