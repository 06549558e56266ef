"""Map's speed on its adapter: opening it, painting it at several zoom levels, adding a row."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from compute.forward.engine import Engine
from compute.gpu.wgpu_native import Timer, poll
from compute.models.registry import Registry
from compute.views.map_layout import MapLayout
from compute.views.map_pass import MapPass
from compute.views.map_view import MapView

from .measuring import Budget, Figure, repeated

_REPEATS = 9
_ROWS = 16  # maximum rows added between two waits
# Width of a pixel in cells, relative to the pyramid's finest blocks. Just above 1 the blocks are read; just below 1 the
# cells themselves, with the largest number of cells per pixel.
_BLOCKS, _VALUES = 1.5, 0.95
_CELL, _DIGIT_CELL = 8.0, 80.0  # width of a cell in pixels, without and with text


def large_weight(registry: Registry) -> str:
    """The name of the first block's largest weight."""
    block = next(section for section in registry.description.sections if section.block is not None)
    return max(block.weights, key=lambda weight: weight.count).name


def map_views(registry: Registry, layout: MapLayout, size: tuple[int, int]) -> dict[str, MapView]:
    """The measured views by name, for a picture of `size` (width, height) pixels.

    whole: the complete map; blocks: the pyramid's finest blocks; values: as many values per pixel as possible; cells,
    digits: large cells of a weight, without and with text.
    """
    width, height = size
    whole = max(layout.width / width, layout.height / height)
    placement = layout.placements[large_weight(registry)]
    weight = (placement.x + placement.band_columns / 2, placement.y + placement.band_rows / 2)
    middle = (layout.width / 2, layout.height / 2)

    def view(scale: float, center: tuple[float, float]) -> MapView:
        return MapView(center[0] - width * scale / 2, center[1] - height * scale / 2, scale)

    return {
        "whole": view(whole, middle),
        "blocks": view(min(_BLOCKS * layout.base, whole), middle),
        "values": view(min(_VALUES * layout.base, whole), middle),
        "cells": view(1 / _CELL, weight),
        "digits": view(1 / _DIGIT_CELL, weight),
    }


def open_ms(engine: Engine, make: Callable[[], MapPass], budget: Budget) -> tuple[MapPass, Figure, Figure]:
    """Map, and the milliseconds to open it: the first time, and again with existing pipelines. Blocks.

    Both include all weights and the latest pass; nearly all of the second figure is reading the weights.
    """

    def timed() -> tuple[MapPass, float]:
        start = time.perf_counter()
        passes = make()
        passes.update()
        poll(engine.device, wait=True)
        return passes, 1e3 * (time.perf_counter() - start)

    passes, first = timed()
    times: list[float] = []
    while len(times) < _REPEATS and (not times or 1e-3 * sum(times) < budget.seconds):
        del passes  # the next one needs its memory
        passes, again = timed()
        times.append(again)
    return passes, Figure(first, 1, 1), Figure(statistics.median(times), len(times), 1)


def draw_us(passes: MapPass, view: MapView, size: tuple[int, int], budget: Budget) -> Figure:
    """GPU time in microseconds to paint one picture. None without timestamp queries. Blocks."""
    device = passes.engine.device
    if "timestamp-query" not in device.features:
        return Figure(None)
    timer = Timer(device)

    def once() -> float:
        passes.draw(view, *size, timer=timer)
        return timer.seconds()

    times = repeated(once, _REPEATS, budget.seconds, least=2)
    return Figure(1e6 * statistics.median(times), len(times), 1)


def row_us(passes: MapPass, budget: Budget) -> Figure:
    """Microseconds to add one new row, encoding and GPU together. Blocks.

    The engine must have run a generation; its number of rows is restored.
    """
    device, registry = passes.engine.device, passes.engine.registry
    rows, context = registry.rows, passes.layout.context
    count = min(_ROWS, max(1, context - 1))
    base = min(rows, context - count)

    def once() -> float:
        registry.rows = base
        passes.update()
        poll(device, wait=True)
        start = time.perf_counter()
        for row in range(base + 1, base + count + 1):
            registry.rows = row
            passes.update()
        poll(device, wait=True)
        return (time.perf_counter() - start) / count

    times = repeated(once, _REPEATS, budget.seconds, least=2)
    registry.rows = rows
    passes.update()
    return Figure(1e6 * statistics.median(times), len(times), count)
