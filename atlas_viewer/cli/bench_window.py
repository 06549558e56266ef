"""The window's own frames, drawn offscreen while a run generates, for `bench`."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.navigation import open_map
from atlas_viewer.state.requests import Generate
from atlas_viewer.state.state import State
from compute.bench.measuring import Budget
from compute.errors import AtlasError
from compute.generate.generator import Generation
from compute.gpu.wgpu_native import Fence, poll, work_done
from compute.sampling.options import GenerateOptions

_IN_FLIGHT = 2  # frames that the GPU may lag behind, as with a window's swap chain
_LEAST = 5  # frames until tables and panels have reached their final sizes
_SETTLING = 2000  # maximum number of frames until everything is prepared
_NAP_S = 0.0001
_TEMPERATURE = 0.8
_SCREEN_S = 1 / 60  # between two frames of a window


@dataclass(frozen=True)
class Live:
    """Frames and tokens of a run in the window, the seconds that they took, and the host's seconds of each frame."""

    frames: int
    tokens: int
    seconds: float
    host: list[float]


def settle(viewer: Viewer, frame: Callable[[], object]) -> None:
    """Call `frame`, which draws one, until nothing is being prepared. Raises the error of a frame."""
    for number in range(_SETTLING):
        if number >= _LEAST and not viewer.preparing:
            break
        frame()
        check(viewer)


def check(viewer: Viewer) -> None:
    """Raise the error of the latest frame, if it had one."""
    if viewer.failure is not None:
        raise viewer.failure
    state = viewer.state
    if state.map.problem or state.messages:
        raise AtlasError(state.map.problem or state.messages[-1])


class LiveWindow:
    """A window with the default panels and the map in front. It generates without end, and no frame waits for the GPU.

    As with a screen, none begins while the GPU still has two to finish.
    """

    def __init__(self, workbench: ModelRunner, shown: Generation, size: tuple[int, int]) -> None:
        """shown: a finished generation, which is shown until everything is prepared. Blocks."""
        self._workbench, self._prompt = workbench, shown.prompt
        start, context = len(workbench.tokenizer.encode(shown.prompt)), workbench.max_context
        self._options = GenerateOptions(
            max_new_tokens=max(1, context - start), context=context, temperature=_TEMPERATURE
        )
        self._device = shown.engine.device
        self._canvas = open_picture(size)
        self.state = State(shown.prompt, shown.options)
        self._viewer = Viewer(self._canvas, self._device, self.state, None)
        self._viewer.show(workbench, shown, shown.prompt)
        open_map(self.state)
        self._canvas.request_draw(lambda: settle(self._viewer, self._viewer.frame))
        self._canvas.draw()
        check(self._viewer)

    @property
    def tokens(self) -> int:
        """Tokens of all runs so far."""
        return sum(len(run.steps) for run in self.state.runs.all.values())

    def measure(
        self, budget: Budget, before: Callable[[State, int], object] | None = None, *, paced: bool = False
    ) -> Live:
        """Draw frames for `budget.seconds`, after a warm-up. Blocks.

        before: called before each frame with its number. paced: frames begin 60 times per second, or as often as
        possible.
        """
        found: list[Live] = []

        def timed() -> None:
            # All frames go into the single picture of this draw, because presenting each would copy it to the host.
            self._run(budget.warm_up, before, paced)
            found.append(self._run(budget.seconds, before, paced))

        self._canvas.request_draw(timed)
        self._canvas.draw()
        check(self._viewer)
        return found[0]

    def close(self) -> None:
        """Close the window."""
        self._canvas.close()

    def _run(self, seconds: float, before: Callable[[State, int], object] | None, paced: bool) -> Live:
        poll(self._device, wait=True)
        fences: deque[Fence] = deque()
        host: list[float] = []
        tokens, began = self.tokens, time.perf_counter()
        while self._viewer.failure is None and time.perf_counter() - began < seconds:
            if before is not None:
                before(self.state, len(host))
            if not self.state.busy and not self.state.requests:
                self.state.requests.append(Generate(self._prompt, self._options))
            start = time.perf_counter()
            self._viewer.frame()
            host.append(time.perf_counter() - start)
            fences.append(work_done(self._device))
            while len(fences) > _IN_FLIGHT and not fences[0].done:
                time.sleep(_NAP_S)
                poll(self._device)
            if len(fences) > _IN_FLIGHT:
                fences.popleft()
            if paced:
                time.sleep(max(_SCREEN_S - (time.perf_counter() - start), 0.0))
        poll(self._device, wait=True)
        return Live(len(host), self.tokens - tokens, time.perf_counter() - began, host)
