"""Models in GGUF files: configs, names, values and row orders; models that cannot run are refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wgpu

from compute.errors import CheckpointError, TensorsError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.models.architectures import parameter_shapes
from compute.models.gpt2 import GPT2
from compute.selftest import reference
from compute.weights.block_types import BLOCK_TYPES
from compute.weights.checkpoint import ArrayModel, open_model
from compute.weights.dtypes import DTYPES
from compute.weights.gguf import GgufModel

from helpers.gpu import logits_after
from helpers.make_gguf import SMALL_GPT2, Stored, blocks, gguf_name, gpt2_metadata, gpt2_tensors, plain, write_gguf
from helpers.make_models import tiny_model

WIDE = replace(SMALL_GPT2, channels=256)


def small_file(path: Path, types: tuple[str, ...] = ("f32",)) -> Path:
    config = WIDE if any(BLOCK_TYPES[dtype].super_blocks for dtype in types if dtype in BLOCK_TYPES) else SMALL_GPT2
    return write_gguf(path, gpt2_metadata(config), gpt2_tensors(tiny_model(config), types))


@pytest.mark.parametrize("dtype", DTYPES)
def test_reading_returns_what_was_written(tmp_path: Path, dtype: str) -> None:
    model = open_model(str(small_file(tmp_path / "small.gguf", (dtype,))))
    assert (model.name, model.dtype, model.path) == ("small.gguf", dtype, tmp_path / "small.gguf")
    assert model.config == SMALL_GPT2
    written = tiny_model(SMALL_GPT2)
    for name, shape in parameter_shapes(model.config).items():
        kind = dtype if len(shape) == 2 and name != "wpe" else "f32"
        values = model.tensor(name)
        assert model.dtype_of(name) == kind
        assert model.blocks(name) is None
        assert values.shape == shape
        assert not values.flags.writeable
        assert values.tobytes() == written.tensor(name).astype(DTYPES[kind]).tobytes(), name
        model.release(name)
    model.close()
    model.close()
    with pytest.raises(ValueError, match=r"small\.gguf is closed"):
        model.tensor("wte")


@pytest.mark.gpu
@pytest.mark.parametrize("layout", ["texture", "buffer"])
@pytest.mark.parametrize(
    "types", [("q8_0",), ("q4_0", "q5_1", "f16"), ("q4_1", "q5_0", "f32"), ("q4_k", "q6_k", "q5_k")], ids=str
)
def test_logits_are_those_of_the_same_dequantized_weights(
    device: wgpu.GPUDevice, tmp_path: Path, layout: str, types: tuple[str, ...]
) -> None:
    model = open_model(str(small_file(tmp_path / "small.gguf", types)))
    engine = Engine.load(model, LoadOptions(layout=layout, measured=False))
    assert {engine.registry[name].storage.dtype for name in ("wte", "h.0.attn.c_attn.weight")} <= set(types)
    assert engine.dtype == model.dtype
    tokens = [3, 1, 4, 1, 5, 9, 2, 6, 5]
    expected = reference.forward(reference.in_float64(model), tokens)["logits"]
    found = logits_after(engine, tokens, engine.context)
    assert np.abs(found - expected).max() < 2e-3 * max(1.0, np.abs(expected).max())
    assert found.argmax() == expected.argmax()


@pytest.mark.gpu
@pytest.mark.parametrize("chosen", DTYPES)
def test_a_chosen_type_applies_to_all_weights(device: wgpu.GPUDevice, tmp_path: Path, chosen: str) -> None:
    model = open_model(str(small_file(tmp_path / "small.gguf", ("q4_1",))))
    engine = Engine.load(model, LoadOptions(weights=chosen, measured=False))
    assert engine.dtype == engine.registry["wte"].storage.dtype == chosen
    rounded = {name: model.tensor(name).astype(DTYPES[chosen]) for name in parameter_shapes(model.config)}
    tokens = [3, 1, 4]
    copy = reference.in_float64(ArrayModel("copy", model.config, rounded))
    expected = reference.forward(copy, tokens)["logits"]
    found = logits_after(engine, tokens, engine.context)
    assert np.abs(found - expected).max() < 2e-3 * max(1.0, np.abs(expected).max())


ROWS = np.arange(2 * 8 * 3, dtype=np.float32).reshape(16, 3)


@pytest.mark.parametrize(("permuted", "expected"), [
    # Two heads of 8: the file has channels 0, 4, 1, 5, 2, 6, 3, 7 of each.
    (True, [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15]),
    (False, list(range(16))),
])  # fmt: skip
def test_rows_are_put_in_order(permuted: bool, expected: list[int]) -> None:
    assert GPT2.gguf is not None
    gguf = replace(GPT2.gguf, permuted=("attn.c_proj",) if permuted else ())
    config = replace(SMALL_GPT2, layers=1, heads=8, channels=64)

    class File:
        closed = False

        def tensor(self, name: str) -> np.ndarray:
            return ROWS

    model = object.__new__(GgufModel)
    model.config, model._gguf = config, gguf
    model._file, model._keys = File(), {"h.0.attn.c_proj.weight": "x"}  # type: ignore[assignment]
    assert np.array_equal(model._ordered("h.0.attn.c_proj.weight"), ROWS[expected])


def test_a_model_with_a_copy_of_the_embedding_as_head(tmp_path: Path) -> None:
    tensors = gpt2_tensors(tiny_model(SMALL_GPT2), ("q4_0",))
    tensors["output.weight"] = tensors["token_embd.weight"]
    path = write_gguf(tmp_path / "small.gguf", gpt2_metadata(SMALL_GPT2), tensors)
    assert open_model(str(path)).config.vocabulary == 41
    tensors["output.weight"] = blocks("q4_0", 41, 64, seed=9)
    write_gguf(path, gpt2_metadata(SMALL_GPT2), tensors)
    with pytest.raises(CheckpointError, match=r"output\.weight differs from token_embd\.weight"):
        open_model(str(path))


Change = Callable[[dict[str, Stored]], Any]


def without(name: str) -> Change:
    return lambda tensors: tensors.pop(name)


def changed(name: str, stored: Stored) -> Change:
    return lambda tensors: tensors.update({name: stored})


@pytest.mark.parametrize(("metadata", "change", "message"), [
    ({"general.architecture": "mamba"}, None, "is a model of architecture mamba, but only gpt2"),
    ({"general.architecture": 7}, None, "is a model of architecture 7, but only gpt2"),
    ({"gpt2.block_count": 0}, None, "gpt2.block_count is 0, must be a whole number from 1 on"),
    ({"gpt2.block_count": "two"}, None, "gpt2.block_count is two, must be a whole number from 1 on"),
    ({"gpt2.block_count": 2**32 - 1}, None, "gpt2.block_count is 4294967295, must be a whole number"),
    ({"gpt2.block_count": 10**6}, None, "has 28 tensors, too few for the 1000000 layers in its metadata"),
    ({"gpt2.block_count": 3}, None, "blk.2.attn_norm.weight is missing (and 11 more tensors like that)"),
    ({"gpt2.attention.head_count": [4, 2]}, None, "gpt2.attention.head_count is [4 2], must be"),
    ({"gpt2.attention.head_count": 5}, None, "it says channels 64 are not divisible by heads 5"),
    ({"gpt2.attention.layer_norm_epsilon": -1.0}, None, "layer_norm_epsilon is -1.0, must be a finite number above 0"),
    ({"gpt2.attention.layer_norm_epsilon": 1e-6}, None, "layer_norm_epsilon is 9.9999"),
    ({"gpt2.attention.value_length": 8}, None, "gpt2.attention.value_length is 8, but only 16 can run here"),
    ({"tokenizer.ggml.tokens": ["a"] * 42}, None, "has 42 tokens, but an embedding for 41"),
    ({}, without("token_embd.weight"), "token_embd.weight is missing; use a complete file"),
    ({}, without("blk.1.ffn_up.bias"), "blk.1.ffn_up.bias is missing; use a file that matches its metadata"),
    ({}, changed("output_norm.bias", plain(np.ones(63))), "output_norm.bias has shape [63], must be [64]"),
    ({}, changed("blk.0.attn_norm.bias", Stored(bytes(68), (64,), 8)), "is a vector stored as q8_0, must be one of"),
    ({}, changed("rope_what", plain(np.ones(3))), "rope_what is not a tensor of GPT-2"),
])  # fmt: skip
def test_a_model_that_cannot_run_is_refused_in_one_line(
    tmp_path: Path, metadata: dict[str, Any], change: Change | None, message: str
) -> None:
    tensors = gpt2_tensors(tiny_model(SMALL_GPT2))
    if change is not None:
        change(tensors)
    path = write_gguf(tmp_path / "small.gguf", gpt2_metadata(SMALL_GPT2, **metadata), tensors)
    with pytest.raises(CheckpointError) as refused:
        open_model(str(path))
    assert str(refused.value).startswith(f"{path}: ")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("key", ["block_count", "embedding_length", "context_length", "attention.head_count"])
def test_missing_metadata_is_named(tmp_path: Path, key: str) -> None:
    metadata = gpt2_metadata(SMALL_GPT2)
    del metadata[f"gpt2.{key}"]
    path = write_gguf(tmp_path / "small.gguf", metadata, gpt2_tensors(tiny_model(SMALL_GPT2)))
    with pytest.raises(CheckpointError, match=rf"gpt2\.{key} is missing; use a complete file"):
        open_model(str(path))


def test_every_problem_is_listed(tmp_path: Path) -> None:
    tensors = gpt2_tensors(tiny_model(SMALL_GPT2))
    path = write_gguf(tmp_path / "small.gguf", gpt2_metadata(SMALL_GPT2, **{"gpt2.block_count": 3}), tensors)
    with pytest.raises(TensorsError) as refused:
        open_model(str(path))
    assert len(refused.value.problems) == 12
    assert gguf_name("h.2.mlp.c_fc.weight") in refused.value.problems[8]
