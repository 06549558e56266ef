"""The architectures with rotary positions: their files, NumPy by hand, transformers, and what is kept of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import atlas_viewer as av
from compute.errors import CheckpointError, UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.models.architectures import describe, known_shapes, parameter_count
from compute.models.config import GPT2_SIZES, Llama3Scaling, ModelConfig
from compute.models.patch_points import patch_points
from compute.selftest import reference
from compute.selftest.models import loud_model, some_tokens
from compute.selftest.small_models import SMALL_MODELS
from compute.weights.checkpoint import ArrayModel, open_model
from compute.weights.convert import convert
from compute.weights.hugging_face_config import config_json, read_config

TOKENS = 25


def small(name: str) -> ArrayModel:
    """A small model of an architecture, without padding rows, as files have none."""
    config = replace(SMALL_MODELS[name], padded_vocabulary=SMALL_MODELS[name].vocabulary)
    return loud_model(config, scale=1.8 / config.channels**0.5)


def written(folder: Path, config: ModelConfig, **others: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.json"
    path.write_text(json.dumps(config_json(config, "bf16") | others))
    return path


# -- files


@pytest.mark.parametrize("name", [*SMALL_MODELS, *(name for name in known_shapes() if name not in GPT2_SIZES)])
def test_a_config_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    config = SMALL_MODELS.get(name) or known_shapes()[name]
    config = replace(config, padded_vocabulary=config.vocabulary)
    assert read_config(written(tmp_path, config)) == (config, config.tied)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("smollm2-135m", 134_515_008),
        ("llama-3.2-1b", 1_235_814_400),
        ("qwen2.5-0.5b", 494_032_768),
        ("qwen3-0.6b", 596_049_920),
        ("pythia-70m", 70_426_624),
        ("gemma-2-2b", 2_614_341_888),
        ("gemma-3-270m", 268_098_176),
    ],
)
def test_known_models_have_as_many_parameters_as_published(name: str, parameters: int) -> None:
    assert parameter_count(known_shapes()[name]) == parameters


def test_newer_files_say_the_same_in_other_words(tmp_path: Path) -> None:
    gemma = known_shapes()["gemma-3-270m"]
    old = json.loads(written(tmp_path / "old", gemma).read_text())
    for name in ("layer_types", "rope_theta", "rope_local_base_freq"):
        del old[name]
    ropes = {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(old | {"rope_parameters": ropes, "sliding_window_pattern": 6}))
    assert read_config(path)[0] == gemma
    llama = known_shapes()["llama-3.2-1b"]
    values = json.loads(written(tmp_path / "llama", llama).read_text())
    values["rope_parameters"] = values.pop("rope_scaling") | {"rope_theta": values.pop("rope_theta")}
    path.write_text(json.dumps(values))
    assert read_config(path)[0] == llama


def test_a_mistral_is_a_llama_with_a_window(tmp_path: Path) -> None:
    config = replace(known_shapes()["smollm2-135m"], window=4096)
    values = json.loads(written(tmp_path, config).read_text())
    assert (values["model_type"], values["architectures"]) == ("mistral", ["MistralForCausalLM"])
    assert {attention.window for attention in describe(config).attention} == {4096}
    assert read_config(tmp_path / "config.json")[0] == config


@pytest.mark.parametrize(
    ("name", "others", "expected"),
    [
        ("smollm2-135m", {"hidden_act": "mish"}, "hidden_act is mish, but only silu or swish or"),
        ("smollm2-135m", {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "rope_scaling.rope_type is yarn, but"),
        ("smollm2-135m", {"rope_scaling": {"type": "linear"}}, "rope_scaling.factor is null, must be a number above 0"),
        ("smollm2-135m", {"rope_theta": -1}, "rope_theta is -1, must be a number above 0"),
        ("smollm2-135m", {"rope_theta": [1]}, "rope_theta is [1], must be a number above 0"),
        ("smollm2-135m", {"num_key_value_heads": 4}, "heads 9 are not a multiple of key-value heads 4"),
        ("smollm2-135m", {"head_dim": 260}, "head size 260 is above 256"),
        ("smollm2-135m", {"intermediate_size": 1537}, "1537 hidden neurons are not a multiple of 4"),
        ("smollm2-135m", {"intermediate_size": "many"}, "intermediate_size is many, must be a whole number"),
        ("smollm2-135m", {"rope_scaling": 3}, "rope_scaling is 3, must be an object"),
        ("smollm2-135m", {"quantization_config": {"bits": 4}}, "quantization_config is"),
        ("gemma-3-270m", {"layer_types": ["full_attention"]}, "layer_types is"),
        ("gemma-3-270m", {"layer_types": ["chunked_attention"] * 18}, "layer_types is"),
        ("gemma-3-270m", {"use_bidirectional_attention": True}, "use_bidirectional_attention is true, but only false"),
        (
            "pythia-70m",
            {"model_type": "mamba"},
            "is a model of type mamba, but only gpt2, llama, mistral, qwen2, qwen3",
        ),
    ],
)
def test_unsupported_models_are_refused(tmp_path: Path, name: str, others: dict[str, Any], expected: str) -> None:
    path = written(tmp_path, known_shapes()[name], **others)
    with pytest.raises(CheckpointError) as caught:
        read_config(path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_shards_are_read_as_one_file(tmp_path: Path) -> None:
    model = small("qwen3")
    convert(model, tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    names = list(tensors)
    shards = {f"model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
    for shard, part in shards.items():
        save_file({name: tensors[name] for name in part}, tmp_path / shard)
    where = {name: shard for shard, part in shards.items() for name in part}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    for path in (tmp_path, tmp_path / "model-00001-of-00002.safetensors"):
        opened = open_model(str(path))
        assert opened.config == model.config
        for name in describe(model.config).weights:
            assert np.array_equal(opened.tensor(name), model.tensor(name))
            opened.release(name)
        opened.close()
    for content, expected in (
        ({"weight_map": where | {names[0]: "model-00003-of-00003.safetensors"}}, "its shard model-00003-of-00003"),
        ({"weight_map": where | {names[0]: "../model.safetensors"}}, "names ../model.safetensors as a shard"),
        ({"weight_map": where | {names[0]: "model-00002-of-00002.safetensors"}}, f"{names[0]} is missing"),
        ({"weight_map": []}, "is not an index of shards"),
        ({"weight_map": {}}, "lists 0 shards"),
        ([], "is not an index of shards"),
    ):
        index.write_text(json.dumps(content))
        with pytest.raises(CheckpointError) as caught:
            open_model(str(tmp_path))
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_llama_3_frequency_is_stretched_when_it_is_slow() -> None:
    scaling = Llama3Scaling(factor=8.0, low=1.0, high=4.0, positions=100)
    turns = [0.5, 1.0, 2.5, 4.0, 9.0]
    divisors = [scaling.divisor(2 * np.pi * count / 100) for count in turns]
    assert np.allclose(divisors, [8, 8, 1 / (0.5 / 8 + 0.5), 1, 1])


# -- values


@pytest.fixture(params=SMALL_MODELS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ArrayModel, Path]:
    """A small model of each architecture, and its Hugging Face folder."""
    model = small(request.param)
    convert(model, tmp_path)
    return model, tmp_path


def logits_of(model: ArrayModel, tokens: list[int]) -> np.ndarray:
    """The float64 reference's logits after each of the tokens."""
    return np.array([reference.forward(model, tokens[: count + 1])["logits"] for count in range(len(tokens))])


