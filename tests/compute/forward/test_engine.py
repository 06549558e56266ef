"""The whole model on the GPU against independent logits, and every activation against the float64 reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import wgpu

from compute.api.activation_reader import ActivationReader
from compute.errors import AtlasError, CheckpointError, UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.whole_pass import WholePass
from compute.generate.generator import Generation
from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions
from compute.selftest import reference
from compute.selftest.check import Errors
from compute.selftest.passes import compare
from compute.text.tokenizer import Tokenizer
from compute.weights.checkpoint import open_model
from compute.weights.llmc import write_llmc

from helpers.gpu import assert_ok, model_of, replay_of, rounded_model
from helpers.make_models import ODD_SHAPES, tiny_model
from helpers.paths import DATA

pytestmark = pytest.mark.gpu

TOLERANCE = 2e-3
# Head sizes 20, 36, 16 and 64; channels that are not a multiple of 8, 32 or 64; more and fewer rows than a chunk.
SHAPES = (
    ModelConfig(layers=3, heads=5, channels=100, positions=33, vocabulary=130, padded_vocabulary=130),
    ModelConfig(layers=1, heads=1, channels=36, positions=16, vocabulary=21, padded_vocabulary=24),
    ModelConfig(layers=2, heads=2, channels=32, positions=40, vocabulary=257, padded_vocabulary=384),
    *(shape for shape in ODD_SHAPES if shape.head_size in (16, 64)),
)
# Layout of the weights and the program that uses it: for software adapters, for all, for GPUs.
PATHS = (("texture", "rows"), ("buffer", "rows"), ("buffer", "fused"))
SMALL = ModelConfig(layers=2, heads=3, channels=60, positions=24, vocabulary=33, padded_vocabulary=40)


def some_tokens(config: ModelConfig, count: int, seed: int = 0) -> list[int]:
    return [int(token) for token in np.random.default_rng(seed).integers(config.vocabulary, size=count)]


def assert_activations(engine: Engine, expected: dict[str, np.ndarray]) -> None:
    """Every activation in the registry has the expected shape and values, and none is missing."""
    known = {tensor.name for tensor in engine.registry if tensor.kind != "weight"}
    assert known == set(expected)
    errors = Errors()
    compare(engine, expected, errors, "pass")
    assert_ok(errors.check("pass", "", TOLERANCE))


def computed(engine: Engine) -> dict[str, np.ndarray]:
    """Everything that the latest pass computed, by name."""
    names = [tensor.name for tensor in engine.registry if tensor.kind not in ("weight", "logits")]
    return {**ActivationReader(engine).read(names), "logits": engine.read_logits()}


# -- the embedded model


@pytest.fixture(scope="module")
def stories_f32(tmp_path_factory: pytest.TempPathFactory, device: wgpu.GPUDevice) -> Engine:
    """A version 3 copy of the embedded model."""
    source = open_model("stories")
    path = tmp_path_factory.mktemp("f32") / "stories_f32.bin"
    write_llmc(path, source.config, source.tensor, 3)
    copy = open_model(str(path))
    assert copy.dtype == "f32"
    return Engine.load(copy, LoadOptions(context=64))


@pytest.mark.parametrize("model", ["stories", "stories_f32"])
@pytest.mark.parametrize(("run", "steps"), [("once", 24), ("webgpu", 12), ("fox", 16)])
def test_logits_and_tokens_of_the_independent_model(
    request: pytest.FixtureRequest, tokenizer: Tokenizer, model: str, run: str, steps: int
) -> None:
    engine: Engine = request.getfixturevalue(model)
    with np.load(DATA / "stories_greedy.npz") as greedy:
        wanted = {key.removeprefix(f"{run}."): greedy[key] for key in greedy.files if key.startswith(f"{run}.")}
    options = GenerateOptions(max_new_tokens=steps, temperature=0, context=64)
    generation = Generation(engine, tokenizer, str(wanted["prompt"]), options)
    for step in range(steps):
        generation.step()
        logits = engine.read_logits()[wanted["index"][step]]
        assert np.abs(logits - wanted["logit"][step]).max() <= TOLERANCE
    assert generation.tokens == wanted["tokens"].tolist()
    assert generation.stop_reason == "length"
    assert all(step.rank == 1 and step.probability == 1 for step in generation.steps)


def test_every_activation_of_the_embedded_model(stories: Engine) -> None:
    tokens = some_tokens(stories.config, 21)
    WholePass(stories).run(tokens)
    assert_activations(stories, reference.forward(open_model("stories"), tokens))


# -- random models of odd shapes


@pytest.mark.parametrize("config", SHAPES, ids=lambda c: f"{c.layers}x{c.heads}x{c.head_size}")
@pytest.mark.parametrize(("layout", "program"), PATHS)
def test_every_activation_of_odd_shapes(device: wgpu.GPUDevice, config: ModelConfig, layout: str, program: str) -> None:
    model = tiny_model(config)
    engine = Engine.load(model, LoadOptions(context=config.positions, layout=layout, program=program))
    assert engine.path == program
    for count in sorted({1, min(5, config.positions), config.positions}):
        tokens = some_tokens(config, count)
        replay_of(engine, tokens).go(0)
        assert_activations(engine, reference.forward(model, tokens))


@pytest.mark.parametrize(("layout", "program"), PATHS)
@pytest.mark.parametrize("dtype", ["bf16", "f16"])
def test_rounded_weights(device: wgpu.GPUDevice, dtype: str, layout: str, program: str) -> None:
    tokens = some_tokens(SMALL, 19)
    model = tiny_model(SMALL)
    wanted = reference.forward(rounded_model(model, dtype), tokens)
    source, weights = (model, dtype) if layout == "texture" else (rounded_model(model, dtype), "native")
    engine = Engine.load(source, LoadOptions(context=24, layout=layout, weights=weights, program=program))
    assert engine.dtype == dtype
    replay_of(engine, tokens).go(0)
    assert_activations(engine, wanted)
    # Rounding changes the logits: otherwise the test above would pass with weights that were never rounded.
    exact = reference.forward(model, tokens)["logits"]
    assert np.abs(wanted["logits"] - exact).max() > 2 * TOLERANCE


class SmallLimits:
    """The device with a binding limit of `size` bytes."""

    def __init__(self, device: wgpu.GPUDevice, size: int) -> None:
        self._real = device
        self.limits = {**device.limits, "max-storage-buffer-binding-size": size}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize(("limit", "context", "split"), [(5000, 3, [3, 2, 2]), (9000, 4, [2, 1, 1])])
def test_matrices_and_activations_above_the_binding_limit(
    device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch, limit: int, context: int, split: list[int]
) -> None:
    config = ModelConfig(layers=3, heads=5, channels=20, positions=33, vocabulary=130, padded_vocabulary=130)
    monkeypatch.setattr("compute.forward.model_memory.shared_device", lambda adapter: SmallLimits(device, limit))
    model = tiny_model(config)
    engine = Engine.load(model, LoadOptions(context=context, layout="buffer"))
    names = ("wte", "h.0.mlp.c_fc.weight", "h.0.mlp.c_proj.weight")
    assert [len(engine.storages[name].shards) for name in names] == split
    assert engine.activations is not None
    assert len(engine.activations.arenas) > 1
    for tokens in ([129, 0, 62], [61]):
        replay_of(engine, tokens).go(0)
        assert_activations(engine, reference.forward(model, tokens))
    with pytest.raises(AtlasError, match=r"a context of 9 tokens .* use context=\d or less$"):
        Engine.load(model, LoadOptions(context=9, layout="buffer"))


@pytest.mark.parametrize("head_size", [1, 2, 6])
def test_a_head_size_that_is_not_a_multiple_of_4_is_refused(device: wgpu.GPUDevice, head_size: int) -> None:
    model = tiny_model(ModelConfig(1, 12 // head_size, 12, 9, 21, 24))
    with pytest.raises(CheckpointError, match=rf"head size {head_size} \(channels / heads\) is not a multiple of 4;"):
        Engine.load(model, LoadOptions(context=9))


@pytest.mark.parametrize(("layout", "program"), PATHS[1:])
def test_without_trace_the_logits_are_the_same(device: wgpu.GPUDevice, layout: str, program: str) -> None:
    model, tokens = tiny_model(SMALL), some_tokens(SMALL, 20)
    logits = []
    for trace in (True, False):
        engine = Engine.load(model, LoadOptions(context=24, trace=trace, layout=layout, program=program))
        replay_of(engine, tokens).go(0)
        logits.append(engine.read_logits())
    assert np.array_equal(logits[0], logits[1])
    names = {tensor.name for tensor in engine.registry}
    assert names == {*parameter_shapes(SMALL), "logits"}


def test_nonfinite_values_reach_the_activations(device: wgpu.GPUDevice) -> None:
    model = tiny_model(SMALL)
    model.tensor("h.1.mlp.c_fc.bias")[7] = np.nan
    run = model_of(model, context=24).run([1, 2, 3], keep="h.1.*")
    assert np.isfinite(run["h.1.ln_2"]).all()
    for name in ("h.1.mlp.c_fc", "h.1.mlp.gelu"):
        bad = ~np.isfinite(run[name])
        assert bad[:, 7].all()
        assert bad.sum() == 3
    assert np.isnan(run["h.1.resid_post"]).all()


@pytest.mark.parametrize("context", [0, -1, 25])
def test_a_context_outside_the_positions_is_refused(device: wgpu.GPUDevice, context: int) -> None:
    with pytest.raises(UsageError, match="must be from 1 to 24"):
        Engine.load(tiny_model(SMALL), LoadOptions(context=context))


def test_loading_in_steps_reports_progress_and_gives_the_same_engine(device: wgpu.GPUDevice) -> None:
    model, tokens = tiny_model(SMALL), some_tokens(SMALL, 20)
    steps, progress = Engine.loading(model, LoadOptions()), []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as end:
            engine: Engine = end.value
            break
    assert list(dict.fromkeys(what for what, _ in progress)) == ["weights", "kernels"]
    for activity in ("weights", "kernels"):
        fractions = [done for what, done in progress if what == activity]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1
    assert engine.context == SMALL.positions  # by default
    at_once = Engine.load(model, LoadOptions(context=SMALL.positions))
    for made in (engine, at_once):
        WholePass(made).run(tokens)
    assert np.array_equal(engine.read_logits(), at_once.read_logits())


# -- contexts and the cache


@pytest.fixture(scope="module", params=PATHS, ids=lambda path: "-".join(path))
def small(request: pytest.FixtureRequest, device: wgpu.GPUDevice) -> Engine:
    layout, program = request.param
    return Engine.load(tiny_model(SMALL), LoadOptions(context=SMALL.positions, layout=layout, program=program))


@pytest.mark.parametrize("context", [1, 2, 5, 16, 17, 18, 24])
def test_every_context_equals_a_fresh_pass_over_it(small: Engine, context: int) -> None:
    model, text = tiny_model(SMALL), some_tokens(SMALL, 45, seed=context)
    for total in (1, 2, context, context + 1, SMALL.positions, SMALL.positions + 1, 45):
        replay_of(small, text[:total], context=context).go(0)
        count = min(context, total)
        start = min(total - count, SMALL.positions - count)
        wanted = reference.forward(model, text[total - count : total], start)
        assert_activations(small, wanted)
        assert small.registry.rows == count
        assert small.registry.first_position == start


@pytest.mark.parametrize("context", [7, 17, 24])
def test_cached_rows_equal_recomputed_rows(small: Engine, context: int) -> None:
    text = some_tokens(SMALL, context, seed=1)
    replay = replay_of(small, text[:1], text[1:], context=context)
    for step in range(context):
        replay.go(step)
    cached = computed(small)
    replay_of(small, some_tokens(SMALL, context, seed=2), context=context).go(0)
    replay_of(small, text, context=context).go(0)
    for name, recomputed in computed(small).items():
        assert np.abs(cached[name] - recomputed).max() <= 1e-5 * max(1, np.abs(recomputed).max()), name


def test_a_longer_prompt_after_valid_rows(small: Engine) -> None:
    text = some_tokens(SMALL, 24, seed=3)
    replay = replay_of(small, text[:4], text[4:])
    replay.go(0)
    replay.go(len(text) - 4)
    assert_activations(small, reference.forward(tiny_model(SMALL), text))


def test_the_programs_agree(device: wgpu.GPUDevice) -> None:
    model, tokens = tiny_model(SMALL), some_tokens(SMALL, 24)
    logits = []
    for layout, program in PATHS:
        engine = Engine.load(model, LoadOptions(context=24, layout=layout, program=program))
        replay_of(engine, tokens).go(0)
        logits.append(engine.read_logits())
    assert max(np.abs(other - logits[0]).max() for other in logits[1:]) <= 1e-4
