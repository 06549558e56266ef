"""An architecture that one file of the tests defines: loaded from its files, run, and found in every view."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from atlas_viewer.cli.main import main
from compute.api.activation_reader import ActivationReader
from compute.errors import CheckpointError, UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.tiled_program import TiledProgram
from compute.forward.whole_pass import WholePass
from compute.models.architectures import describe, parameter_count, register
from compute.models.config import ModelConfig
from compute.models.names import block_name
from compute.views.map_layout import map_layout
from compute.views.statistics import StatisticsPass
from compute.views.strip_layout import strip_layout
from compute.views.trace import records
from compute.weights.checkpoint import open_model
from compute.weights.convert import convert
from compute.weights.llmc import write_llmc
from compute.weights.random_model import RandomModel
from compute.weights.verify import verify

from helpers.gpu import logits_after, replay_of
from helpers.parallel_model import PARALLEL, SMALL, random_weights, write_parallel
from helpers.small_tokenizers import byte_level, write_folder

TOLERANCE = 2e-3
# More rows than a chunk of any program.
LONG = ModelConfig(
    layers=1, heads=5, channels=20, positions=300, vocabulary=130, padded_vocabulary=130, architecture="parallel_relu"
)
# Layout, program and type of the weights: on software adapters, on all adapters, on GPUs.
WAYS = (
    ("texture", "rows", "f32"), ("texture", "rows", "f16"), ("buffer", "rows", "f32"), ("buffer", "auto", "f32"),
    ("buffer", "auto", "bf16"),
)  # fmt: skip

Array = np.ndarray


def exact(weights: Mapping[str, Array], config: ModelConfig, tokens: Sequence[int], start: int = 0) -> dict[str, Array]:
    """Every activation in float64 by its name. start: position of the first token."""
    w = {name: values.astype(np.float64) for name, values in weights.items()}
    count, heads, size = len(tokens), config.heads, config.channels // config.heads
    acts: dict[str, Array] = {}

    def norm(x: Array, scale: Array) -> Array:
        centered = x - x.mean(1, keepdims=True)
        normed: Array = centered / np.sqrt((centered**2).mean(1, keepdims=True) + 1e-5) * scale
        return normed

    acts["embed.tokens"] = w["wte"][list(tokens)]
    acts["embed.positions"] = w["wpe"][start : start + count]
    acts["embed.sum"] = x = acts["embed.tokens"] + acts["embed.positions"]
    for layer in range(config.layers):
        b = {name: block_name(layer, name) for name in SHORT_NAMES}
        acts[b["resid_pre"]] = x
        acts[b["ln_1"]] = normed = norm(x, w[b["ln_1"] + ".weight"])
        acts[b["attn.qkv"]] = qkv = normed @ w[block_name(layer, "attn.c_attn.weight")].T
        q, k, v = qkv.reshape(count, 3, heads, size).transpose(1, 2, 0, 3)
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(size)
        scores[:, np.triu(np.ones((count, count), bool), 1)] = -np.inf
        pattern = np.exp(scores - scores.max(2, keepdims=True))
        acts[b["attn.pattern"]] = pattern = pattern / pattern.sum(2, keepdims=True)
        acts[b["attn.out"]] = mixed = (pattern @ v).transpose(1, 0, 2).reshape(count, heads * size)
        acts[b["attn.c_proj"]] = attention = mixed @ w[b["attn.c_proj"] + ".weight"].T
        acts[b["mlp.c_fc"]] = hidden = normed @ w[b["mlp.c_fc"] + ".weight"].T
        acts[b["mlp.relu"]] = hidden = np.maximum(hidden, 0)
        acts[b["mlp.c_proj"]] = mlp = hidden @ w[b["mlp.c_proj"] + ".weight"].T
        acts[b["resid_post"]] = x = x + attention + mlp
    acts["ln_f"] = x = norm(x, w["ln_f.weight"])
    acts["logits"] = w["lm_head.weight"] @ x[-1]
    return acts


SHORT_NAMES = (
    "resid_pre", "ln_1", "attn.qkv", "attn.pattern", "attn.out", "attn.c_proj", "mlp.c_fc", "mlp.relu", "mlp.c_proj",
    "resid_post",
)  # fmt: skip


def some_tokens(config: ModelConfig, count: int) -> list[int]:
    return [int(token) for token in np.random.default_rng(1).integers(config.vocabulary, size=count)]


def assert_close(got: Array, expected: Array, name: str) -> None:
    """Within the tolerance, relative to values above 1."""
    assert got.shape == expected.shape, name
    error = np.abs(got - expected) / np.maximum(1, np.abs(expected))
    assert error.max() <= TOLERANCE, f"{name}: off by {error.max():.2g}"


def assert_logits(engine: Engine, expected: Array, case: str) -> None:
    logits = engine.read_logits()
    assert_close(logits, expected, f"logits {case}")
    assert logits.argmax() == expected.argmax(), case


# -- files


@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_its_files_are_read(tmp_path: Path, dtype: str, prefix: str) -> None:
    model = open_model(str(write_parallel(tmp_path, SMALL, dtype, prefix=prefix)))
    assert (model.config, model.dtype) == (SMALL, dtype)
    written = random_weights(SMALL, dtype)
    assert {report.name for report in verify(model)} == set(written)
    assert parameter_count(SMALL) == sum(values.size for values in written.values())
    for name, values in written.items():
        assert model.tensor(name).tobytes() == values.tobytes(), name


def test_it_converts_to_hugging_face_layout_only(tmp_path: Path) -> None:
    source = write_parallel(tmp_path / "source", prefix="")
    model = open_model(str(source))
    convert(model, tmp_path / "copy")
    copy, original = (load_file(folder / "model.safetensors") for folder in (tmp_path / "copy", source))
    assert copy.keys() == original.keys()
    assert all(np.array_equal(copy[name], original[name]) for name in copy)
    config = json.loads((tmp_path / "copy" / "config.json").read_text())
    assert config["tie_word_embeddings"] is False
    assert open_model(str(tmp_path / "copy")).config == SMALL
    with pytest.raises(UsageError, match=r"llm\.c files cannot contain a parallel ReLU model"):
        convert(model, tmp_path / "copy.bin")
    with pytest.raises(ValueError, match="the architecture parallel_relu"):
        write_llmc(tmp_path / "copy.bin", SMALL, model.tensor)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"model_type": "opt"},
            "of type opt, but only gpt2, llama, mistral, qwen2,",
        ),
        ({"hidden_act": "gelu"}, "hidden_act is gelu, but only relu is supported"),
        ({"intermediate_size": 144}, "intermediate_size is 144, but only 108 (3 times hidden_size) is supported"),
        ({"num_attention_heads": 5}, "channels 36 are not divisible by heads 5"),
        ({"architectures": ["GPT2LMHeadModel"]}, "use a ParallelForCausalLM"),
        (
            {"tie_word_embeddings": True},
            "lm_head.weight is tied to model.wte.weight; a parallel ReLU model with",
        ),
        ({"num_hidden_layers": 3}, "model.h.2.ln_1.weight is missing"),
        ({"num_hidden_layers": 1}, "is not a tensor of parallel ReLU model"),
        ({"vocab_size": 96}, "has shape [97, 36], must be [96, 36]"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, fields: dict[str, object], expected: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        open_model(str(write_parallel(tmp_path, fields=fields)))
    assert expected in str(caught.value)


def test_a_missing_head_is_reported(tmp_path: Path) -> None:
    file = write_parallel(tmp_path) / "model.safetensors"
    tensors = load_file(file)
    del tensors["lm_head.weight"]
    save_file(tensors, file)
    with pytest.raises(CheckpointError, match=r"lm_head\.weight is missing"):
        open_model(str(tmp_path))


def test_random_weights_follow_the_description() -> None:
    model = RandomModel(SMALL)
    assert abs(model.tensor("h.1.ln_1.weight").mean() - 1) < 0.02
    assert 0.017 < model.tensor("lm_head.weight").std() < 0.023
    assert 0.017 < model.tensor("h.0.mlp.c_fc.weight").std() < 0.023
    # What blocks add to the residual stream is divided by the square root of 2 * layers.
    for name in ("h.0.attn.c_proj.weight", "h.1.mlp.c_proj.weight"):
        assert 0.0085 < model.tensor(name).std() < 0.0115, name


def test_a_name_or_model_type_is_registered_once() -> None:
    with pytest.raises(ValueError, match="already"):
        register(PARALLEL)


# -- runs


@pytest.mark.gpu
@pytest.mark.parametrize(("layout", "program", "dtype"), WAYS)
@pytest.mark.parametrize("config", [SMALL, LONG], ids=["small", "long"])
def test_every_activation_equals_float64(
    tmp_path: Path, config: ModelConfig, layout: str, program: str, dtype: str
) -> None:
    source = open_model(str(write_parallel(tmp_path, config, dtype)))
    engine = Engine.load(source, LoadOptions(layout=layout, program=program, measured=False))
    assert engine.path == ("fused" if program == "auto" else "rows")
    assert isinstance(engine.prefill, TiledProgram) == (program == "auto")
    weights = random_weights(config, dtype)
    text = some_tokens(config, config.positions + 7)
    prompt = config.positions - 3
    reader = ActivationReader(engine)
    replay = replay_of(engine, text[:prompt], text[prompt : prompt + 3])
    for step in range(4):  # the prompt, then one cached token after the other
        replay.go(step)
        total = prompt + step
        expected = exact(weights, config, text[:total])
        for name, values in reader.read(expected.keys() - {"logits"}).items():
            assert_close(values, expected[name], f"{name} of {total}")
        assert_logits(engine, expected["logits"], f"of {total}")
    # A context that slid past the positions, then a short one at later positions.
    for context in (config.positions, 5):
        replay_of(engine, text, context=context).go(0)
        start = min(len(text) - context, config.positions - context)
        expected = exact(weights, config, text[-context:], start)
        assert_close(reader.read(["ln_f"])["ln_f"], expected["ln_f"], f"ln_f of {context}")
        assert_logits(engine, expected["logits"], f"of the last {context}")


@pytest.mark.gpu
@pytest.mark.parametrize(("layout", "program"), [("texture", "rows"), ("buffer", "auto")])
def test_logits_without_a_trace(tmp_path: Path, layout: str, program: str) -> None:
    source = open_model(str(write_parallel(tmp_path)))
    options = LoadOptions(layout=layout, program=program, trace=False, measured=False)
    engine = Engine.load(source, options)
    text = some_tokens(SMALL, 20)
    expected = exact(random_weights(SMALL), SMALL, text)["logits"]
    assert_close(logits_after(engine, text, engine.context), expected, "logits")


# -- views


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The small model after a pass of 7 tokens."""
    source = open_model(str(write_parallel(tmp_path_factory.mktemp("parallel"))))
    engine = Engine.load(source, LoadOptions(measured=False))
    WholePass(engine).run(some_tokens(SMALL, 7))
    return engine


