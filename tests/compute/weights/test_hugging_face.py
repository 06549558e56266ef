"""Hugging Face layout: files of the safetensors library are read, and unsupported models are reported in one line."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compute.errors import CheckpointError
from compute.models.architectures import parameter_shapes
from compute.models.config import GPT2_SIZES, ModelConfig
from compute.weights.checkpoint import open_model
from compute.weights.hugging_face_config import read_config

from helpers.make_hugging_face import TYPES, config_values, state_dict, unpadded, write_folder
from helpers.make_models import ODD_SHAPES, TINY, tiny_model


@pytest.mark.parametrize("config", ODD_SHAPES)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_reading_returns_what_was_written(tmp_path: Path, config: ModelConfig, dtype: str, prefix: str) -> None:
    written = tiny_model(unpadded(config))
    model = open_model(str(write_folder(tmp_path / "mine", state_dict(written, dtype, prefix), config)))
    assert model.config == unpadded(config)
    assert (model.name, model.dtype) == ("mine", dtype)
    assert model.path == tmp_path / "mine" / "model.safetensors"
    for name, shape in parameter_shapes(model.config).items():
        tensor = model.tensor(name)
        assert tensor.shape == shape
        assert tensor.dtype == TYPES[dtype]
        assert not tensor.flags.owndata
        assert not tensor.flags.writeable
        assert tensor.tobytes() == written.tensor(name).astype(TYPES[dtype]).tobytes(), name


def test_equivalent_configs_are_accepted(tmp_path: Path) -> None:
    equivalent: dict[str, Any]
    equivalent = {"n_inner": 48, "quantization_config": None, "tie_word_embeddings": True, "architectures": None}
    folder = write_folder(tmp_path, without="layer_norm_epsilon", activation_function="gelu_pytorch_tanh", **equivalent)
    assert open_model(str(folder)).config == unpadded(TINY)


def test_a_file_by_its_own_path(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, file="other.safetensors")
    assert open_model(str(folder / "other.safetensors")).name == "other.safetensors"


def test_masks_and_a_tied_head_are_accepted(tmp_path: Path) -> None:
    tensors = state_dict(tiny_model(unpadded(TINY)), prefix="transformer.")
    tensors["transformer.wte.weight"][3, 4] = np.nan  # which does not equal itself
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"].copy()
    for layer in range(TINY.layers):
        tensors[f"transformer.h.{layer}.attn.bias"] = np.tril(np.ones((1, 1, 9, 9), np.uint8))
        tensors[f"transformer.h.{layer}.attn.masked_bias"] = np.array(-1e4, np.float32)
    model = open_model(str(write_folder(tmp_path, tensors)))
    assert set(parameter_shapes(model.config)) == set(parameter_shapes(TINY))
    assert np.array_equal(model.tensor("h.1.mlp.c_fc.weight"), tiny_model(unpadded(TINY)).tensor("h.1.mlp.c_fc.weight"))


def test_mixed_types_count_as_float32(tmp_path: Path) -> None:
    tensors = state_dict(tiny_model(unpadded(TINY)), "bf16")
    tensors["ln_f.weight"] = tensors["ln_f.weight"].astype(np.float32)
    model = open_model(str(write_folder(tmp_path, tensors)))
    assert model.dtype == "f32"
    assert model.tensor("ln_f.weight").dtype == np.float32
    assert model.tensor("ln_f.bias").dtype == TYPES["bf16"]


def test_a_view_survives_close_and_a_closed_model_raises(tmp_path: Path) -> None:
    model = open_model(str(write_folder(tmp_path)))
    view = model.tensor("h.0.attn.c_attn.weight")
    model.close()
    model.close()
    model.release("wte")
    assert np.array_equal(view, tiny_model(unpadded(TINY)).tensor("h.0.attn.c_attn.weight"))
    with pytest.raises(ValueError, match="closed"):
        model.tensor("wpe")


@pytest.mark.parametrize("rows", [50257, 50264, 50304])
def test_a_vocabulary_padded_for_speed(tmp_path: Path, rows: int) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config_values(GPT2_SIZES["gpt2"], vocab_size=rows)))
    config, tied = read_config(tmp_path / "config.json")
    assert tied
    assert (config.vocabulary, config.padded_vocabulary) == (50257, rows)


# -- models that cannot be read


def message_of(path: Path) -> str:
    """The one-line error message for the model at `path`."""
    with pytest.raises(CheckpointError) as caught:
        open_model(str(path))
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(str(path))
    return message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"model_type": "opt"}, "is a model of type opt, but only gpt2"),
        ({"model_type": None}, "is a model of type null"),
        ({"architectures": ["GPT2ForSequenceClassification"]}, "is for GPT2ForSequenceClassification"),
        ({"activation_function": "relu"}, "activation_function is relu, but only gelu_new is supported"),
        ({"activation_function": "gelu"}, "activation_function is gelu, but only gelu_new"),
        ({"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon is 1e-06, but only 1e-05"),
        ({"scale_attn_weights": False}, "scale_attn_weights is false, but only true"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is true"),
        ({"add_cross_attention": True}, "add_cross_attention is true"),
        ({"quantization_config": {"bits": 4, "why": "x" * 99}}, "quantization_config is {"),
        ({"n_inner": 50}, "n_inner is 50, but only 48 (4 times n_embd) is supported"),
        ({"n_head": "two\nlines"}, "n_head is two\\nlines, must be a whole number"),
        ({"n_head": True}, "n_head is true, must be"),
        ({"n_layer": 0}, "n_layer is 0, must be a whole number from 1 to 2147483647"),
        ({"n_layer": -(10**30)}, "must be a whole number from 1 to"),
        ({"n_embd": 10**300}, "must be a whole number from 1 to"),
        ({"n_embd": 10**400}, "is not JSON (n_embd is a number out of range)"),
        ({"n_positions": 9.0}, "n_positions is 9.0, must be a whole number"),
        ({"vocab_size": [21]}, "vocab_size is [21], must be a whole number"),
        ({"vocab_size": 2**31 - 1}, "has 2147483647 tokens"),
        ({"architectures": 5}, "architectures is 5, must be a list of names"),
        ({"architectures": [["x"]]}, 'architectures is [["x"]], must be a list of names'),
        ({"architectures": "GPT2LMHeadModel"}, "must be a list of names"),
        ({"architectures": {"GPT2LMHeadModel": 1}}, "must be a list of names"),
        ({"activation_function": {}}, "activation_function is {}, but only gelu_new"),
        ({"activation_function": ["gelu_new"]}, 'activation_function is ["gelu_new"], but only gelu_new'),
        ({"activation_function": None}, "activation_function is null, but only gelu_new"),
        ({"model_type": ["gpt2"]}, 'is a model of type ["gpt2"]'),
        ({"tie_word_embeddings": {}}, "tie_word_embeddings is {}, must be true or false"),
        ({"layer_norm_epsilon": []}, "layer_norm_epsilon is [], but only 1e-05"),
        ({"layer_norm_epsilon": True}, "layer_norm_epsilon is true, but only 1e-05"),
        ({"n_inner": 10**300}, "n_inner is 1000"),
        ({"n_inner": {}}, "n_inner is {}, but only 48"),
        ({"n_head": 5}, "channels 12 are not divisible by heads 5"),
        ({"n_layer": 2**31 - 1}, "too few for the 2147483647 layers"),
        ({"n_layer": 3}, "h.2.ln_1.weight is missing (and 11 more tensors like that)"),
        ({"n_layer": 1}, "is not a tensor of GPT-2 (and 11 more tensors like that)"),
        ({"n_positions": 10}, "wpe.weight has shape [9, 12], must be [10, 12]"),
        ({"vocab_size": 22}, "wte.weight has shape [21, 12], must be [22, 12]"),
        ({"vocab_size": 50258}, "has 50258 tokens, 1 more than GPT-2; models with added tokens"),
        ({"tie_word_embeddings": False}, "lm_head.weight is missing"),
    ],
)
def test_an_unsupported_config_is_reported(tmp_path: Path, values: dict[str, Any], expected: str) -> None:
    message = message_of(write_folder(tmp_path, **values))
    assert expected in message
    assert len(message) < 400


@pytest.mark.parametrize("name", ["n_layer", "n_head", "n_embd", "n_positions", "vocab_size"])
def test_a_missing_size_is_reported(tmp_path: Path, name: str) -> None:
    assert f"{name} is null, must be a whole number" in message_of(write_folder(tmp_path, without=name))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("added_tokens.json", {"<pad>": 50257}),
        ("tokenizer.json", {"added_tokens": [{"content": "<e>", "id": 50256}, {"content": "<pad>", "id": 50300}]}),
    ],
)
def test_added_tokens_are_named_even_when_padding_would_fit(tmp_path: Path, file: str, content: object) -> None:
    (tmp_path / file).write_text(json.dumps(content))
    assert "more than GPT-2 (<pad>); models with added tokens" in message_of(write_folder(tmp_path, vocab_size=50304))


@pytest.mark.parametrize("value", ["1e999", "-1e999", "NaN", "Infinity", "1" * 4300, "1" * 5000, '"\\ud800"', "true"])
@pytest.mark.parametrize(
    "name", ["n_layer", "n_head", "n_embd", "n_positions", "vocab_size", "n_inner", "architectures", "model_type"]
)
def test_every_invalid_value_is_reported_in_one_line(tmp_path: Path, name: str, value: str) -> None:
    write_folder(tmp_path)
    text = json.dumps({**config_values(TINY), name: "HERE"}).replace('"HERE"', value)
    (tmp_path / "config.json").write_text(text)
    assert "config.json: " in refusal(tmp_path)


@pytest.mark.parametrize("number", ["true", "null", "-1", "1.5", "2147483648", "1" * 300, "[]", '"3"', "1e999", "NaN"])
@pytest.mark.parametrize(
    ("file", "text"),
    [("added_tokens.json", '{"<pad>": ID}'), ("tokenizer.json", '{"added_tokens": [{"content": "<pad>", "id": ID}]}')],
)
def test_ids_of_added_tokens_that_are_not_whole_numbers(tmp_path: Path, file: str, text: str, number: str) -> None:
    write_folder(tmp_path, vocab_size=50304)
    (tmp_path / file).write_text(text.replace("ID", number))
    message = refusal(tmp_path)
    if number not in ("1e999", "NaN"):  # these are not JSON
        assert message.startswith(str(tmp_path / file))
        assert "the id of '<pad>' is " in message
        assert "must be a whole number from 0 to 2147483647" in message


def refusal(path: Path) -> str:
    """The short one-line error message for the model at `path`."""
    with pytest.raises(CheckpointError) as caught:
        open_model(str(path)).close()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    return str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff"])
def test_a_config_that_is_not_an_object_is_reported(tmp_path: Path, text: str) -> None:
    write_folder(tmp_path)
    (tmp_path / "config.json").write_text(text, "latin-1")
    assert re.search("is not (a )?JSON", message_of(tmp_path))


def test_tensors_that_do_not_match_are_reported(tmp_path: Path) -> None:
    whole = state_dict(tiny_model(unpadded(TINY)), prefix="transformer.")
    cases: list[tuple[dict[str, np.ndarray], str]] = [
        ({"score.weight": np.zeros(3, np.float32)}, "score.weight is not a tensor of GPT-2"),
        ({"transformer.ln_f.bias": np.zeros(12)}, "transformer.ln_f.bias is stored as F64, must be one of F32, F16"),
        ({"transformer.ln_f.bias": np.zeros((1, 12), np.float32)}, "has shape [1, 12], must be [12]"),
        # Linear layers that are already transposed, as in llm.c.
        ({"transformer.h.0.attn.c_attn.weight": np.zeros((36, 12), np.float32)}, "[36, 12], must be [12, 36]"),
        ({"lm_head.weight": np.zeros((21, 12), np.float32)}, "lm_head.weight differs from transformer.wte.weight"),
        ({"lm_head.weight": np.zeros((20, 12), np.float32)}, "lm_head.weight differs"),
    ]
    for number, (change, expected) in enumerate(cases):
        assert expected in message_of(write_folder(tmp_path / str(number), whole | change))
    del whole["transformer.wpe.weight"]
    assert "transformer.wpe.weight is missing;" in message_of(write_folder(tmp_path / "less", whole))


def test_damaged_files_are_reported(tmp_path: Path) -> None:
    write_folder(tmp_path)
    path = tmp_path / "model.safetensors"
    data = path.read_bytes()
    header = b'{"wte.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,800]}}'
    broken = {
        b"": "is empty",
        data[:-1]: "is not a valid safetensors file",
        data + b"\0": "is not a valid safetensors file",
        data[:40]: "is not a valid safetensors file",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n": "Git LFS pointer",
        struct.pack("<Q", 2**60) + data[8:]: "is not a valid safetensors file",
        struct.pack("<Q", len(header)) + header + bytes(800): "is not a valid safetensors file",
    }
    for content, expected in broken.items():
        path.write_bytes(content)
        assert expected in message_of(path)


def test_folders_without_a_model_are_reported(tmp_path: Path) -> None:
    assert "there is no such file" in message_of(tmp_path / "none.safetensors")
    assert "is a directory; give the path of an llm.c .bin file or of a folder with model.safetens" in message_of(
        tmp_path
    )
    for name, expected in (
        ("pytorch_model.bin", "has PyTorch weights but no model.safetensors; save it as safetensors"),
        ("adapter_config.json", "is an adapter, not a whole model"),
        ("model.safetensors.index.json", "there is no config.json next to it"),
    ):
        (tmp_path / name).write_text("{}")
        assert expected in message_of(tmp_path)
    (tmp_path / "model.safetensors.index.json").unlink()
    assert "is one shard of several, and there is no" in message_of(tmp_path / "model-00001-of-00002.safetensors")
    (tmp_path / "model.safetensors").mkdir()
    assert "is a directory" in message_of(tmp_path)
    lonely = write_folder(tmp_path / "lonely")
    (lonely / "config.json").unlink()
    assert "there is no config.json next to it" in message_of(lonely)
