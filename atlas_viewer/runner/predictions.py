"""What two passes predict after their last tokens, compared."""

from __future__ import annotations

import numpy as np

from atlas_viewer.state.comparing import Predictions, Row
from compute.api.differences import divergence, log_probabilities

_TOP = 40  # tokens
_LIKELY = 1e-3  # how much being likely counts, against a change of the probability


def predictions(a: np.ndarray, b: np.ndarray) -> Predictions:
    """The predictions of two rows of logits, float32 [vocabulary]: the tokens that changed most, and likely ones."""
    p, q = np.exp(log_probabilities(a)), np.exp(log_probabilities(b))
    weight = np.nan_to_num(np.abs(p - q)) + _LIKELY * np.nan_to_num(np.maximum(p, q))
    order = np.argsort(-weight, kind="stable")[:_TOP]
    rows = tuple(Row(int(t), float(a[t]), float(b[t]), float(p[t]), float(q[t])) for t in order)
    return Predictions(divergence(a, b), rows, int(np.argmax(a)), int(np.argmax(b)))
