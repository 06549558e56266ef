"""The map's part of `bench`: the figures of compute/bench/map_bench.py, and a flight over the map during a run."""

from __future__ import annotations

from typing import Any

from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.scene.glyphs import digit_glyphs
from atlas_viewer.state.state import State
from compute.bench import map_bench
from compute.bench.measuring import Budget, Figure
from compute.generate.generator import Generation
from compute.views.map_pass import MapPass

from .bench_window import Live, LiveWindow
from .shared import rounded

_FLIGHT = 96  # frames from the whole map down to digits and back


def measure(
    workbench: ModelRunner, shown: Generation, size: tuple[int, int], budget: Budget
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The map's figures, and the counts behind them, as plain JSON values.

    `shown` is a generation of `workbench` that has ended. Blocks.
    """
    engine = shown.engine

    def make() -> MapPass:
        return workbench.load_map(digit_glyphs(), workbench.max_context)

    passes, opened, again = map_bench.open_ms(engine, make, budget)
    views = map_bench.map_views(engine.registry, passes.layout, size)
    drawn = {name: map_bench.draw_us(passes, view, size, budget) for name, view in views.items()}
    row = map_bench.row_us(passes, budget)
    nbytes, context = passes.nbytes, passes.layout.context
    del passes  # the window creates its own
    window = LiveWindow(workbench, shown, size)
    live = fly(window, budget)
    window.close()
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


def fly(window: LiveWindow, budget: Budget) -> Live:
    """Draw frames with a camera that flies over the map, as many as the adapter can. Blocks."""
    return window.measure(budget, _move)


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
