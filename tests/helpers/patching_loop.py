"""Activation patching and ablation as plain loops over the float64 model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compute.edits.grammar import EditLike, edits_of
from compute.edits.resolved import ResolvedEdit, with_values
from compute.edits.resolving import place_all
from compute.edits.values import Array, Number
from compute.models.architectures import describe
from compute.selftest import reference
from compute.weights.checkpoint import ArrayModel

NAMES = {"resid_pre": "h.{}.resid_pre", "attn": "h.{}.attn.c_proj", "mlp": "h.{}.mlp.c_proj", "heads": "h.{}.attn.out"}


class Loop:
    """Passes of the float64 model, one per cell. The number of a pass is a difference of two logits."""

    def __init__(self, exact: ArrayModel, target: int, against: int | None) -> None:
        self.exact, self._target, self._against = exact, target, against

    def number(self, tokens: Sequence[int], edits: Sequence[EditLike] = ()) -> float:
        """The number of a pass over `tokens` with edits."""
        logits = self.run(tokens, edits)["logits"]
        return float(logits[self._target] - (0.0 if self._against is None else logits[self._against]))

    def run(self, tokens: Sequence[int], edits: Sequence[EditLike] = ()) -> dict[str, np.ndarray]:
        """All activations of a pass."""
        return reference.forward(self.exact, tokens, 0, self._resolved(tokens, edits))

    def cell(self, over: str, layer: int, index: int, source: dict[str, np.ndarray]) -> EditLike:
        """The edit that gives a cell the values of another pass."""
        name = NAMES[over].format(layer)
        if over != "heads":
            return (f"{name}[pos={index}] =", source[name][index])
        size = self.exact.config.head_size
        return (f"{name}[head={index}] =", source[name][:, index * size : (index + 1) * size])

    def _resolved(self, tokens: Sequence[int], edits: Sequence[EditLike]) -> list[ResolvedEdit]:
        placed = place_all(edits_of(list(edits)), describe(self.exact.config), len(tokens), len(tokens))
        found = []
        for one in placed:
            value = one.edit.value
            assert isinstance(value, Number | Array)
            found.append(with_values(one, np.asarray(value.value if isinstance(value, Number) else value.values)))
        return found
