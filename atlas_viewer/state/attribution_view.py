"""The state of the Attribution panel: which logit is split, its parts, and what each head took from which token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from compute.errors import UsageError
from compute.io.escape import one_line
from compute.lens.attribution import LogitPart, LogitParts
from compute.lens.self_check import SelfCheck
from compute.lens.stream_pass import StreamShape
from compute.models.names import split_name

PARTS, STREAM, NEURONS = "parts", "stream", "neurons"
SECTIONS = (PARTS, STREAM, NEURONS)
MOST_SOURCES, LEAST_SHARE = 5, 0.05  # of the source tokens that are marked in the text
_BIAS, _MLP = "bias", "MLP"
TokenId = Callable[[str, str], int]


@dataclass(frozen=True)
class Aim:
    """The logit to split: of `target`, or its difference to that of `against`, after the token at `position`.

    position: index in the text; row: the context row of that token.
    """

    target: int
    against: int | None
    position: int
    row: int


@dataclass(frozen=True, eq=False)
class Grid:
    """The parts of the blocks: `cells` by layer and column, an index into `columns`, which are heads, bias and MLP."""

    layers: int
    columns: tuple[str, ...]
    cells: Mapping[tuple[int, int], LogitPart]


@dataclass(frozen=True, eq=False)
class Shown:
    """Parts that have arrived, arranged for the panel. start: index in the text of the context's first token."""

    aim: Aim
    parts: LogitParts

    @property
    def start(self) -> int:
        """Index in the text of the context's first token."""
        return self.aim.position - self.aim.row

    @cached_property
    def ranked(self) -> tuple[LogitPart, ...]:
        """All parts, the largest magnitude first; those that are not finite before all others."""
        sizes = [abs(part.value) if np.isfinite(part.value) else np.inf for part in self.parts.parts]
        order = sorted(range(len(sizes)), key=lambda at: -sizes[at])
        return tuple(self.parts.parts[at] for at in order)

    @cached_property
    def largest(self) -> float:
        """The largest finite magnitude of a part."""
        return max((abs(part.value) for part in self.parts.parts if np.isfinite(part.value)), default=0.0)

    @cached_property
    def checks(self) -> tuple[SelfCheck, ...]:
        """Whether parts and sources sum up."""
        return self.parts.checks()

    @cached_property
    def grid(self) -> Grid:
        """The parts that belong to a block."""
        placed: list[tuple[int, int | str, LogitPart]] = []
        for part in self.parts.parts:
            layer, short = split_name(part.name)
            if layer is not None:
                other = _BIAS if short.endswith(".bias") else _MLP if short == "mlp" else short
                placed.append((layer, other if part.head is None else part.head, part))
        heads = max((column for _, column, _ in placed if isinstance(column, int)), default=-1) + 1
        others = dict.fromkeys(column for _, column, _ in placed if isinstance(column, str))
        columns = (*(str(head) for head in range(heads)), *others)
        at = {name: index for index, name in enumerate(columns)}
        cells = {(layer, at[str(column)]): part for layer, column, part in placed}
        return Grid(max((layer for layer, *_ in placed), default=-1) + 1, columns, cells)

    def head(self, layer: int | None, head: int | None) -> LogitPart | None:
        """The part of a head; None when the model has no such head."""
        if layer is None or head is None:
            return None
        found = self.grid.cells.get((layer, head))
        return found if found is not None and found.head == head else None

    @cached_property
    def largest_head(self) -> LogitPart | None:
        """The head with the largest part."""
        return next((part for part in self.ranked if part.head is not None), None)


@dataclass
class AttributionView:
    """The state of the panel. The first three fields are what was typed; empty for the defaults."""

    target: str = ""
    against: str = ""
    position: str = ""
    section: str = PARTS
    problem: str = ""  # why there is nothing to show
    error: str = ""  # what is wrong with the typed text, on one line
    shown: Shown | None = None
    stream: StreamShape | None = None
    rows: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)  # weight rows of neurons, by matrix and index
    current: bool = False  # `shown` belongs to the latest pass and to what is typed
    marks: dict[int, float] = field(default_factory=dict)  # share by index in the text of tokens to mark, 0 to 1

    def next_section(self) -> None:
        """Show the next section."""
        self.section = SECTIONS[(SECTIONS.index(self.section) + 1) % len(SECTIONS)]

    def clear(self) -> None:
        """Forget the results."""
        self.shown = self.stream = None
        self.current = False
        self.marks, self.rows = {}, {}


def aim_at(view: AttributionView, step_token: int, predicted: int, start: int, rows: int, token_id: TokenId) -> Aim:
    """The logit that the panel asks for.

    step_token: of the step shown; predicted: index in the text of the token that predicted it; start, rows: first
    index and number of the context's tokens. Raises `AtlasError`s of one line for what was typed.
    """
    target = token_id(view.target, "target") if view.target else step_token
    against = token_id(view.against, "against") if view.against else None
    position = _position(view.position, start, rows) if view.position.strip() else predicted
    return Aim(target, against, position, position - start)


def _position(text: str, start: int, rows: int) -> int:
    """The position that `text` stands for; a negative one counts back from the end of the context."""
    try:
        number = int(text)
    except ValueError:
        number = None
    end = start + rows
    found = None if number is None else number + end if number < 0 else number
    if found is None or not start <= found < end:
        shown = one_line(text.strip(), 20)
        raise UsageError(
            f"position {shown}: this pass sees tokens {start} to {end - 1}; give one of them, or -1 for the last"
        )
    return found


def title(part: LogitPart) -> str:
    """The part in words: `layer 5 head 4`."""
    layer, short = split_name(part.name)
    if layer is None:
        return part.name
    if part.head is not None:
        return f"layer {layer} head {part.head}"
    return f"layer {layer} {'MLP' if short == 'mlp' else 'attention bias' if short == 'attn.bias' else short}"


def sources(part: LogitPart, start: int) -> list[tuple[int, float]]:
    """(index in the text, contribution) of every token that a head attends to, the largest magnitude first."""
    values = part.sources
    if values is None:
        return []
    sizes = np.where(np.isfinite(values), np.abs(values), np.inf)
    order = np.argsort(-sizes, kind="stable")
    return [(start + int(at), float(values[at])) for at in order]


def marked(part: LogitPart, start: int) -> dict[int, float]:
    """The tokens from which a head took most, by index in the text, with their share of the largest magnitude."""
    top = sources(part, start)[:MOST_SOURCES]
    largest = max((abs(value) for _, value in top if np.isfinite(value)), default=0.0)
    if largest == 0:
        return {}
    shares = {position: min(abs(value) / largest, 1.0) for position, value in top if np.isfinite(value)}
    return {position: share for position, share in shares.items() if share >= LEAST_SHARE}
