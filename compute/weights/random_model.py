"""Random weights of any shape, as GPT-2 is initialized: for benchmarks and tests, without a download."""

from __future__ import annotations

import zlib
from math import sqrt
from pathlib import Path

import numpy as np

from compute.models.config import ModelConfig, parameter_shapes

from .dtypes import DTYPES

_STANDARD_DEVIATION = 0.02


class RandomModel:
    """Weights made on demand. The same seed, name of tensor and shape always give the same values."""

    def __init__(self, config: ModelConfig, seed: int = 0, dtype: str = "f32", name: str = "random") -> None:
        """`seed` is any integer from 0, `dtype` one of "f32", "bf16", "f16" (rounded from the same float32 values)."""
        self.name = name
        self.path: Path | None = None
        self.config = config
        self.dtype = dtype
        self._type = DTYPES[dtype]
        self._seed = seed
        self._shapes = parameter_shapes(config)
        self._kept: dict[str, np.ndarray] = {}

    def tensor(self, name: str) -> np.ndarray:
        """Parameter `name`, made at the first call and kept until `release`; see `WeightSource.tensor`."""
        if name not in self._kept:
            self._kept[name] = self._made(name).astype(self._type, copy=False)
            self._kept[name].flags.writeable = False
        return self._kept[name]

    def release(self, name: str) -> None:
        """Forget tensor `name`; it is made again when it is asked for again."""
        self._kept.pop(name, None)

    def close(self) -> None:
        """Forget every tensor."""
        self._kept.clear()

    def _made(self, name: str) -> np.ndarray:
        # A generator for each tensor, so that a tensor does not depend on which others were asked for before.
        generator = np.random.default_rng([self._seed, zlib.crc32(name.encode())])
        values: np.ndarray = generator.standard_normal(self._shapes[name], dtype=np.float32)
        deviation = _STANDARD_DEVIATION
        if name.endswith("c_proj.weight"):
            # GPT-2 scales what adds to the residual stream, so that its variance does not grow with the depth.
            deviation /= sqrt(2 * self.config.layers)
        values *= np.float32(deviation)
        if name.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight")):
            values += np.float32(1)
        if name == "wte":
            # Rows that belong to no token, zero as llm.c writes them.
            values[self.config.vocabulary :] = 0
        return values
