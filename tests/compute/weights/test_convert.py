"""Conversions preserve every bit that the precision allows, and other programs can read the results."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from compute.errors import OutputError, UsageError
from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.weights.checkpoint import WeightSource, open_model
from compute.weights.convert import convert

from helpers.make_hugging_face import TYPES, state_dict, unpadded, write_folder
from helpers.make_models import ODD_SHAPES, TINY, tiny_checkpoint, tiny_model


def assert_same_bits(one: WeightSource, other: WeightSource) -> None:
    """Assert that all parameters are equal, padding rows left out."""
    assert unpadded(one.config) == unpadded(other.config)
    for name in parameter_shapes(one.config):
        a, b = one.tensor(name), other.tensor(name)
        assert a.dtype == b.dtype
        rows = one.config.vocabulary if name == "wte" else len(a)
        assert a[:rows].tobytes() == b[:rows].tobytes(), name


@pytest.mark.parametrize("config", ODD_SHAPES)
@pytest.mark.parametrize("version", [3, 5])
def test_a_round_trip(tmp_path: Path, config: ModelConfig, version: int) -> None:
    first = open_model(str(tiny_checkpoint(tmp_path / "a.bin", config, version)))
    convert(first, tmp_path / "folder")
    middle = open_model(str(tmp_path / "folder"))
    assert_same_bits(first, middle)
    (path,) = convert(middle, tmp_path / "b.bin")
    last = open_model(str(path))
    assert last.dtype == first.dtype
    assert last.config.padded_vocabulary % 128 == 0
    assert not last.tensor("wte")[config.vocabulary :].any()
    assert_same_bits(first, last)
    convert(last, tmp_path / "again")
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "folder" / name).read_bytes()


@pytest.mark.parametrize("dtype", TYPES)
def test_the_safetensors_library_reads_the_results(tmp_path: Path, dtype: str) -> None:
    tensors = state_dict(tiny_model(unpadded(TINY)), dtype)
    source = open_model(str(write_folder(tmp_path / "a", tensors)))
    files = convert(source, tmp_path / "b" / "own.safetensors")
    assert files == [tmp_path / "b" / "own.safetensors", tmp_path / "b" / "config.json"]
    assert sorted(os.listdir(tmp_path / "b")) == ["config.json", "own.safetensors"]
    read = load_file(files[0])
    assert read.keys() == tensors.keys()
    for name, values in tensors.items():
        assert read[name].tobytes() == values.tobytes()
        assert (read[name].shape, read[name].dtype) == (values.shape, values.dtype)
    assert json.loads(files[1].read_text())["torch_dtype"] == {"f32": "float32", "f16": "float16"}.get(
        dtype, "bfloat16"
    )


def test_nonfinite_values_keep_their_bits(tmp_path: Path) -> None:
    tensors = state_dict(tiny_model(unpadded(TINY)), "bf16")
    odd = np.array([0x7F81, 0xFFC3, 0x7F80, 0xFF80, 0x8000, 0x0001], np.uint16)
    tensors["h.1.mlp.c_fc.weight"].view(np.uint16)[2, :6] = odd
    convert(open_model(str(write_folder(tmp_path / "a", tensors))), tmp_path / "m.bin")
    kept = open_model(str(tmp_path / "m.bin")).tensor("h.1.mlp.c_fc.weight")
    assert np.array_equal(kept.view(np.uint16)[:6, 2], odd)


@pytest.mark.parametrize(("stored", "target"), [("f32", "bf16"), ("f32", "f16"), ("f16", "f32"), ("bf16", "f32")])
def test_values_are_rounded_to_another_precision(tmp_path: Path, stored: str, target: str) -> None:
    tensors = state_dict(tiny_model(unpadded(TINY)), stored)
    convert(open_model(str(write_folder(tmp_path / "a", tensors))), tmp_path / "b", target)
    read = load_file(tmp_path / "b" / "model.safetensors")
    for name, values in tensors.items():
        assert read[name].tobytes() == values.astype(TYPES[target]).tobytes()


def test_float16_becomes_float32_in_llmc(tmp_path: Path) -> None:
    tensors = state_dict(tiny_model(unpadded(TINY)), "f16")
    source = open_model(str(write_folder(tmp_path / "a", tensors)))
    convert(source, tmp_path / "m.bin")
    model = open_model(str(tmp_path / "m.bin"))
    assert model.dtype == "f32"
    assert np.array_equal(model.tensor("wpe"), source.tensor("wpe").astype(np.float32))
    with pytest.raises(UsageError, match=r'weights="f16": llm\.c files have no such type'):
        convert(source, tmp_path / "n.bin", "f16")


def test_the_config_of_another_model_is_not_replaced(tmp_path: Path) -> None:
    source = open_model(str(tiny_checkpoint(tmp_path / "a.bin")))
    write_folder(tmp_path / "b")
    before = {path: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    with pytest.raises(OutputError, match="belongs to another model; choose another folder"):
        convert(source, tmp_path / "b" / "other.safetensors")
    assert {path: path.read_bytes() for path in (tmp_path / "b").iterdir()} == before
    convert(source, tmp_path / "c")
    convert(source, tmp_path / "c")


def test_paths_that_cannot_be_written_are_reported(tmp_path: Path) -> None:
    source = open_model(str(tiny_checkpoint(tmp_path / "a.bin")))
    with pytest.raises(OutputError, match=r"a\.bin.*cannot be written"):
        convert(source, tmp_path / "a.bin" / "folder")
    with pytest.raises(OutputError, match=r"m\.bin: cannot be written"):
        convert(source, tmp_path / "none" / "m.bin")
