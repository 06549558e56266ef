"""Comparing pictures of the strip."""

from __future__ import annotations

import numpy as np


def assert_same(actual: np.ndarray, wanted: np.ndarray) -> None:
    """Assert that no channel of a cell differs by more than 1 of 255."""
    differing = np.abs(actual.astype(int) - wanted.astype(int)).max(axis=2) > 1
    assert not differing.any(), f"{differing.sum()} cells differ, the first is {np.argwhere(differing.ravel())[0, 0]}"
