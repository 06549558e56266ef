"""A viewer on a canvas in memory, with a run that needs no model; frames are drawn by hand."""

from __future__ import annotations

from collections.abc import Sequence

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.state.state import State
from compute.errors import PromptError
from compute.generate.steps import StepRecord
from compute.gpu.device import shared_device
from compute.gpu.loading import Loading
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import FakeGeneration, FakeRunner


class Bench(FakeRunner):
    """Refuses one prompt."""

    def start(
        self,
        prompt: str,
        options: GenerateOptions,
        steps: Sequence[StepRecord] = (),
        tokens: Sequence[int] | None = None,
    ) -> FakeGeneration:
        if prompt == "bad":
            raise PromptError("prompt: it is bad; write another")
        return super().start(prompt, options, steps)


class Loop:
    """A viewer whose frames are drawn by hand."""

    def __init__(self, tokens: int) -> None:
        self.canvas = open_picture((960, 540))
        self.runner = Bench(shared_device())
        self.state = State("one two", GenerateOptions(max_new_tokens=tokens), loading="loading fake")
        self.state.ui.view = "Atlas"  # the fake model has no map
        self.viewer = Viewer(self.canvas, shared_device(), self.state, self.load())

    def load(self) -> Loading[Bench]:
        yield "weights", 0.5
        yield "kernels", 1.0
        return self.runner

    def draw(self, frames: int) -> None:
        for _ in range(frames):
            self.canvas.draw()
            if self.viewer.failure is not None:
                raise self.viewer.failure

    def finish(self) -> None:
        for _ in range(200):
            self.draw(1)
            if self.state.run is not None and self.state.run.done:
                return
        raise AssertionError("the run does not end")
