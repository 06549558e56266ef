"""The formula card: which element it explains, when it appears and goes, and where it lies. Plain values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from compute.models.tensor_index import TensorIndex
from compute.views.formula import Formula, Source
from compute.views.map_layout import MapLayout

from .inspection import Inspection
from .map_addresses import range_boxes

REST_S = 0.04  # how long the mouse rests on a cell before its card appears, where a formula takes frames
_LINGER_S = 0.35  # how long a card stays when the mouse leaves its cell, so that it can be reached
_MOST_BOXES = 300

T = TypeVar("T")
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass
class FormulaCard:
    """The element in focus, and the formula shown. Times are in seconds of one clock."""

    element: TensorIndex | None = None  # the single element in focus
    since: float = 0.0  # when it came into focus, or the mouse last moved before its card appeared
    formula: Formula | None = None  # the latest to arrive
    stale: bool = False  # a pass has ended since the formula was requested
    shown: Formula | None = None
    kept_at: float = 0.0  # when there last was a reason to show it
    held: bool = False  # the mouse is on the card, or on one of its arrows
    without: str = ""  # a tensor without formulas, such as a weight
    live: bool = True  # False: nothing waits for a time
    rest_s: float = REST_S  # 0: the card appears in the first frame in which the mouse stands still
    flights: int = 0  # of Map's camera when the mouse last moved
    _kept: dict[str, tuple[Formula | None, object, Any]] = field(default_factory=dict)

    def follow(self, element: TensorIndex | None, moved: bool, now: float, frame_s: float) -> None:
        """Take note of the element in focus, and decide what is shown.

        moved: the mouse moved since the last frame; frame_s: how long a frame takes to reach the screen.
        """
        if element != self.element or (moved and (self.shown is None or self.shown.element != element)):
            self.element, self.since = element, now
        rested = not self.live or (now > self.since and now + frame_s - self.since >= self.rest_s)
        if self.formula is not None and element == self.formula.element and rested:
            self.shown, self.kept_at = self.formula, now
        elif self.shown is not None and self.held:
            self.kept_at = now
        elif not self._lingers(now):
            self.shown = None

    @property
    def wanted(self) -> TensorIndex | None:
        """The element whose formula to request; None when there is none, or it is there.

        It is requested before the mouse rests, so that it has arrived when the card appears.
        """
        known = self.formula is not None and self.formula.element == self.element and not self.stale
        if self.element is None or known or self.element.name == self.without:
            return None
        return self.element

    def waits(self, now: float) -> bool:
        """True while time alone changes something."""
        if self.shown is not None and self.shown.element != self.element:
            return not self.held
        missing = self.element is not None and self.element.name != self.without
        return missing and (self.shown is None or self.stale)

    def keep(self, name: str, key: object, make: Callable[[], T]) -> T:
        """What `make` returns, made again only when another formula is shown or `key` differs. name: of what it is."""
        known = self._kept.get(name)
        if known is None or known[0] is not self.shown or known[1] != key:
            known = self._kept[name] = (self.shown, key, make())
        made: T = known[2]
        return made

    def clear(self) -> None:
        """Show nothing, and forget what has arrived."""
        self.element = self.formula = self.shown = None
        self.held = False

    def _lingers(self, now: float) -> bool:
        return self.live and now - self.kept_at < _LINGER_S


def focused(inspection: Inspection) -> TensorIndex | None:
    """The single element in focus; None while it is unknown which of a range of values a cell of Strip shows."""
    focus = inspection.focus
    if focus is None or not inspection.exists(focus):
        return None
    if focus.count > 1 and focus not in inspection.probed_values:
        return None
    return inspection.single(focus)


def source_boxes(source: Source, layout: MapLayout) -> list[tuple[int, int, int, int]]:
    """(x, y, width, height), in units of Map, of the elements of a source; empty when Map does not have them."""
    *leading, (first, end) = source.ranges
    rows = itertools.product(*(range(*part) for part in leading))
    boxes: list[tuple[int, int, int, int]] = []
    for row in itertools.islice(rows, _MOST_BOXES):
        boxes += range_boxes(TensorIndex(source.name, (*row, first), end - first), layout)
    return boxes


def position(
    size: tuple[float, float], view: Box, cell: Box, sources: Sequence[Box], gap: float
) -> tuple[float, float]:
    """The top left corner for a card of this size inside `view`: beside the cell, and covering little of the sources.

    The card covers the cell only if it fits nowhere else.
    """

    def cost(candidate: tuple[int, tuple[float, float]]) -> float:
        number, corner = candidate
        card = (*corner, corner[0] + size[0], corner[1] + size[1])
        covered = sum(_overlap(card, source) / max(_area(source), 1.0) for source in sources)
        away = abs(_distance(card, cell) - gap) / max(size)
        return 1e6 * _overlap(card, cell) + 10 * covered + away + 1e-3 * number

    return min(enumerate(_corners(size, view, cell, gap)), key=cost)[1]


def _corners(size: tuple[float, float], view: Box, cell: Box, gap: float) -> Iterator[tuple[float, float]]:
    """Candidates: right, left, below and above of the cell, then the corners of the view."""
    wide, high = size
    left, top, right, bottom = view
    most_x, most_y = max(right - wide - gap, left), max(bottom - high - gap, top)
    beside = (
        (cell[2] + gap, cell[1] - high / 3), (cell[0] - gap - wide, cell[1] - high / 3),
        (cell[0] - wide / 3, cell[3] + gap), (cell[0] - wide / 3, cell[1] - gap - high),
        (cell[2] + gap, cell[3] + gap), (cell[2] + gap, cell[1] - gap - high),
        (cell[0] - gap - wide, cell[3] + gap), (cell[0] - gap - wide, cell[1] - gap - high),
    )  # fmt: skip
    for x, y in (*beside, *itertools.product((left + gap, most_x), (top + gap, most_y))):
        yield min(max(x, left + gap), most_x), min(max(y, top + gap), most_y)


def _area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _overlap(one: Box, other: Box) -> float:
    return _area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))


def _distance(one: Box, other: Box) -> float:
    dx = max(one[0] - other[2], other[0] - one[2], 0.0)
    dy = max(one[1] - other[3], other[1] - one[3], 0.0)
    return math.hypot(dx, dy)
