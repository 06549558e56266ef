"""A quantized GGUF file in commands: verify, convert, generate, and a recording that names the type of its weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from compute.models.architectures import parameter_count, parameter_shapes
from compute.models.config import ModelConfig
from compute.weights.checkpoint import open_model

from helpers.command_line import Run, assert_one_line
from helpers.make_gguf import gpt2_metadata, gpt2_tensors, write_gguf
from helpers.make_models import tiny_model

pytestmark = pytest.mark.gpu

CONFIG = ModelConfig(layers=1, heads=2, channels=32, positions=32, vocabulary=50257, padded_vocabulary=50257)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("gguf") / "small.gguf"
    return write_gguf(file, gpt2_metadata(CONFIG), gpt2_tensors(tiny_model(CONFIG), ("q4_0", "q8_0", "q5_1")))


def test_verify_and_convert(run: Run, path: Path, tmp_path: Path) -> None:
    verified = run("models", "verify", path)
    assert verified.status == 0
    assert verified.out == f"{path}: 16 tensors, {parameter_count(CONFIG):,} parameters, q4_0, all finite\n"
    assert run("models", "convert", path, tmp_path / "plain").status == 0
    quantized, plain = open_model(str(path)), open_model(str(tmp_path / "plain"))
    assert plain.dtype == "f32"
    for name in parameter_shapes(CONFIG):
        assert np.array_equal(quantized.tensor(name), plain.tensor(name)), name


def test_a_recording_verifies(run: Run, path: Path, tmp_path: Path) -> None:
    recording = tmp_path / "a.atlas"
    arguments = ("One", "--model", path, "-n", 3, "--temperature", 0, "--context", 16)
    made = run("generate", *arguments, "--json")
    assert json.loads(made.out)["model"]["weights"] == "q4_0"
    assert run("session", "record", *arguments, "--out", recording).status == 0
    assert json.loads(run("session", "info", recording, "--json").out)["head"]["weights"] == "q4_0"
    verified = run("session", "verify", recording, "--model", path)
    assert verified.status == 0
    assert "3 steps: 3 identical" in verified.out
    refused = run("session", "verify", recording, "--model", path, "--weights", "f16")
    assert refused.status != 0


def test_a_quantized_type_is_that_of_the_file(run: Run, path: Path, tmp_path: Path) -> None:
    recording, plain = tmp_path / "a.atlas", tmp_path / "plain"
    arguments = ("One", "-n", 1, "--temperature", 0, "--context", 16)
    assert run("session", "record", *arguments, "--model", path, "--out", recording).status == 0
    assert run("models", "convert", path, plain).status == 0
    refused = run("session", "verify", recording, "--model", plain)
    assert_one_line(refused, 2, "--weights q4_0: plain has f32 weights, and nothing is quantized here; use native")


def test_a_folder_with_a_gguf_file(run: Run, path: Path) -> None:
    refused = run("models", "verify", path.parent)
    assert_one_line(refused, 1, "has a GGUF file but no model.safetensors; give the path of the .gguf file")