def test_the_reference_equals_numpy_by_hand(folder: tuple[ArrayModel, Path]) -> None:
    from helpers.numpy_families import logits

    model, path = folder
    tokens, config = some_tokens(model.config, TOKENS), json.loads((path / "config.json").read_text())
    by_hand = logits(load_file(path / "model.safetensors"), config, tokens)
    assert np.abs(by_hand - logits_of(model, tokens)).max() < 1e-9


def test_the_reference_equals_transformers(folder: tuple[ArrayModel, Path]) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    model, path = folder
    tokens = some_tokens(model.config, TOKENS)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(path, attn_implementation="eager").double().eval()
    with torch.no_grad():
        found = theirs(torch.tensor([tokens])).logits[0].numpy()
    assert np.abs(found - logits_of(model, tokens)).max() < 2e-3


@pytest.mark.gpu
def test_everything_that_is_kept_equals_the_reference(folder: tuple[ArrayModel, Path]) -> None:
    source, path = folder
    tokens = some_tokens(source.config, TOKENS)
    model = av.load(path)
    expected = reference.forward(source, tokens)
    run = model.run(tokens, keep=["*", "blocks.*"])
    assert np.abs(run.logits - logits_of(source, tokens)).max() < 2e-3
    assert run.logits.argmax(1).tolist() == logits_of(source, tokens).argmax(1).tolist()
    for name, values in expected.items():
        if name != "logits":
            assert run[name].shape == values.shape
            assert np.abs(run[name] - values).max() < 2e-3, name
    size, heads, kv_heads = source.config.head_size, source.config.heads, source.config.kv_heads
    assert run["blocks.1.attn.hook_q"].shape == (TOKENS, heads, size)
    assert run["blocks.1.attn.hook_rot_k"].shape == run["blocks.1.attn.hook_v"].shape == (TOKENS, kv_heads, size)
    assert np.array_equal(run["blocks.1.attn.hook_z"].reshape(TOKENS, -1), run["h.1.attn.out"])
    pattern, window = run["h.1.attn.pattern"], source.config.window_of(1)
    assert np.abs(pattern.sum(2) - 1).max() < 1e-5
    hidden = np.triu(np.ones((TOKENS, TOKENS), bool), 1)
    if window:
        hidden |= np.tri(TOKENS, k=-window, dtype=bool)
    assert (pattern[:, hidden] == 0).all()
    assert np.isneginf(run["h.1.attn.scores"][:, hidden]).all()


