"""Statistics from the GPU, compared with NumPy's for the same tensors."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import wgpu

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions
from compute.selftest.check import KERNEL, Errors
from compute.selftest.statistics import compare, compare_all, corrupted_model
from compute.selftest.statistics import statistics as check_statistics
from compute.text.tokenizer import Tokenizer
from compute.views.statistics import StatisticsPass, TensorStatistics
from compute.weights.checkpoint import WeightSource, open_model

from helpers.gpu import assert_ok

pytestmark = pytest.mark.gpu

ODD = ModelConfig(layers=2, heads=3, channels=60, positions=40, vocabulary=26, padded_vocabulary=27)


def assert_all(engine: Engine, source: WeightSource, latest: Mapping[str, TensorStatistics]) -> None:
    """Check that `latest` equals NumPy's statistics of every tensor."""
    errors = Errors()
    compare_all(engine, source, latest, errors)
    assert_ok(errors.check("statistics", "", KERNEL))


@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
@pytest.mark.parametrize("layout", ["texture", "buffer"])
def test_every_tensor_of_a_corrupted_model(layout: str, dtype: str) -> None:
    source = corrupted_model(ODD)
    assert_ok(
        check_statistics(
            Engine.load(source, LoadOptions(context=12, weights=dtype, layout=layout, program="rows")), source
        )
    )


def test_weights_are_measured_in_slices(device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compute.views.statistics._SLICE", {"texture": 1, "buffer": 1})
    source = corrupted_model(ODD)
    engine = Engine.load(source, LoadOptions(context=12))
    statistics = StatisticsPass(engine)
    assert not statistics.poll()
    assert not statistics.pending
    statistics.update()
    polls = 0
    while statistics.pending:
        statistics.poll()
        polls += 1
    assert polls > 20
    errors = Errors()
    for name in ("wte", "h.1.mlp.c_fc.weight", "ln_f.bias"):
        compare(statistics.latest[name], source.tensor(name), errors)
    assert_ok(errors.check("statistics", "", KERNEL))


def test_new_rows_are_added(stories: Engine, tokenizer: Tokenizer) -> None:
    statistics = StatisticsPass(stories)
    generation = Generation(stories, tokenizer, "Once upon a time", GenerateOptions(max_new_tokens=6, context=64))
    rows = set()
    while not generation.done:
        if generation.advance(0.001) and generation.pass_complete:
            statistics.update()
            rows.add(stories.registry.rows)
    latest = statistics.read()
    assert len(rows) > 2
    assert statistics.first_bad() is None
    assert_all(stories, open_model("stories"), latest)
    statistics.update()
    assert not statistics.poll()
