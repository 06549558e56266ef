"""Statistics made on the GPU against NumPy's, on the very same tensors."""

from __future__ import annotations

import numpy as np
import pytest
import wgpu
from gpu import read_tensor, run_pass
from make_models import tiny_model

from compute.checkpoint import ArrayModel, WeightSource, open_model
from compute.config import ModelConfig, parameter_shapes
from compute.engine import Engine
from compute.generator import Generation
from compute.options import GenerateOptions
from compute.statistics import HISTOGRAM_EDGES, StatisticsPass, TensorStatistics
from compute.tokenizer import Tokenizer
from compute.weights import DTYPES

ODD = ModelConfig(layers=2, heads=3, channels=60, positions=40, vocabulary=26, padded_vocabulary=27)


def assert_equal(known: TensorStatistics, values: np.ndarray) -> None:
    """`known` is what NumPy says of `values`."""
    values = values.astype(np.float64)
    flat = values.ravel()
    good = flat[np.isfinite(flat)]
    assert known.shape == values.shape, known.name
    counts = (flat.size, good.size, np.isnan(flat).sum(), (flat == np.inf).sum(), (flat == -np.inf).sum())
    assert (known.count, known.finite, known.nan, known.pos_inf, known.neg_inf) == counts, known.name
    assert known.zero == (flat == 0).sum()
    assert known.first_nonfinite == (np.flatnonzero(~np.isfinite(flat))[0] if good.size < flat.size else None)
    assert np.array_equal(known.samples, flat[:6], equal_nan=True)
    edges = np.array(HISTOGRAM_EDGES)
    below = np.searchsorted(edges, good, side="left") - 1  # negative bins hold their upper edge
    above = np.searchsorted(edges, good, side="right") - 1
    assert known.histogram == tuple(np.bincount(np.where(good < 0, below, above), minlength=64)), known.name
    if good.size == 0:
        assert (known.min, known.max, known.mean, known.absmax) == (0, 0, 0, 0)
        return
    assert (known.min, known.max, known.absmax) == (good.min(), good.max(), np.abs(good).max()), known.name
    assert abs(known.mean - good.mean()) <= 1e-5 * known.absmax, known.name


def assert_all(engine: Engine, source: WeightSource, latest: dict[str, TensorStatistics]) -> None:
    tensors = [tensor for tensor in engine.registry if tensor.kept]
    assert list(latest) == [tensor.name for tensor in tensors]
    chosen = DTYPES[engine.dtype]
    for tensor in tensors:
        if tensor.family == "weight":
            assert_equal(latest[tensor.name], source.tensor(tensor.name).astype(chosen))
        else:
            assert_equal(latest[tensor.name], read_tensor(engine, tensor.name))


def spoilt(config: ModelConfig) -> ArrayModel:
    """A model with values of every kind in two of its weights."""
    model = tiny_model(config)
    arrays = {name: np.array(model.tensor(name), np.float32) for name in parameter_shapes(config)}
    bad = arrays["h.1.mlp.c_fc.weight"].reshape(-1)
    bad[[7, 100, 3000, 9000]] = np.nan, np.inf, -np.inf, -0.0
    arrays["h.1.mlp.c_proj.bias"][:] = -np.inf
    arrays["h.0.ln_1.weight"][:3] = 3e38, -3e38, 1e-30
    return ArrayModel("spoilt", config, arrays)


@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
@pytest.mark.parametrize("layout", ["texture", "buffer"])
def test_every_tensor_of_a_spoilt_model(tokenizer: Tokenizer, layout: str, dtype: str) -> None:
    source = spoilt(ODD)
    engine = Engine(source, context=12, weights=dtype, layout=layout, program="rows")
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 26, 12).tolist()
    for total in (5, 6, 7, 12):
        run_pass(engine, tokens[:total])
        if total == 5:
            statistics = StatisticsPass(engine)
        latest = statistics.read()
    with np.errstate(over="ignore"):
        assert_all(engine, source, latest)
    assert statistics.first_bad() == next(s.name for s in latest.values() if s.finite < s.count)


def test_weights_are_measured_in_slices(device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compute.statistics._SLICE", {"texture": 1, "buffer": 1})
    source = spoilt(ODD)
    engine = Engine(source, context=12)
    statistics = StatisticsPass(engine)
    assert not statistics.poll()
    assert not statistics.pending
    statistics.update()
    polls = 0
    while statistics.pending:
        statistics.poll()
        polls += 1
    assert polls > 20
    with np.errstate(over="ignore"):
        for name in ("wte", "h.1.mlp.c_fc.weight", "ln_f.bias"):
            assert_equal(statistics.latest[name], source.tensor(name))


def test_new_rows_are_added(stories: Engine, tokenizer: Tokenizer) -> None:
    statistics = StatisticsPass(stories)
    generation = Generation(stories, tokenizer, "Once upon a time", GenerateOptions(max_new_tokens=6, context=64))
    rows = set()
    while not generation.done:
        if generation.advance(0.001) and generation.settled:
            statistics.update()
            rows.add(stories.registry.rows)
    latest = statistics.read()
    assert len(rows) > 2
    assert statistics.first_bad() is None
    assert_all(stories, open_model("stories"), latest)
    statistics.update()
    assert not statistics.poll()
