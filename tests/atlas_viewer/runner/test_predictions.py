"""What two rows of logits predict, compared."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atlas_viewer.runner.predictions import predictions


def test_probabilities_order_and_divergence() -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(0, 3, (2, 301)).astype(np.float32)
    found = predictions(a, b)
    p, q = (np.exp(x.astype(np.float64)) / np.exp(x.astype(np.float64)).sum() for x in (a, b))
    assert found.kl == pytest.approx(float((p * np.log(p / q)).sum()))
    assert (found.likeliest_a, found.likeliest_b) == (int(a.argmax()), int(b.argmax()))
    assert len(found.rows) == 40
    for row in found.rows:
        assert (row.logit_a, row.logit_b) == (float(a[row.token]), float(b[row.token]))
        assert row.delta == row.logit_a - row.logit_b
        assert row.gain == pytest.approx(p[row.token] - q[row.token])
    changes = [abs(row.gain) + 1e-3 * max(row.probability_a, row.probability_b) for row in found.rows]
    assert changes == sorted(changes, reverse=True)


def test_the_same_logits_list_the_likeliest_tokens() -> None:
    logits = np.arange(50, dtype=np.float32)
    found = predictions(logits, logits)
    assert found.kl == 0
    assert [row.token for row in found.rows[:3]] == [49, 48, 47]


def test_logits_that_are_not_finite() -> None:
    a, b = np.zeros(5, np.float32), np.zeros(5, np.float32)
    b[2] = -np.inf
    assert math.isinf(predictions(a, b).kl)
    assert predictions(b, a).kl == pytest.approx(math.log(5 / 4))
    b[3] = np.nan
    assert math.isnan(predictions(a, b).kl)
