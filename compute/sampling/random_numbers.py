"""The random numbers of draws in NumPy: Threefry-2x32 with 20 rounds, and Gumbel noise from them."""

from __future__ import annotations

import numpy as np


def threefry(key: tuple[int, int], x0: np.ndarray, x1: int) -> np.ndarray:
    """First word of Threefry-2x32-20 for the counters (x0, x1), as the paper describes it; uint32 [n]."""
    keys = [*key, key[0] ^ key[1] ^ 0x1BD11BDA]
    rotations = (13, 15, 26, 6, 17, 29, 16, 24)
    mask = 0xFFFFFFFF
    a = (x0.astype(np.uint64) + keys[0]) & mask
    b = np.full_like(a, (x1 + keys[1]) & mask)
    for turn in range(20):
        a = (a + b) & mask
        r = rotations[turn % 8]
        b = (((b << np.uint64(r)) | (b >> np.uint64(32 - r))) & mask) ^ a
        if turn % 4 == 3:
            s = turn // 4 + 1
            a, b = (a + keys[s % 3]) & mask, (b + keys[(s + 1) % 3] + s) & mask
    return a.astype(np.uint32)


def uniform(bits: np.ndarray) -> np.ndarray:
    """Numbers between 0 and 1, float64 [n], from uniform random words uint32 [n]."""
    numbers: np.ndarray = (bits.astype(np.float64) + 0.5) / 2**32
    return numbers


def gumbel(bits: np.ndarray) -> np.ndarray:
    """Gumbel noise float64 [n] from uniform random words uint32 [n]: -ln(-ln(1 - u))."""
    noise: np.ndarray = -np.log(-np.log1p(-uniform(bits)))
    return noise
