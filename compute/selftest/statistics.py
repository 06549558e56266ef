"""Checks of the statistics of every tensor against NumPy on the same values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compute.forward.engine import Engine
from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.views.statistics import HISTOGRAM_EDGES, StatisticsPass, TensorStatistics
from compute.weights.checkpoint import ArrayModel, WeightSource
from compute.weights.weight_types import parameter

from .check import KERNEL, Check, Errors
from .gpu import read_tensor, run_pass
from .models import loud_model, shape_of, some_tokens


def corrupted_model(config: ModelConfig) -> ArrayModel:
    """A model with every kind of non-finite and extreme value in three weights of its first and last block."""
    model, description = loud_model(config), describe(config)
    arrays = {name: np.array(model.tensor(name), np.float32) for name in description.weights}
    first, last = description.sections[1].weights, description.sections[-2].weights
    matrix = arrays[max(last, key=lambda weight: weight.count).name].reshape(-1)
    matrix[[7, 100, 3000, 5000]] = np.nan, np.inf, -np.inf, -0.0
    vectors = [[weight.name for weight in weights if len(weight.shape) == 1] for weights in (first, last)]
    arrays[vectors[0][0]][:3] = 3e38, -3e38, 1e-30
    arrays[vectors[1][-1]][:] = -np.inf
    return ArrayModel("corrupted", config, arrays)


def compare(known: TensorStatistics, values: np.ndarray, errors: Errors) -> None:
    """Compare `known` with NumPy's statistics of `values`: exactly, except for mean and deviation, which are sums."""
    values = values.astype(np.float64)
    flat, name = values.ravel(), known.name
    good = flat[np.isfinite(flat)]
    errors.same(known.shape, values.shape, f"{name}: shape")
    counts = (flat.size, good.size, np.isnan(flat).sum(), (flat == np.inf).sum(), (flat == -np.inf).sum())
    errors.same((known.count, known.finite, known.nan, known.pos_inf, known.neg_inf), counts, f"{name}: counts")
    errors.same(known.zero, (flat == 0).sum(), f"{name}: zeros")
    first = np.flatnonzero(~np.isfinite(flat))[0] if good.size < flat.size else None
    errors.same(known.first_nonfinite, first, f"{name}: first that is not finite")
    errors.same(np.array(known.samples, np.float64), flat[:6], f"{name}: samples")
    edges = np.array(HISTOGRAM_EDGES)
    below = np.searchsorted(edges, good, side="left") - 1  # negative bins include their upper edge
    above = np.searchsorted(edges, good, side="right") - 1
    histogram = np.bincount(np.where(good < 0, below, above), minlength=64)
    errors.same(np.array(known.histogram), histogram, f"{name}: histogram")
    extremes = (good.min(), good.max(), np.abs(good).max()) if good.size else (0, 0, 0)
    errors.same((known.min, known.max, known.absmax), extremes, f"{name}: extremes")
    scale = max(known.absmax, 1e-30)
    errors.close(known.mean / scale, (good.mean() if good.size else 0.0) / scale, f"{name}: mean")
    deviation = good.std() if good.size else 0.0
    errors.close(
        (known.std or 0.0) / max(deviation, 1e-18), deviation / max(deviation, 1e-18), f"{name}: standard deviation"
    )


def compare_all(engine: Engine, source: WeightSource, latest: Mapping[str, TensorStatistics], errors: Errors) -> None:
    """Compare the statistics of every tensor that the engine keeps."""
    tensors = [tensor for tensor in engine.registry if tensor.kept]
    errors.same(list(latest), [tensor.name for tensor in tensors], "names")
    with np.errstate(over="ignore"):
        for tensor in tensors:
            if tensor.kind == "weight":
                compare(latest[tensor.name], parameter(source, tensor.name, engine.types), errors)
            else:
                compare(latest[tensor.name], read_tensor(engine, tensor.name), errors)


def statistics(engine: Engine, source: WeightSource) -> Check:
    """A growing text. source: the engine's weights."""
    tokens, errors = some_tokens(engine.config, 12), Errors()
    run_pass(engine, tokens[:5])
    measured = StatisticsPass(engine)
    for total in (5, 6, 7, 12):
        run_pass(engine, tokens[:total], valid_rows=total - 1 if total in (6, 7) else 0)
        latest = measured.read()
        compare_all(engine, source, latest, errors)
    first = next((known.name for known in latest.values() if known.finite < known.count), None)
    errors.same(measured.first_bad(), first, "first tensor with a value that is not finite")
    name = "statistics" if first is None else "statistics of values that are not finite"
    return errors.check(name, f"{shape_of(engine.config)}, {engine.dtype} in {engine.layout}s", KERNEL)
