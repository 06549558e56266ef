"""What the selection highlights in tensors, computed when it changes and kept for the following frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from atlas_viewer.state.highlights import Box, Target, map_rectangles, strip_runs, tensors_of
from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import State

_Result = TypeVar("_Result")
_NOWHERE = np.zeros((0, 4))
_kept: dict[str, tuple[object, object]] = {}  # key and result, by what was computed


@dataclass(frozen=True, eq=False)
class Same:
    """Part of a key: equal only for the same object, which it keeps alive."""

    value: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def keep(what: str, key: object, make: Callable[[], _Result]) -> _Result:
    """The result of `make` for this key, made again only when the key changes."""
    known = _kept.get(what)
    if known is None or known[0] != key:
        known = _kept[what] = (key, make())
    result: _Result = known[1]  # type: ignore[assignment]
    return result


def _key(state: State, target: Target) -> tuple[object, ...]:
    return target, state.inspection.rows, Same(state.inspection.tensors)


def _boxes(state: State, target: Target) -> list[tuple[TensorInfo, list[Box]]]:
    found = ((info, target.boxes(info)) for info in state.inspection.tensors.values())
    return [(info, boxes) for info, boxes in found if boxes]


def names(state: State) -> frozenset[str]:
    """Names of the tensors in which something is highlighted."""
    if not state.highlight:
        return frozenset()
    target = Target.of(state, state.highlight)
    return keep("names", _key(state, target), lambda: tensors_of(state, target))


def on_map(state: State, selection: Selection) -> tuple[np.ndarray, list[str]]:
    """What is highlighted on Map: x, y, width, height in units, float64 [n, 4], and the tensor of each rectangle."""
    layout = state.map.layout
    if not selection or layout is None:
        return _NOWHERE, []
    target = Target.of(state, selection)

    def make() -> tuple[np.ndarray, list[str]]:
        rectangles, tensors = [], []
        for info, boxes in _boxes(state, target):
            for rectangle in map_rectangles(info, boxes, layout):
                rectangles.append(rectangle)
                tensors.append(info.name)
        return np.array(rectangles, np.float64).reshape(-1, 4), tensors

    return keep(f"map {_use(state, selection)}", (*_key(state, target), Same(layout)), make)


def _use(state: State, selection: Selection) -> str:
    """The selection that stays and the one under the mouse are shown together, so each is kept."""
    return "selected" if selection == state.selected else "hovered"


def on_strip(state: State, selection: Selection) -> np.ndarray:
    """What is highlighted on Strip: x, y, width and height on the sheet, in cells, float64 [n, 4]."""
    sheet = state.strip.sheet
    if not selection:
        return _NOWHERE
    target = Target.of(state, selection)

    def make() -> np.ndarray:
        found: list[tuple[int, int, int, int]] = []
        for info, boxes in _boxes(state, target):
            box = None if info.span is None else sheet.box_of(info.span.first)
            if info.span is None or box is None:
                continue
            for first, last in strip_runs(info, boxes, info.span):
                parts = lines(first, last, box.columns)
                found += [(box.x + x, box.y + y, wide, high) for x, y, wide, high in parts]
        return np.array(found, np.float64).reshape(-1, 4)

    return keep(f"strip {_use(state, selection)}", (*_key(state, target), Same(sheet)), make)


def lines(first: int, last: int, columns: int) -> list[tuple[int, int, int, int]]:
    """Column, row, width and height of the parts of a run of cells that wraps after `columns`: at most three."""
    (top, left), (bottom, right) = divmod(first, columns), divmod(last + 1, columns)
    if top == bottom:
        return [(left, top, right - left, 1)]
    parts = [(left, top, columns - left, 1)] if left else []
    start = top + bool(left)
    parts += [(0, start, columns, bottom - start)] if bottom > start else []
    return parts + ([(0, bottom, right, 1)] if right else [])