@pytest.mark.gpu
def test_a_context_that_attention_has_no_memory_for_is_refused() -> None:
    model = loud_model(replace(SMALL_MODELS["qwen3"], positions=131072))
    with pytest.raises(
        UsageError, match=r"context.131072: on this adapter, attention has memory for the scores of \d+ keys"
    ):
        Engine.load(model, LoadOptions(context=131072))
    assert LoadOptions().context_for(model) == 1024


@pytest.mark.gpu
def test_lens_attribution_and_edits(folder: tuple[ArrayModel, Path]) -> None:
    source, path = folder
    tokens = some_tokens(source.config, 9)
    model = av.load(path)
    lens = model.lens(tokens, top=3)
    assert lens.points[0] == "embed.sum"
    assert all(check.ok for check in lens.checks)
    attribution = model.attribute(tokens, target=5, against=9)
    assert {part.name for part in attribution.parts} >= {"embed.tokens", "h.0.attn", "h.1.mlp"}
    assert abs(attribution.sum - attribution.logit) < 2e-3
    assert sum(part.head is not None for part in attribution.parts) == 2 * source.config.heads
    edited = model.run(tokens, edits=["h.0.attn.out[head=1] = 0", "h.1.attn.v[head=0, pos=2] *= 2"])
    assert np.abs(edited.logits - model.run(tokens).logits).max() > 1e-3


@pytest.mark.parametrize("name", SMALL_MODELS)
def test_what_attention_and_the_mlp_add_can_be_patched(name: str) -> None:
    description = describe(SMALL_MODELS[name])
    added = [part for point in description.stream[1:] for part in description.contributors(point)]
    found = zip(patch_points(description, "attn"), patch_points(description, "mlp"), strict=True)
    assert [part for pair in found for part in pair] == added
