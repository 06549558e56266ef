"""The inspected values: the one under the cursor, the pinned ones, and data about their tensors. Plain values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compute.models.axes import Axes
from compute.models.tensor_index import TensorIndex, flat_index, is_inside, multi_index
from compute.views.strip_layout import Span, StripLayout

from .color_mapping import ColorMapping
from .part_titles import part_title

if TYPE_CHECKING:
    from compute.models.description import Description
    from compute.models.registry import Registry, Tensor
    from compute.views.block_value import BlockValue
    from compute.views.statistics import TensorStatistics

PINS_MOST = 48  # the maximum; probes can watch these and the cursor
PROBES = 64  # values that can be watched in all
_HISTORY = 4096  # values kept per pin
# The cell of Strip that is some columns right of and some rows below another in its picture; None when there is none.
Beside = Callable[[int, int, int], int | None]


@dataclass(frozen=True)
class ProbedValue:
    """The value at a `TensorIndex`, or the most extreme value in a range, and its index in the tensor.

    block: how it is stored, if that is quantized.
    """

    value: float
    index: tuple[int, ...]
    block: BlockValue | None = None


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of the latest pass; `span` is None when Strip does not show it.

    section: the title of the part of the model that it belongs to, such as "block 3".
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    sentence: str
    per_token: bool  # one row per token of the context
    span: Span | None = None
    section: str = field(kw_only=True)
    by_vocabulary: bool = field(default=False, kw_only=True)  # a row, or a value, per token of the vocabulary
    axes: Axes = field(default=(), kw_only=True)  # what each dimension counts; empty when that is unknown
    layer: int | None = field(default=None, kw_only=True)  # the number of its block

    @classmethod
    def of(cls, registry: Registry, tensor: Tensor, span: Span | None = None) -> TensorInfo:
        """A tensor of the registry as it is in the latest pass."""
        shape, per_token, description = registry.shape(tensor), tensor.rows is None, registry.description
        return cls(
            tensor.name,
            tensor.kind,
            shape,
            tensor.description,
            per_token,
            span,
            section=section_title(description, tensor.name),
            by_vocabulary=tensor.name in description.by_vocabulary,
            axes=description.axes.get(tensor.name, ()),
            layer=layer_of(description, tensor.name),
        )

    @property
    def count(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def first(self) -> TensorIndex:
        """The first value."""
        return TensorIndex(self.name, (0,) * len(self.shape))

    def multi_index(self, flat: int) -> tuple[int, ...]:
        """The index of the value with the flat index `flat`."""
        return multi_index(flat, self.shape)

    def flat_index(self, index: Sequence[int]) -> int:
        """The flat index of the value at `index`."""
        return flat_index(index, self.shape)


@dataclass
class Pin:
    """A pinned value, and its (step, value) in every pass since it was pinned."""

    element: TensorIndex
    history: list[tuple[int, float]] = field(default_factory=list)

    def follow(self, step: int, value: float) -> bool:
        """Record the value at `step`; True when this changes the history. An earlier step starts a new history."""
        if self.history and step < self.history[-1][0]:
            self.history.clear()
        if self.history and step == self.history[-1][0]:
            known = self.history[-1][1]
            if known == value or (known != known and value != value):
                return False
            self.history.pop()
        self.history.append((step, value))
        del self.history[:-_HISTORY]
        return True


@dataclass
class Inspection:
    """The state of single tensors and values. `probed_values` are those that have arrived from the GPU."""

    tensors: Mapping[str, TensorInfo] = field(default_factory=dict)
    layout: StripLayout = field(default_factory=lambda: StripLayout((), ()))
    rows: int = 0  # context tokens of the latest pass
    first_position: int = 0
    probed_values: dict[TensorIndex, ProbedValue] = field(default_factory=dict)
    statistics: Mapping[str, TensorStatistics] = field(default_factory=dict)
    bad: str | None = None  # first tensor of the pass with a non-finite value
    cursor: TensorIndex | None = None
    keyed: bool = False  # the arrow keys have moved the cursor away from the mouse
    pins: list[Pin] = field(default_factory=list)
    extra: tuple[TensorIndex, ...] = ()  # more values to fetch, as many as `spare` allows
    selected: int | None = None  # index of the selected pin
    mapping: ColorMapping = field(default_factory=ColorMapping)
    search: str = ""
    closed: set[str] = field(default_factory=set)  # collapsed groups of the tensor list
    marked: str | None = None  # the tensor that the list has scrolled to
    list_visible: bool = False
    trace_on: bool = False
    trace: Sequence[str] = ()
    trace_filter: str = ""
    trace_path: str = "trace.txt"
    note: str = ""  # the outcome of the last save
    compared: str = ""  # what the values are while they are not those of the step on screen, such as "A - B"
    subtracts: bool = False  # whether they are differences, which have both signs

    @property
    def focus(self) -> TensorIndex | None:
        """The value that the inspector describes: the one under the cursor, or else the selected pin."""
        if self.cursor is not None:
            return self.cursor
        return None if self.selected is None else self.pins[self.selected].element

    @property
    def watched(self) -> tuple[TensorIndex, ...]:
        """The values to fetch, without duplicates: only those in the latest pass."""
        pins = (pin.element for pin in self.pins)
        elements = dict.fromkeys([*([self.cursor] if self.cursor else []), *pins, *self.extra[: self.spare]])
        return tuple(element for element in elements if element.name in self.tensors and self.exists(element))

    @property
    def spare(self) -> int:
        """How many values can be fetched besides the cursor and the pins."""
        return PROBES - 1 - len(self.pins)

    def exists(self, element: TensorIndex) -> bool:
        """True when the latest pass contains this value."""
        info = self.tensors.get(element.name)
        if info is None or not is_inside(element.index, info.shape):
            return False
        return element.count == 1 or is_inside(
            info.multi_index(info.flat_index(element.index) + element.count - 1), info.shape
        )

    def value(self, element: TensorIndex) -> float | None:
        """The value at `element`; None until it has arrived."""
        probed = self.probed_values.get(element)
        return None if probed is None else probed.value

    def single(self, element: TensorIndex) -> TensorIndex:
        """The most extreme value of a range; until it is known, the first value."""
        probed = self.probed_values.get(element)
        return element.first if probed is None else TensorIndex(element.name, probed.index)

    def element_at(self, cell: int) -> TensorIndex | None:
        """The values shown by cell number `cell` of Strip; None for an empty cell."""
        span = self.layout.span_at(cell)
        info = self.tensors.get(span.name) if span is not None else None
        if span is None or info is None:
            return None
        first, last = span.source_range(cell - span.first)
        count = last - first + 1 if self.mapping.sampling == "pool" else 1
        return TensorIndex(span.name, info.multi_index(first), count)

    def cell_of(self, element: TensorIndex) -> int | None:
        """The Strip cell that shows this value; None when there is none."""
        info = self.tensors.get(element.name)
        if info is None or info.span is None or not self.exists(element):
            return None
        return info.span.first + info.span.cell_of(info.flat_index(element.index))

    def hover(self, element: TensorIndex | None, moved: bool) -> None:
        """Inspect the value under the mouse. A cursor moved by the arrow keys stays put until the mouse moves."""
        if moved or not self.keyed:
            self.cursor, self.keyed = element, False

    def moved(self, element: TensorIndex, columns: int, rows: int, *, beside: Beside | None = None) -> TensorIndex:
        """The value `columns` to the right and `rows` below, or `element` itself when there is none.

        beside: finds cells of Strip, to move by these if it shows the tensor; otherwise move by the tensor's columns
        and rows.
        """
        cell = self.cell_of(element) if beside is not None else None
        if cell is not None and beside is not None:
            to = beside(cell, columns, rows)
            return (None if to is None else self.element_at(to)) or element
        info = self.tensors.get(element.name)
        if info is None or not self.exists(element):
            return element
        element = self.single(element)
        index = list(element.index)
        index[-1] += columns
        if len(index) > 1:
            index[-2] += rows
        return TensorIndex(element.name, tuple(index)) if is_inside(index, info.shape) else element

    def step(self, columns: int, rows: int, *, beside: Beside | None = None) -> bool:
        """Move the selected pin, or else the cursor. False when there is neither. beside: see `moved`."""
        if self.selected is not None:
            pin = self.pins[self.selected]
            element = self.moved(pin.element, columns, rows, beside=beside)
            if element != pin.element:
                element = element.first
                self.pins[self.selected] = Pin(element)
            self.cursor, self.keyed = element, True
        elif self.cursor is not None:
            self.cursor, self.keyed = self.moved(self.cursor, columns, rows, beside=beside), True
        return self.focus is not None

    def pin(self, element: TensorIndex) -> None:
        """Pin a single value, unless it is pinned already, and select it. At `PINS_MOST`, the oldest pin is dropped."""
        elements, element = [pin.element for pin in self.pins], self.single(element)
        if element not in elements:
            if len(self.pins) == PINS_MOST:
                del self.pins[0]
            self.pins.append(Pin(element))
            self.selected = len(self.pins) - 1
        else:
            self.selected = elements.index(element)

    def unpin(self, index: int) -> None:
        """Remove a pin."""
        del self.pins[index]
        if self.selected is not None and self.selected >= index:
            self.selected = None if self.selected == index else self.selected - 1

    def point_at(self, element: TensorIndex) -> None:
        """Put the cursor on a value until the mouse moves over a view."""
        self.cursor, self.keyed, self.selected, self.marked = element, True, None, element.name

    def forget(self) -> None:
        """Clear the values of the previous run, including those in the histories of pins."""
        self.probed_values.clear()
        for pin in self.pins:
            pin.history.clear()


def section_title(description: Description, name: str) -> str:
    """The title of the part of the model that a tensor belongs to; "other" for one that the model does not have."""
    section = description.section_of(name)
    return "other" if section is None else part_title(section.title)


def layer_of(description: Description, name: str) -> int | None:
    """The number of the block that a tensor belongs to; None for one outside the blocks."""
    section = description.section_of(name)
    return None if section is None else section.block


def shown_value(value: float | None) -> str:
    """All digits of a 32-bit float, or three dots until the value has arrived."""
    return "..." if value is None else f"{value:.9g}"
