"""Statistics of many tensors as one NumPy table: for recordings, where an object a tensor would cost too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .native import ComputeEncoder
from .registry import Tensor
from .statistics import SCALE, WORDS, StatisticsPass

# min, max and mean are over the finite values, 0 when there are none; first_nonfinite is a flat index, -1 for none.
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


def statistics_table(tensors: Sequence[Tensor], slots: Mapping[str, int], rows: int, data: bytes) -> np.ndarray:
    """STATISTICS [tensors] from `data`, the words that a `StatisticsPass` with these slots left of a pass of `rows`."""
    words = np.frombuffer(data, np.uint32).reshape(-1, WORDS)  # [slots, words]
    words = words[[slots[tensor.name] for tensor in tensors]]  # [tensors, words]
    table = np.zeros(len(tensors), STATISTICS)
    table["count"] = [(rows if tensor.rows is None else tensor.rows) * tensor.columns for tensor in tensors]
    for number, name in enumerate(("nan", "pos_inf", "neg_inf", "zero")):
        table[name] = words[:, number]
    finite = table["count"] - table["nan"] - table["pos_inf"] - table["neg_inf"]
    table["finite"] = finite
    table["first_nonfinite"] = np.where(words[:, 7] > 0, (~words[:, 7]).astype(np.int64), -1)
    some = finite > 0
    table["min"] = np.where(some, _key_values(~words[:, 4]), 0)
    table["max"] = np.where(some, _key_values(words[:, 5]), 0)
    total = words[:, 6].copy().view(np.float32).astype(np.float64) / SCALE
    table["mean"] = np.where(some, total / np.maximum(finite, 1), 0)
    return table


def read_table(measure: StatisticsPass, tensors: Sequence[Tensor]) -> np.ndarray:
    """STATISTICS [tensors] of the engine's latest pass. Blocks: never inside a frame."""
    engine = measure.engine
    encoder = ComputeEncoder(engine.device)
    encoder.run(measure.work())
    encoder.submit()
    data = bytes(engine.device.queue.read_buffer(measure.records))
    return statistics_table(tensors, measure.slots, engine.registry.rows, data)


def _key_values(keys: np.ndarray) -> np.ndarray:
    """The float32 that have these sort keys, see wgsl/common/numbers.wgsl."""
    bits = np.where(keys >= 0x80000000, keys ^ np.uint32(0x80000000), ~keys)
    return bits.astype(np.uint32).view(np.float32)
