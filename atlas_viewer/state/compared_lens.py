"""The lens of B, and that of A minus that of B, as columns that the Lens panel draws."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from .comparing import A, B
from .lens_view import AGREEMENT, ENTROPY, PROBABILITY, RANK, LensColumn, LensView
from .state import State


@dataclass(frozen=True, eq=False)
class ComparedColumn(LensColumn):
    """A column of A beside that of B at the same position of the text."""

    b: LensColumn

    def level(self, mode: str, vocabulary: int) -> np.ndarray:
        """Level of A minus level of B, float32 [P] from -1 to 1; for agreement, whether both have the same token."""
        if mode == AGREEMENT:
            return np.asarray(self.tokens[:, 0] == self.b.tokens[:, 0], np.float32)
        difference: np.ndarray = super().level(mode, vocabulary) - self.b.level(mode, vocabulary)
        return difference

    def number(self, mode: str, row: int) -> str:
        """The difference of a cell in few characters."""
        if mode == RANK:
            if self.ranks is None or self.b.ranks is None:
                return ""
            return f"{self.ranks[row]} - {self.b.ranks[row]}"
        if mode == ENTROPY:
            return _signed(float(self.entropy[row] - self.b.entropy[row]), 1, "nats")
        share = float(self.probabilities[row, 0] - self.b.probabilities[row, 0])
        return "" if math.isnan(share) else _signed(100 * share, 0, "%")


def _signed(value: float, digits: int, unit: str) -> str:
    """The value with its sign, unless it rounds to 0."""
    shown = f"{value:+.{digits}f}"
    return f"{shown if float(shown) else shown[1:]} {unit}"


def compared_column(one: LensColumn, other: LensColumn) -> ComparedColumn:
    """The column of A beside that of B."""
    return ComparedColumn(**{field.name: getattr(one, field.name) for field in fields(LensColumn)}, b=other)


def shown_lens(state: State) -> LensView:
    """The lens that the panel draws: of A, of B, or of their difference where both have columns."""
    comparing, ours = state.comparing, state.lens
    if comparing.shown == A:
        return ours
    theirs = comparing.lens
    theirs.mode = ours.mode
    if comparing.shown == B:
        return theirs
    key = (id(ours), ours.changes, theirs.changes)
    if comparing.lens_key != key:
        pairs = {at: (column, theirs.columns.get(at)) for at, column in ours.columns.items()}
        comparing.lens_difference = LensView(
            points=ours.points,
            columns={at: compared_column(one, other) for at, (one, other) in pairs.items() if other is not None},
        )
        comparing.lens_key = key
    comparing.lens_difference.mode = ours.mode
    return comparing.lens_difference


MODE_MEANINGS = {
    PROBABILITY: "probability of the likeliest token, A - B",
    ENTROPY: "entropy, A - B",
    RANK: "rank of the target, A - B",
    AGREEMENT: "whether A and B have the same token",
}
