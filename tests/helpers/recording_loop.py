"""A window on a canvas in memory that makes and plays recordings, with or without the embedded model."""

from __future__ import annotations

from collections.abc import Callable

from atlas_viewer.app.viewer import Viewer
from compute.sampling.options import GenerateOptions

from helpers.patience import wait_until

OPTIONS = GenerateOptions(max_new_tokens=6, context=32, temperature=0.8, seed=3)


class Loop:
    """A viewer whose frames are drawn by hand."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer, self.state = viewer, viewer.state

    def draw(self, until: Callable[[], object]) -> None:
        def frame() -> None:
            self.viewer.canvas.draw()
            if self.viewer.failure is not None:
                raise self.viewer.failure

        wait_until(until, lambda: f"{self.state.recording}, {self.state.messages}", meanwhile=frame)

    def ask(self, *requests: object) -> None:
        self.state.requests += requests  # type: ignore[arg-type]
        self.draw(lambda: not self.state.requests)
