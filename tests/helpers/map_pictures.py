"""Small map pictures of a small model, and those of the NumPy model of the map."""

from __future__ import annotations

import numpy as np

from compute.models.config import ModelConfig

CONFIG = ModelConfig(layers=2, heads=3, channels=60, positions=40, vocabulary=26, padded_vocabulary=27)


def assert_same(found: np.ndarray, wanted: np.ndarray) -> None:
    """Assert that colors differ by rounding only. Both are as `compute.selftest.map.pictures` returns them."""
    difference = np.abs(found - wanted)
    assert difference.max() <= 2, np.argwhere(difference.max(-1) > 2)[:5]
