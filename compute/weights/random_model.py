"""Random weights of any architecture and size, initialized like GPT-2: for benchmarks and tests without a download."""

from __future__ import annotations

import os
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from math import sqrt
from pathlib import Path

import numpy as np

from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.models.operations import Linear, Norm, RmsNorm

from .dtypes import DTYPES
from .uniform_type import UniformType

_STANDARD_DEVIATION = 0.02
_AHEAD = 64 << 20  # values that are generated before they are asked for: 256 MB of float32
_MOST_THREADS = 8


class RandomModel(UniformType):
    """Weights generated on demand. The values depend only on seed, tensor name and shape.

    Whoever reads tensors in the order of the description gets them sooner: threads generate the ones that follow.
    """

    def __init__(self, config: ModelConfig, seed: int = 0, dtype: str = "f32", name: str = "random") -> None:
        """seed: a non-negative integer. dtype: "f32", "bf16" or "f16", rounded from the same float32 values."""
        self.name = name
        self.path: Path | None = None
        self.config = config
        self.dtype = dtype
        self._type = DTYPES[dtype]
        self._seed = seed
        self._description = describe(config)
        operations = list(self._description.operations())
        norms = [operation for operation in operations if isinstance(operation, Norm)]
        self._scales = {norm.scale.name for norm in norms if not (isinstance(norm, RmsNorm) and norm.offset)}
        self._residual = _residual_matrices(self._description)
        self._kept: dict[str, np.ndarray] = {}
        names = list(self._description.weights)
        self._next = dict(pairwise(names))
        self._latest: str | None = None  # the tensor that was asked for last
        self._ahead: dict[str, Future[np.ndarray]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def tensor(self, name: str) -> np.ndarray:
        """Parameter `name`, generated at the first call and kept until `release`; see `WeightSource.tensor`."""
        if name not in self._kept:
            in_order = self._latest is not None and self._next.get(self._latest) == name
            self._latest = name
            ahead = self._ahead.pop(name, None)
            if in_order:
                self._generate_after(name)
            elif self._ahead:
                self._drop_ahead()
            self._kept[name] = self._generated(name) if ahead is None else ahead.result()
            self._kept[name].flags.writeable = False
        return self._kept[name]

    def release(self, name: str) -> None:
        """Drop tensor `name`; the next call of `tensor` generates it again."""
        self._kept.pop(name, None)

    def close(self) -> None:
        """Drop every tensor."""
        self._drop_ahead()
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None
        self._kept.clear()

    def _generate_after(self, name: str) -> None:
        """Let threads generate the tensors that follow `name`, as many as `_AHEAD` allows."""
        weights = self._description.weights
        values, following = 0, self._next.get(name)
        while following is not None and (values := values + weights[following].count) <= _AHEAD:
            if following not in self._ahead and following not in self._kept:
                if self._threads is None:
                    self._threads = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1))
                self._ahead[following] = self._threads.submit(self._generated, following)
            following = self._next.get(following)

    def _drop_ahead(self) -> None:
        for future in self._ahead.values():
            future.cancel()
        self._ahead.clear()

    def _generated(self, name: str) -> np.ndarray:
        # One generator per tensor, so that its values do not depend on which others were generated before.
        generator = np.random.default_rng([self._seed, zlib.crc32(name.encode())])
        values: np.ndarray = generator.standard_normal(self._description.weights[name].shape, dtype=np.float32)
        deviation = _STANDARD_DEVIATION
        if name in self._residual:
            # GPT-2 scales what is added to the residual stream, so that its variance does not grow with depth.
            deviation /= sqrt(2 * self.config.layers)
        values *= np.float32(deviation)
        if name in self._scales:
            values += np.float32(1)
        if name in self._description.token_tables:
            # Padding rows are zero, as llm.c writes them.
            values[self.config.vocabulary :] = 0
        return values.astype(self._type, copy=False)


def _residual_matrices(description: Description) -> frozenset[str]:
    """Names of the matrices whose products the blocks add to the residual stream."""
    names = [name for point in description.stream[1:] for name in description.contributors(point)]
    operations = [description.outputs[description.canonical(name)] for name in names]
    return frozenset(operation.weight.name for operation in operations if isinstance(operation, Linear))
