"""Statistics of many tensors as one NumPy table: in recordings, one object per tensor would be too slow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from compute.gpu.wgpu_native import ComputeEncoder
from compute.models.registry import Tensor

from .statistics import SCALE, WORDS, StatisticsPass

# min, max and mean cover the finite values and are 0 when there are none. first_nonfinite is a flat index, -1 for none.
STATISTICS = np.dtype(
    [
        ("count", "<u4"),
        ("finite", "<u4"),
        ("nan", "<u4"),
        ("pos_inf", "<u4"),
        ("neg_inf", "<u4"),
        ("zero", "<u4"),
        ("first_nonfinite", "<i8"),
        ("min", "<f4"),
        ("max", "<f4"),
        ("mean", "<f8"),
    ]
)
_READ = 8  # words read from each record: those before the histogram and the samples


class StatisticsTable:
    """Reads the records of a `StatisticsPass` for a fixed set of tensors, pass after pass."""

    def __init__(self, tensors: Sequence[Tensor], slots: Mapping[str, int]) -> None:
        """slots: index of each tensor's record, by name."""
        self.tensors = tuple(tensors)
        self._slots = np.asarray([slots[tensor.name] for tensor in tensors], np.intp)
        self._fixed = np.asarray([(tensor.rows or 0) * tensor.columns for tensor in tensors], np.uint32)
        self._per_row = np.asarray([0 if tensor.rows else tensor.columns for tensor in tensors], np.uint32)

    def read(self, rows: int, data: bytes | memoryview) -> np.ndarray:
        """STATISTICS [tensors] from `data`, the records of a pass with `rows` rows."""
        words = np.frombuffer(data, np.uint32).reshape(-1, WORDS)[self._slots, :_READ]  # [tensors, words]
        bad = words[:, :4]  # NaN, +inf, -inf; and zeros
        count = self._fixed + rows * self._per_row
        finite = count - bad[:, 0] - bad[:, 1] - bad[:, 2]
        some = finite > 0
        total = words[:, 6].copy().view(np.float32).astype(np.float64) / SCALE
        table = np.empty(len(self._slots), STATISTICS)
        table["count"], table["finite"] = count, finite
        table["nan"], table["pos_inf"], table["neg_inf"], table["zero"] = bad.T
        table["first_nonfinite"] = np.where(words[:, 7] > 0, (~words[:, 7]).astype(np.int64), -1)
        table["min"] = np.where(some, _key_values(~words[:, 4]), 0)
        table["max"] = np.where(some, _key_values(words[:, 5]), 0)
        table["mean"] = np.where(some, total / np.maximum(finite, 1), 0)
        return table


def read_table(measure: StatisticsPass, tensors: Sequence[Tensor]) -> np.ndarray:
    """STATISTICS [tensors] of the engine's latest pass. Blocks, so never call it inside a frame."""
    engine = measure.engine
    encoder = ComputeEncoder(engine.device)
    encoder.run(measure.work())
    encoder.submit()
    data = bytes(engine.device.queue.read_buffer(measure.records))
    return StatisticsTable(tensors, measure.slots).read(engine.registry.rows, data)


def _key_values(keys: np.ndarray) -> np.ndarray:
    """The float32 values with these sort keys; see wgsl/common/numbers.wgsl."""
    bits = np.where(keys >= 0x80000000, keys ^ np.uint32(0x80000000), ~keys)
    return bits.astype(np.uint32).view(np.float32)
