"""Speed of the map on its adapter: opening it, a picture from far and near, a new row."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from compute.forward.engine import Engine
from compute.gpu.wgpu_native import Timer, poll
from compute.views.map_layout import MapLayout
from compute.views.map_pass import MapPass
from compute.views.map_view import MapView

from .measuring import Budget, Figure, repeated

_REPEATS = 9
_ROWS = 16  # taken in within one wait, at most
# Cells that a pixel is wide, in widths of the pyramid's finest blocks: just above it blocks are looked at, just below
# it the cells themselves, as many as a pixel ever has.
_BLOCKS, _VALUES = 1.5, 0.95
_CELL, _DIGIT_CELL = 8.0, 80.0  # pixels of a cell without text, and with it


def map_views(layout: MapLayout, size: tuple[int, int]) -> dict[str, MapView]:
    """What is measured, by name: places of a picture of `size` (width, height) pixels.

    whole: everything; blocks: the pyramid's finest blocks; values: the most values to a pixel; cells, digits: large
    cells, without and with text. The near ones are over a weight.
    """
    wide, high = size
    whole = max(layout.width / wide, layout.height / high)
    place = layout.placements["h.0.mlp.c_fc.weight"]
    weight = (place.x + place.band_columns / 2, place.y + place.band_rows / 2)
    middle = (layout.width / 2, layout.height / 2)

    def view(scale: float, center: tuple[float, float]) -> MapView:
        return MapView(center[0] - wide * scale / 2, center[1] - high * scale / 2, scale)

    return {
        "whole": view(whole, middle),
        "blocks": view(min(_BLOCKS * layout.base, whole), middle),
        "values": view(min(_VALUES * layout.base, whole), middle),
        "cells": view(1 / _CELL, weight),
        "digits": view(1 / _DIGIT_CELL, weight),
    }


def open_ms(engine: Engine, make: Callable[[], MapPass], budget: Budget) -> tuple[MapPass, Figure, Figure]:
    """The map, and milliseconds until it is there: the first time, and again with every pipeline made. Blocks.

    Both have all weights taken in and the latest pass; nearly all of the second is the weights.
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
        del passes  # its memory is wanted for the next
        passes, again = timed()
        times.append(again)
    return passes, Figure(first, 1, 1), Figure(statistics.median(times), len(times), 1)


def draw_us(passes: MapPass, view: MapView, size: tuple[int, int], budget: Budget) -> Figure:
    """GPU time of the pass that paints one picture, in microseconds, by timestamp queries; None without. Blocks."""
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
    """Microseconds that taking one new row in takes: encoding and GPU together. Blocks.

    The engine must have run a generation; its rows are given back as they were.
    """
    device, registry = passes.engine.device, passes.engine.registry
    known = registry.rows
    room = passes.layout.context
    count = min(_ROWS, max(1, room - 1))
    base = min(known, room - count)

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
    registry.rows = known
    passes.update()
    return Figure(1e6 * statistics.median(times), len(times), count)
