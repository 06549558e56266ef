"""Direct logit attribution against float64."""

from __future__ import annotations

import numpy as np
import pytest
import wgpu

from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.lens.attribution import NEURONS
from compute.lens.attribution_pass import AttributionPass
from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.selftest import reference
from compute.selftest.check import PASS
from compute.selftest.gpu import run_pass
from compute.selftest.lens import LensRunner, small_runner
from compute.selftest.models import rounded_model
from compute.weights.checkpoint import ArrayModel, open_model

from helpers import parallel_model
from helpers.gpu import assert_ok
from helpers.make_models import ODD_SHAPES, tiny_model

pytestmark = pytest.mark.gpu

TEXT = [7454, 2402, 257, 640, 11, 612, 373, 257, 1310, 2576, 3706]


@pytest.mark.parametrize("config", ODD_SHAPES, ids=str)
def test_random_models(device: wgpu.GPUDevice, config: ModelConfig) -> None:
    runner = small_runner(tiny_model(config), "f32", tokens=config.positions)
    last = runner.engine.registry.rows - 1
    for against, row in ((None, last), (0, last // 2)):
        assert_ok(runner.attribution_errors(config.vocabulary - 1, against, row).check("parts", str(config), PASS))


@pytest.mark.parametrize("layout", ["texture", "buffer"])
@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_stories(device: wgpu.GPUDevice, dtype: str, layout: str) -> None:
    source = open_model("stories")
    arrays = {name: source.tensor(name) for name in parameter_shapes(source.config)}
    exact = reference.in_float64(rounded_model(ArrayModel("stories", source.config, arrays), dtype))
    runner = LensRunner(source, exact, TEXT, LoadOptions(context=16, weights=dtype, layout=layout, measured=False))
    assert_ok(runner.attribution_errors(20037, 262, 10).check("parts", f"stories {dtype} {layout}", PASS))


def test_a_parallel_model(device: wgpu.GPUDevice) -> None:
    config = parallel_model.SMALL
    source = ArrayModel("parallel", config, parallel_model.random_weights(config))
    assert_ok(small_runner(source, "f32").attribution_errors(3, 5, 6).check("parts", "parallel", PASS))


def test_the_difference_is_that_of_the_two_logits(stories: Engine) -> None:
    run_pass(stories, TEXT)
    logits, attribution = stories.read_logits(), AttributionPass(stories)
    one = attribution.now(20037)
    both = attribution.now(20037, 262)
    assert one.logit == pytest.approx(float(logits[20037]), abs=2e-3)
    assert both.logit == pytest.approx(float(logits[20037] - logits[262]), abs=2e-3)
    for found in (one, both):
        assert abs(found.sum - found.logit) <= 2e-3
        assert [check.ok for check in found.checks()] == [True, True]


def test_a_token_against_itself_has_no_parts(stories: Engine) -> None:
    run_pass(stories, TEXT)
    found = AttributionPass(stories).now(11, 11)
    assert (found.logit, {part.value for part in found.parts}) == (0, {0})


def test_neurons_are_parts_of_their_mlp(stories: Engine) -> None:
    run_pass(stories, TEXT)
    found = AttributionPass(stories).now(20037)
    assert len(found.neurons) == NEURONS
    sizes = [abs(neuron.value) for neuron in found.neurons]
    assert sizes == sorted(sizes, reverse=True)
    first = found.neurons[0]
    block = first.name.split(".")[1]
    assert (first.reads, first.writes) == (f"h.{block}.mlp.c_fc.weight", f"h.{block}.mlp.c_proj.weight")
    assert first.about == f"Block {block}: Hidden neurons after GELU."
    assert f"h.{block}.mlp" in {part.name for part in found.parts}


def test_a_broken_sum_fails_its_check(stories: Engine) -> None:
    run_pass(stories, TEXT)
    found = AttributionPass(stories).now(20037)
    checks = type(found)(**(vars(found) | {"parts": found.parts[1:]})).checks()
    assert [check.ok for check in checks] == [False, True]
    nan = type(found)(**(vars(found) | {"logit": np.nan})).checks()
    assert [check.ok for check in nan] == [False, True]


@pytest.mark.parametrize(("target", "against", "row"), [(50257, None, 0), (0, -1, 0), (0, 50257, 0), (0, None, 4)])
def test_values_out_of_range(stories: Engine, target: int, against: int | None, row: int) -> None:
    run_pass(stories, TEXT[:4])
    with pytest.raises(UsageError, match=r"the model has 50257 tokens|the latest pass has 4 rows"):
        AttributionPass(stories).now(target, against, row)


def test_an_engine_without_activations_has_no_attribution(device: wgpu.GPUDevice) -> None:
    engine = Engine.load(tiny_model(), LoadOptions(trace=False, measured=False))
    with pytest.raises(UsageError, match="without activations"):
        AttributionPass(engine)
