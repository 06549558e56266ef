"""What the Lens panel shows: a column for each position of the text, with a cell for each point. Plain values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from compute.lens.lens_cells import LensCells
from compute.lens.self_check import SelfCheck

TOP = 8  # tokens of a cell
PROBABILITY, ENTROPY, RANK, AGREEMENT = MODES = ("probability", "entropy", "rank of target", "agreement")
MODE_TIPS = {
    PROBABILITY: "How probable the likeliest token is at this point",
    ENTROPY: "How undecided the prediction is, in nats: 0 when one token has all the probability",
    RANK: "How many tokens are likelier than the target: 0 when it is the likeliest",
    AGREEMENT: "Whether the likeliest token is already that of the last point",
}


@dataclass(frozen=True, eq=False)
class LensColumn:
    """The lens at P points of one position, with K tokens for each. target: the token whose rank was computed.

    start: index in the text of the first token of the context in which it was computed.
    """

    start: int
    target: int | None
    tokens: np.ndarray  # int32 [P, K]; -1 where there are no more
    probabilities: np.ndarray  # float32 [P, K]
    entropy: np.ndarray  # float32 [P], in nats
    ranks: np.ndarray | None  # int32 [P], from 0; -1 where the target's logit is not finite
    target_probabilities: np.ndarray | None  # float32 [P]
    known: int
    """Index of the point from which on the likeliest token of the last point is the likeliest."""

    def level(self, mode: str, vocabulary: int) -> np.ndarray:
        """How strong the color of each cell is, float32 [P] from 0 to 1; NaN where there is nothing to show."""
        if mode == PROBABILITY:
            return np.asarray(self.probabilities[:, 0], np.float32)
        if mode == ENTROPY:
            share: np.ndarray = self.entropy / np.float32(math.log(max(vocabulary, 2)))
            return share
        if mode == AGREEMENT:
            return np.asarray(self.tokens[:, 0] == self.tokens[-1, 0], np.float32)
        if self.ranks is None:
            return np.full(len(self.tokens), np.nan, np.float32)
        rising = 1 - np.log1p(np.maximum(self.ranks, 0)) / math.log(max(vocabulary, 2))
        return np.asarray(np.where(self.ranks < 0, np.nan, rising), np.float32)


@dataclass
class LensView:
    """The columns that are known, by position in the text, and what the panel shows of them."""

    points: tuple[str, ...] = ()
    columns: dict[int, LensColumn] = field(default_factory=dict)
    check: SelfCheck | None = None
    problem: str = ""  # why there is nothing to show
    mode: str = PROBABILITY
    typed: str = ""  # the text of the target field
    target: int | None = None
    refused: str = ""  # why `typed` is not a token
    start: int = 0  # index in the text of the first token of the context of the latest pass
    rows: int = 0  # tokens of that context
    changes: int = 0  # counts changes of the columns
    epoch: int = 0  # counts changes after which results in flight belong to another text
    shown: float | None = None  # positions side by side; None for all
    left: float | None = None  # position at the left edge; None to follow the newest
    _tokens: tuple[int, ...] = ()
    _known: object = None

    def clear(self) -> None:
        """Forget the columns: another model, or other edits, will compute them again."""
        self.columns.clear()
        self.check = None
        self.epoch += 1
        self.changes += 1

    def follow(self, key: object, tokens: Sequence[int] | None, busy: bool) -> None:
        """Keep only the columns that belong to the text on screen.

        key: changes whenever the text does; tokens: of the text, may be None while the key stays the same; busy: the
        model may be ahead of the text on screen.
        """
        if key == self._known or tokens is None:
            return
        self._known = key
        same = _common(self._tokens, tokens)
        if same < len(self._tokens):
            self.epoch += 1
            self._drop(same)
        self._tokens = tuple(tokens)
        if not busy:
            self._drop(len(tokens))

    def is_known(self, key: object) -> bool:
        """True when `follow` knows the text with this key."""
        return key == self._known

    def missing(self, settled: bool, most: int) -> range | None:
        """Positions of the latest pass that have no column yet, at most `most` side by side, the newest ones first.

        settled: whether columns from a context that began elsewhere count as missing.
        """
        stop = self.start + self.rows
        while stop > self.start and not self._lacks(stop - 1, settled):
            stop -= 1
        first = stop
        while first > self.start and stop - first < most and self._lacks(first - 1, settled):
            first -= 1
        return range(first, stop) if first < stop else None

    def take(self, cells: LensCells, start: int) -> None:
        """Keep a result. start: index in the text of the context's first token."""
        probabilities, targets = cells.top_probabilities, cells.target_probability
        for index, row in enumerate(cells.positions):
            self.columns[start + row] = LensColumn(
                start=start,
                target=cells.target,
                tokens=cells.top_tokens[:, index],
                probabilities=probabilities[:, index],
                entropy=cells.entropy[:, index],
                ranks=None if cells.target_rank is None else cells.target_rank[:, index],
                target_probabilities=None if targets is None else targets[:, index],
                known=int(cells.decided[index]),
            )
        self.changes += 1

    def known_at(self, position: int, token: int) -> int | None:
        """Index of the point from which on the token at this position of the text was predicted first.

        None while it is unknown, and for a token that was not the likeliest one at the end.
        """
        column = self.columns.get(position - 1)
        return None if column is None or column.tokens[-1, 0] != token else column.known

    def positions(self) -> range:
        """The positions of the latest pass, and those of the text before it that have columns."""
        first = min((position for position in self.columns if position < self.start), default=self.start)
        return range(first, max(self.start + self.rows, max(self.columns, default=-1) + 1))

    # -- what is visible

    def visible(self, whole: range) -> tuple[float, float]:
        """The position at the left edge and the number of positions side by side, of `whole`."""
        count = float(max(len(whole), 1))
        shown = count if self.shown is None else min(max(self.shown, 1.0), count)
        last = whole.start + count - shown
        left = last if self.left is None else min(max(self.left, float(whole.start)), last)
        return left, shown

    def zoom_by(self, factor: float, share: float, whole: range) -> None:
        """Zoom by `factor` about the position at `share` of the width."""
        left, shown = self.visible(whole)
        wider = shown / factor
        self.shown = None if wider >= len(whole) else max(wider, 1.0)
        self.left = left + share * (shown - (self.shown or len(whole)))
        self._settle(whole)

    def move_by(self, positions: float, whole: range) -> None:
        """Move right by this number of positions."""
        self.left = self.visible(whole)[0] + positions
        self._settle(whole)

    def show(self, position: int, whole: range) -> None:
        """Bring a position into sight, if it is not."""
        left, shown = self.visible(whole)
        if not left <= position <= left + shown - 1:
            self.left = position - (shown - 1) / 2
            self._settle(whole)

    def fit(self) -> None:
        """Show every position."""
        self.shown = self.left = None

    def _settle(self, whole: range) -> None:
        left, shown = self.visible(whole)
        self.left = None if left + shown >= whole.stop else left

    def next_mode(self) -> None:
        """The next of the colorings."""
        self.mode = MODES[(MODES.index(self.mode) + 1) % len(MODES)]

    def _lacks(self, position: int, settled: bool) -> bool:
        column = self.columns.get(position)
        return column is None or column.target != self.target or (settled and column.start != self.start)

    def _drop(self, first: int) -> None:
        """Drop the columns from position `first` on."""
        late = [position for position in self.columns if position >= first]
        for position in late:
            del self.columns[position]
        self.changes += bool(late)


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Number of tokens at the beginning that are the same."""
    pairs: Iterator[tuple[int, int]] = zip(one, other, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def short_name(point: str) -> str:
    """The name of a point as the axis shows it: the block that ends there."""
    head, _, rest = point.partition(".")
    block = rest.split(".", 1)[0]
    return f"block {block}" if head == "h" and block.isdecimal() else point