def all_names() -> set[str]:
    """The weights, and the activations that the reference computes."""
    return {*random_weights(SMALL), *exact(random_weights(SMALL), SMALL, [0])}


@pytest.mark.gpu
def test_it_is_in_the_registry_and_the_trace(engine: Engine) -> None:
    assert {tensor.name for tensor in engine.registry} == all_names()
    statistics = StatisticsPass(engine).read()
    layout = strip_layout(engine.registry)
    trace = {record["name"]: record for record in records(engine, statistics, layout)}
    kept = {tensor.name for tensor in engine.registry if tensor.kept}
    assert trace.keys() == kept
    assert trace["h.1.mlp.relu"]["shape"] == [7, 108]
    assert trace["lm_head.weight"]["count"] == 97 * 36
    assert all(record["finite"] == record["count"] for record in trace.values())
    assert trace["h.0.mlp.relu"]["min"] == 0


@pytest.mark.gpu
def test_commands_take_it_by_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = replace(SMALL, vocabulary=360, padded_vocabulary=360)
    folder = write_folder(write_parallel(tmp_path, config))
    assert main(["trace", "the cat sat", "--model", str(folder), "--json"]) == 0
    trace = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    text = byte_level().encode("the cat sat").ids
    expected = exact(random_weights(config), config, text)
    assert trace["h.1.mlp.relu"]["shape"] == [len(text), 108]
    for name in ("h.1.resid_post", "logits"):
        assert_close(np.array(trace[name]["max"]), expected[name].max(), name)


@pytest.mark.gpu
def test_it_is_in_strip(engine: Engine) -> None:
    spans = {span.name: span for span in strip_layout(engine.registry).spans}
    for name, operation in describe(SMALL).outputs.items():
        if name not in describe(SMALL).aliases:
            assert spans[name].values == operation.columns * (1 if name == "logits" else 7), name
    assert spans["h.1.mlp.c_proj.weight"].values == 36 * 108


@pytest.mark.gpu
def test_it_is_on_map(engine: Engine) -> None:
    layout = map_layout(engine.registry, 9)
    assert layout.placements.keys() == all_names()
    assert [region.title for region in layout.regions] == ["embedding", "h.0", "h.1", "head"]
    # The first and the last value of each tensor have cells of their own, at which they are found again.
    for name, values in (random_weights(SMALL) | exact(random_weights(SMALL), SMALL, some_tokens(SMALL, 9))).items():
        placement, columns = layout.placements[name], values.shape[-1]
        rows = values.size // columns
        assert (placement.rows, placement.columns) == (rows, columns), name
        for row, column in ((0, 0), (rows - 1, columns - 1)):
            assert layout.cell_at(*layout.cell_of(name, row, column)) == (name, row, column)
