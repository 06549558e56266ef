"""Statistics of the latest pass's attention patterns, each recomputed in turn."""

from __future__ import annotations

import numpy as np

from compute.forward.engine import Engine
from compute.gpu.wgpu_native import ComputeEncoder

from .patterns import PatternStore, row_of_keys
from .statistics import SAMPLE_COUNT, TensorStatistics


def pattern_statistics(engine: Engine) -> dict[str, TensorStatistics]:
    """Statistics (without histograms) of every pattern [heads, query, key], by name; empty before the first pass.

    They cover the whole arrays: a key after its query has weight 0 and counts as a zero. Reads back every pattern
    and blocks, so never call it inside a frame.
    """
    rows = engine.registry.rows
    if rows == 0:
        return {}
    store = PatternStore(engine, rows, budget=0)  # one buffer
    statistics = {}
    for tensor in store.tensors:
        buffer, work = store.all_rows(tensor)
        encoder = ComputeEncoder(engine.device)
        encoder.run(work)
        encoder.submit()
        values = np.frombuffer(engine.device.queue.read_buffer(buffer), np.float32)
        values = values.reshape(tensor.heads, rows, row_of_keys(engine.context))[:, :, :rows]
        statistics[tensor.name] = array_statistics(tensor.name, values)
    return statistics


def array_statistics(name: str, values: np.ndarray) -> TensorStatistics:
    """Statistics of float32 `values` of any shape, without a histogram."""
    flat = values.reshape(-1)
    good = np.isfinite(flat)
    finite = flat[good]
    smallest, largest = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return TensorStatistics(
        name=name,
        shape=values.shape,
        count=flat.size,
        finite=finite.size,
        nan=int(np.isnan(flat).sum()),
        pos_inf=int(np.isposinf(flat).sum()),
        neg_inf=int(np.isneginf(flat).sum()),
        zero=int((finite == 0).sum()),
        min=smallest,
        max=largest,
        mean=float(finite.mean(dtype=np.float64)) if finite.size else 0.0,
        std=float(finite.std(dtype=np.float64)) if finite.size else 0.0,
        absmax=max(abs(smallest), abs(largest)),
        first_nonfinite=None if good.all() else int(np.argmin(good)),
        samples=tuple(flat[:SAMPLE_COUNT].tolist()),
        histogram=(),
    )
