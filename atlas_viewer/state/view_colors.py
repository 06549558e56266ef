"""The colors that Strip and Map use: the color mapping with the theme's canvas and what is known about each tensor."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

import numpy as np

from compute.views.palettes import ColorMapping, ViewColors
from compute.views.strip_layout import WIDTH, Span

from .color_mapping import RangeAxis
from .inspection import Inspection
from .map_logits import LogitsCenter
from .navigation import on_map
from .state import State


def view_colors(state: State) -> ViewColors:
    """The color mapping as the views use it now."""
    mapping = state.inspection.mapping
    kept = {field.name: getattr(mapping, field.name) for field in dataclasses.fields(ColorMapping)}
    return ViewColors(**kept, canvas=state.ui.theme, one_signed=one_signed(state.inspection))


OneSigned: TypeAlias = tuple[tuple[str, float, float], ...]
_latest: list[tuple[object, tuple[str, ...], OneSigned]] = []  # statistics, tensors and what follows; at most one


def one_signed(inspection: Inspection) -> OneSigned:
    """(name, lowest value, highest value) of the tensors whose values all have one sign.

    Attention patterns are probabilities; of other tensors, the statistics decide. The latest result is kept, because
    every frame asks for it.
    """
    if inspection.subtracts:
        return ()
    names = tuple(inspection.tensors)
    if not _latest or _latest[0][0] is not inspection.statistics or _latest[0][1] != names:
        _latest[:] = [(inspection.statistics, names, _one_signed(inspection))]
    return _latest[0][2]


def _one_signed(inspection: Inspection) -> OneSigned:
    patterns = [(name, 0.0, 1.0) for name, info in inspection.tensors.items() if len(info.shape) == 3]
    measured = [
        (name, known.min, known.max)
        for name, known in inspection.statistics.items()
        if known.min < known.max and (known.min >= 0 or known.max <= 0)
    ]
    return (*patterns, *measured)


def ends(inspection: Inspection, name: str) -> tuple[float, float] | None:
    """The lowest and highest finite value of a tensor; None while unknown."""
    known = inspection.statistics.get(name)
    if known is not None:
        return known.min, known.max
    info = None if inspection.subtracts else inspection.tensors.get(name)
    return (0.0, 1.0) if info is not None and len(info.shape) == 3 else None


def center_of(state: State) -> LogitsCenter | None:
    """What the view in use subtracts from the logits: on Map, their mean."""
    return state.map.logits if on_map(state) else None


def axis_of(inspection: Inspection, name: str | None, center: LogitsCenter | None = None) -> RangeAxis | None:
    """The axis of the color bar for a tensor, or for all tensors; None while its range is unknown.

    center: relative to which the view shows the logits. Their axis is then that of distances from it.
    """
    mapping, found = inspection.mapping, ends(inspection, name) if name else None
    if mapping.own_ranges and center is not None and center.name == name:
        return RangeAxis(-center.distance, center.distance, mapping.curve, False)
    if mapping.own_ranges:
        if found is None:
            return None
        low, high = found
        if low < high and (low >= 0 or high <= 0) and not inspection.subtracts:
            return RangeAxis(low, high, mapping.curve, True)
        high = max(abs(low), abs(high), 1e-12)
        return RangeAxis(-high, high, mapping.curve, False)
    magnitudes = {known: measured.absmax for known, measured in inspection.statistics.items()}
    if center is not None:
        magnitudes[center.name] = center.distance
    largest = max(magnitudes.values(), default=0.0)
    high = max(largest, mapping.high or 0.0)
    return RangeAxis(-high, high, mapping.curve, False) if high else None


def shown_tensor(state: State) -> str | None:
    """The tensor that the color bar describes: the one in focus, or else the one in the middle of the view."""
    inspection = state.inspection
    focus = inspection.focus
    if focus is not None and ends(inspection, focus.name) is not None:
        return focus.name
    return _nearest_on_map(state) if on_map(state) else _nearest_on_strip(state)


def _nearest_on_map(state: State) -> str | None:
    """The tensor with a known range that is nearest to the middle of the picture."""
    maps, inspection = state.map, state.inspection
    if maps.layout is None:
        return None
    middle = np.array(maps.view.cell_at(maps.size[0] / 2, maps.size[1] / 2))
    low = maps.tensors[:, :2]
    away = np.maximum(np.maximum(low - middle, middle - low - maps.tensors[:, 2:]), 0)
    nearest = (maps.names[index] for index in np.argsort((away * away).sum(axis=1), kind="stable").tolist())
    return next((name for name in nearest if ends(inspection, name) is not None), None)


def _nearest_on_strip(state: State) -> str | None:
    inspection = state.inspection
    x, y = state.camera.cell_at(0.5, 0.5)
    middle = int(y) * WIDTH + int(x)

    def distance(span: Span) -> int:
        return max(span.first - middle, middle - span.last, 0)

    known = [span for span in inspection.layout.spans if ends(inspection, span.name) is not None]
    nearest = min(known, key=distance, default=None)
    return None if nearest is None else nearest.name
