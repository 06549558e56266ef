"""Small pictures of the map of a small model, beside those of the NumPy model of it."""

from __future__ import annotations

import numpy as np

from compute.models.config import ModelConfig

CONFIG = ModelConfig(layers=2, heads=3, channels=60, positions=40, vocabulary=26, padded_vocabulary=27)


def assert_same(found: np.ndarray, wanted: np.ndarray) -> None:
    """Colors are within rounding; both as `compute.selftest.map.pictures` gives them."""
    difference = np.abs(found - wanted)
    assert difference.max() <= 2, np.argwhere(difference.max(-1) > 2)[:5]
