"""One cell of a lens as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, SupportsFloat

import numpy as np


class Cells(Protocol):
    """The arrays of a lens, [points, positions]; a `LensCells` or a `Lens`, which describe them."""

    @property
    def top_tokens(self) -> np.ndarray:
        """int32, with a third axis for the tokens; -1 where there are no more."""

    @property
    def top_logits(self) -> np.ndarray:
        """float32, like `top_tokens`."""

    @property
    def top_probabilities(self) -> np.ndarray:
        """float32, like `top_tokens`."""

    @property
    def entropy(self) -> np.ndarray:
        """float32, in nats."""

    @property
    def decided(self) -> np.ndarray:
        """int32 [positions], index of the point from which the final likeliest token is the likeliest."""

    @property
    def nonfinite(self) -> np.ndarray:
        """int32, logits that are not finite."""

    @property
    def target_logit(self) -> np.ndarray | None:
        """float32; None without a target."""

    @property
    def target_probability(self) -> np.ndarray | None:
        """float32; None without a target."""

    @property
    def target_rank(self) -> np.ndarray | None:
        """int32, from 0; -1 for none; None without a target."""

    @property
    def norm(self) -> np.ndarray:
        """float32."""

    @property
    def added(self) -> np.ndarray:
        """float32."""

    @property
    def cosine(self) -> np.ndarray:
        """float32."""


def cell_json(cells: Cells, point: int, position: int, text: Callable[[int], str]) -> dict[str, object]:
    """The cell as plain values; a number that does not exist or that JSON cannot express is None."""
    at = point, position
    cell: dict[str, object] = {
        "top": [
            {"token": int(token), "text": text(int(token)), "logit": number(logit), "probability": number(probability)}
            for token, logit, probability in zip(
                cells.top_tokens[at], cells.top_logits[at], cells.top_probabilities[at], strict=True
            )
            if token >= 0
        ],
        "entropy": number(cells.entropy[at]),
        "target_logit": None,
        "target_probability": None,
        "target_rank": None,
        "norm": number(cells.norm[at]),
        "added": number(cells.added[at]),
        "cosine": number(cells.cosine[at]),
        "nonfinite": int(cells.nonfinite[at]),
    }
    if cells.target_logit is not None and cells.target_probability is not None and cells.target_rank is not None:
        rank = int(cells.target_rank[at])
        cell["target_logit"] = number(cells.target_logit[at])
        cell["target_probability"] = number(cells.target_probability[at])
        cell["target_rank"] = rank if rank >= 0 else None
    return cell


def number(value: SupportsFloat) -> float | None:
    """The number, or None where JSON cannot express it."""
    plain = float(value)
    return plain if math.isfinite(plain) else None
