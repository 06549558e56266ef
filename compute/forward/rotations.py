"""Rotations by position, as kernels read them: (cos, sin) of position times frequency."""

from __future__ import annotations

import numpy as np

FINE = 256
"""Positions that have a row of their own in the table; a row for every FINE-th one follows."""


def rotation_table(frequencies: tuple[float, ...], positions: int) -> np.ndarray:
    """(cos, sin) for each frequency: float32 [FINE + rows, frequencies, 2], see wgsl/forward/rope.wgsl.

    Computed in float64: an angle of thousands of radians has few digits left in float32.
    """
    coarse = np.arange(-(-positions // FINE)) * FINE
    at = np.concatenate([np.arange(FINE), coarse])  # [FINE + rows]
    angles = at[:, None] * np.asarray(frequencies)  # [FINE + rows, frequencies]
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32)
