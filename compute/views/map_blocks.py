"""How the tensors of each part of the model are arranged on Map. It follows from the operations of the description.

Widths are in units: multiples of the model's channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from compute.models.description import Description, Section
from compute.models.operations import Activation, Attention, Gated, Operation, Weight


@dataclass(frozen=True)
class Down:
    """Parts from top to bottom, such as a weight above the activation that it produces."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Right:
    """Parts from left to right, in the order in which a token passes them."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Spread:
    """A tensor whose bands fill a width of `units`."""

    name: str
    units: int


@dataclass(frozen=True)
class Stage:
    """A part of a block between two points of the residual stream, with a caption above it."""

    title: str
    part: Part


Part: TypeAlias = "Down | Right | Spread | Stage | str"


@dataclass(frozen=True)
class Outside:
    """A part of the model outside the blocks: a table with a row per token of the vocabulary, if any, left of `rest`.

    The table is folded to the height of the map.
    """

    table: str | None
    rest: Part


@dataclass(frozen=True)
class Plan:
    """The arrangement of a whole model. `blocks` has several arrangements to choose from, each with a part per block.

    Every tensor of the description is in each arrangement once.
    """

    embedding: Outside
    blocks: tuple[tuple[Part, ...], ...]
    head: Outside


def plan(description: Description) -> Plan:
    """The plan for a model."""
    embedding, *blocks, head = description.sections
    arranged = [_Block(description, section).arrangements() for section in blocks]
    return Plan(_outside(description, embedding), tuple(zip(*arranged, strict=True)), _outside(description, head))


def _outside(description: Description, section: Section) -> Outside:
    """The weights, then the results."""
    weights = [weight.name for weight in section.weights if description.section_of(weight.name) is section]
    table = next((name for name in weights if name in description.token_tables), None)
    results = [operation.output for operation in section.operations]
    return Outside(table, Down((*(name for name in weights if name != table), *results)))


@dataclass(frozen=True)
class _Piece:
    """A part and its width."""

    part: Part
    units: int


class _Block:
    """Arranges one block, by columns of operations: weights, and the results that they produce below them."""

    def __init__(self, description: Description, section: Section) -> None:
        self._channels = description.config.channels
        self._weights: dict[str, list[Weight]] = {}  # to draw with each operation, by its output
        self._units: dict[str, int] = {}
        for operation in section.operations:
            self._units[operation.output] = -(-operation.columns // self._channels)
            # A weight that several operations use is drawn with the first of them.
            own = [weight for weight in operation.weights if weight.name not in self._units]
            own = [weight for weight in own if description.section_of(weight.name) is section]
            self._weights[operation.output] = own
            self._units |= {weight.name: self._weight_units(weight) for weight in own}
        self._stretches = [list(_columns(stretch)) for stretch in _stretches(description, section)]

    def arrangements(self) -> tuple[Part, ...]:
        """What lies between points of the residual stream: below each other, and beside each other."""
        most = max(self._width(column) for columns in self._stretches for column in columns)
        parts = tuple(Stage(self._title(columns), self._stretch(columns, most)) for columns in self._stretches)
        return Down(parts), Right(parts)

    def _title(self, columns: Iterable[Sequence[Operation]]) -> str:
        """What a stretch of the block does, in a few words."""
        operations = [operation for column in columns for operation in column]
        titles = [f"attention, {operation.heads} heads" for operation in operations if isinstance(operation, Attention)]
        hidden = [operation.columns for operation in operations if isinstance(operation, Activation | Gated)]
        if hidden:
            titles.append(f"MLP, widens {max(hidden) / self._channels:.3g}x")
        return "; ".join(titles) or operations[-1].output

    def _stretch(self, columns: Iterable[Sequence[Operation]], most: int) -> Part:
        """Columns in lines of at most `most` units. A pattern has a line of its own before that of its attention."""
        pieces: list[_Piece] = []
        for column in columns:
            patterns = _patterns(column)
            pieces += [_Piece(Spread(pattern, most), most) for pattern in patterns]
            if patterns:  # beside each other, because nothing in this column is as wide as the pattern
                groups = [self._names([operation]) for operation in column]
                pieces += [_Piece(Down(names), self._widest(names)) for names in groups]
                continue
            wide, rest = self._split(column)
            pieces.append(_Piece(Right((*wide, Down(rest))), self._width(column)))
        return Down(tuple(_line(line) for line in _lines(pieces, most)))

    def _names(self, operations: Iterable[Operation]) -> tuple[str, ...]:
        """Weights above the results."""
        names: list[str] = []
        for operation in operations:
            names += [*(weight.name for weight in self._weights[operation.output]), operation.output]
        return tuple(names)

    def _split(self, column: Iterable[Operation]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Weights that are wider than what they produce, to the left of the column; and the rest of the column."""
        wide = [
            weight.name
            for operation in column
            for weight in self._weights[operation.output]
            if self._units[weight.name] > self._units[operation.output]
        ]
        return tuple(wide), tuple(name for name in self._names(column) if name not in wide)

    def _width(self, column: Iterable[Operation]) -> int:
        wide, rest = self._split(column)
        return sum(self._units[name] for name in wide) + self._widest(rest)

    def _widest(self, names: Iterable[str]) -> int:
        return max(self._units[name] for name in names)

    def _weight_units(self, weight: Weight) -> int:
        """Matrices are cut into bands along their longer side, and the bands are beside each other."""
        over = -(-weight.shape[-1] // self._channels)
        return over if over > 1 or len(weight.shape) == 1 else -(-weight.shape[0] // self._channels)


def _stretches(description: Description, section: Section) -> Iterator[list[Operation]]:
    """The operations of a block, cut after each point of the residual stream."""
    stretch: list[Operation] = []
    for operation in section.operations:
        stretch.append(operation)
        if operation.output in description.stream:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _columns(stretch: Iterable[Operation]) -> Iterator[list[Operation]]:
    """A column begins with attention, and with an operation that has weights unless it is the column's first one."""
    column: list[Operation] = []
    for operation in stretch:
        begins = isinstance(operation, Attention) or (operation.weights and any(known.weights for known in column))
        if column and begins:
            yield column
            column = []
        column.append(operation)
    yield column


def _patterns(column: Iterable[Operation]) -> list[str]:
    return [operation.pattern for operation in column if isinstance(operation, Attention)]


def _lines(pieces: Iterable[_Piece], most: int) -> list[list[_Piece]]:
    """The pieces in lines of at most `most` units; a piece goes to the latest line if it fits there."""
    lines: list[list[_Piece]] = []
    for piece in pieces:
        if not lines or sum(known.units for known in lines[-1]) + piece.units > most:
            lines.append([])
        lines[-1].append(piece)
    return lines


def _line(pieces: Iterable[_Piece]) -> Part:
    return Right(tuple(piece.part for piece in pieces))
