"""The map's part of `bench`: the figures of compute/bench/map_bench.py, and a flight over the map during a run."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.scene.glyphs import digit_glyphs
from atlas_viewer.state.navigation import open_map
from atlas_viewer.state.requests import Generate
from atlas_viewer.state.state import State
from compute.bench import map_bench
from compute.bench.measuring import Budget, Figure
from compute.errors import AtlasError
from compute.forward.engine import Engine
from compute.gpu.wgpu_native import Fence, poll, work_done
from compute.sampling.options import GenerateOptions
from compute.views.map_pass import MapPass

from .shared import rounded

_FLIGHT = 96  # frames from the whole map down to digits and back
_IN_FLIGHT = 2  # frames that the GPU may lag behind, as with a window's swap chain
_SETTLING = 600  # maximum number of frames until the map is ready and the prompt has been processed
_NAP_S = 0.0001
_TEMPERATURE = 0.8


@dataclass(frozen=True)
class Live:
    """How many frames and tokens a run in the window, with the map in front, produced in how many seconds."""

    frames: int
    tokens: int
    seconds: float


def measure(
    workbench: ModelRunner, engine: Engine, prompt: str, size: tuple[int, int], budget: Budget
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The map's figures, and the counts behind them, as plain JSON values.

    `engine` belongs to `workbench` and has already run a generation. Blocks.
    """

    def make() -> MapPass:
        return workbench.load_map(digit_glyphs(), workbench.max_context)

    passes, opened, again = map_bench.open_ms(engine, make, budget)
    views = map_bench.map_views(engine.registry, passes.layout, size)
    drawn = {name: map_bench.draw_us(passes, view, size, budget) for name, view in views.items()}
    row = map_bench.row_us(passes, budget)
    nbytes, context = passes.nbytes, passes.layout.context
    del passes  # the window creates its own
    live = fly(workbench, prompt, size, budget)
    figures: dict[str, Figure] = {"open": opened, "weights": again, **drawn, "row": row}
    result = {
        "window": context,
        "gpu_us": {name: rounded(figure.value) for name, figure in drawn.items()},
        "row_us": rounded(row.value),
        "open_ms": rounded(opened.value),
        "weights_ms": rounded(again.value),
        "mb": rounded(nbytes / 1e6),
        "live_frames_per_second": rounded(live.frames / live.seconds),
        "live_tokens_per_second": rounded(live.tokens / live.seconds),
    }
    counts: dict[str, Any] = {name: figure.counts for name, figure in figures.items()}
    return result, counts | {"live": {"frames": live.frames, "tokens": live.tokens}}


def fly(workbench: ModelRunner, prompt: str, size: tuple[int, int], budget: Budget) -> Live:
    """Draw frames offscreen with the window's own code during a run, with the map in front. Blocks.

    Each frame advances the run by a slice and moves the map's camera. No frame waits for a screen; but as with a
    screen, none begins while the GPU still has two to finish.
    """
    canvas = open_picture(size)
    start = len(workbench.tokenizer.encode(prompt))
    options = GenerateOptions(
        max_new_tokens=max(1, workbench.max_context - start), context=workbench.max_context, temperature=_TEMPERATURE
    )
    state = State(prompt, options)
    generation = workbench.start(prompt, options)
    device = generation.engine.device
    viewer = Viewer(canvas, device, state, None)
    viewer.show(workbench, generation, prompt)
    open_map(state)
    result: list[Live] = []

    def token_count() -> int:
        """Tokens of all runs so far."""
        return sum(len(run.steps) for run in state.runs.all.values())

    def frame(number: int) -> None:
        _move(state, number)
        if not state.busy and not state.requests:
            state.requests.append(Generate(prompt, options))
        viewer.frame()

    def timed() -> None:
        # All frames go into the single picture of this draw, because presenting each would copy it to the host.
        poll(device, wait=True)
        fences: deque[Fence] = deque()
        frames, before, began = 0, token_count(), time.perf_counter()
        while viewer.failure is None and time.perf_counter() - began < budget.seconds:
            frame(frames)
            fences.append(work_done(device))
            while len(fences) > _IN_FLIGHT and not fences[0].done:
                time.sleep(_NAP_S)
                poll(device)
            if len(fences) > _IN_FLIGHT:
                fences.popleft()
            frames += 1
        poll(device, wait=True)
        result.append(Live(frames, token_count() - before, time.perf_counter() - began))

    for number in range(_SETTLING):
        if state.map.layout is not None and token_count() > 1 and number > _IN_FLIGHT:
            break
        canvas.request_draw(viewer.frame)
        canvas.draw()
        _check(viewer, state)
    canvas.request_draw(timed)
    canvas.draw()
    _check(viewer, state)
    canvas.close()
    return result[0]


def _check(viewer: Viewer, state: State) -> None:
    """Raise the error of the latest frame, if it had one."""
    if viewer.failure is not None:
        raise viewer.failure
    if state.map.problem or state.messages:
        raise AtlasError(state.map.problem or state.messages[-1])


def _move(state: State, number: int) -> None:
    """Move the camera, in frame `number`, along its path from the whole map to the digits of a weight and back."""
    maps = state.map
    if maps.layout is None or maps.registry is None:
        return
    turn = number % _FLIGHT / _FLIGHT
    near = 1 - abs(2 * turn - 1)
    nearest = maps.camera.zoom_most(*maps.size) / 2  # cells at half their largest size
    weight = maps.layout.placements[map_bench.large_weight(maps.registry)]
    x, y = weight.x + weight.band_columns / 2, weight.y + weight.band_rows / 2
    maps.camera.look_at(max(nearest, 1.0) ** near, x, y, *maps.size)
