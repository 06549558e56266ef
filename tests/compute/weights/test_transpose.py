"""Matrices stored [in, out] arrive on the GPU as [out, in], bit for bit, and models with them compute correctly."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wgpu

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.gpu.loading import finished
from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.selftest import reference
from compute.selftest.transpose import any_bits, bits_of, empty, transpose
from compute.weights import upload
from compute.weights.checkpoint import ArrayModel, open_model
from compute.weights.transpose import TransposedUpload
from compute.weights.upload import WeightUpload
from compute.weights.weight_types import weight_types

from helpers.gpu import Gpu, assert_ok, logits_after, rounded_model
from helpers.make_hugging_face import TYPES, state_dict, write_folder
from helpers.make_models import ODD_SHAPES, tiny_model
from helpers.resident import resident_kb

pytestmark = pytest.mark.gpu

LAYOUTS = ("texture", "buffer")


@pytest.mark.parametrize(("layout", "dtype"), list(product(LAYOUTS, TYPES)))
@pytest.mark.parametrize(("inputs", "outputs"), [(4, 4), (20, 60), (100, 36), (76, 300)])
@pytest.mark.parametrize("slab_bytes", [1, 5000])
def test_every_bit_arrives(gpu: Gpu, layout: str, dtype: str, inputs: int, outputs: int, slab_bytes: int) -> None:
    assert_ok(transpose(gpu, layout, dtype, inputs, outputs, slab_bytes))


def transposed_views(model: ArrayModel) -> ArrayModel:
    """`model` with its linear layers as transposed views, like those of a Hugging Face file."""
    arrays = {name: model.tensor(name) for name in parameter_shapes(model.config)}
    for name, values in arrays.items():
        if values.ndim == 2 and name not in ("wte", "wpe"):
            arrays[name] = np.ascontiguousarray(values.T).T
    return ArrayModel(model.name, model.config, arrays)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("stored", "chosen"), [("f32", "f32"), ("f32", "bf16"), ("bf16", "f16"), ("f16", "f32")])
@pytest.mark.parametrize("slab", [64, 3000, 8 << 20])  # a part of a band, one band, several
def test_a_weight_is_the_same_in_either_storage_order(
    monkeypatch: pytest.MonkeyPatch, gpu: Gpu, layout: str, stored: str, chosen: str, slab: int
) -> None:
    monkeypatch.setattr(upload, "_SLAB", slab)
    model = rounded_model(tiny_model(ODD_SHAPES[2]), stored)
    one, other = (
        finished(WeightUpload(gpu.device, source, layout=layout, types=weight_types(source, chosen)).run())
        for source in (model, transposed_views(model))
    )
    for name, shape in parameter_shapes(model.config).items():
        if len(shape) == 2 and name != "wpe":
            assert np.array_equal(bits_of(gpu.device, one[name], *shape), bits_of(gpu.device, other[name], *shape))


SHAPES = (
    ModelConfig(layers=2, heads=3, channels=60, positions=24, vocabulary=133, padded_vocabulary=133),
    ModelConfig(layers=1, heads=5, channels=100, positions=33, vocabulary=50, padded_vocabulary=50),
)
PATHS = (("texture", "rows"), ("buffer", "rows"), ("buffer", "fused"))


@pytest.mark.parametrize(("layout", "program"), PATHS)
@pytest.mark.parametrize("dtype", TYPES)
def test_logits_are_those_of_the_reference(
    tmp_path: Path, device: wgpu.GPUDevice, layout: str, program: str, dtype: str
) -> None:
    for number, (config, prefix) in enumerate(zip(SHAPES, ("", "transformer."), strict=True)):
        written = tiny_model(config, seed=number, scale=0.15)
        folder = write_folder(tmp_path / str(number), state_dict(written, dtype, prefix), config)
        model = open_model(str(folder))
        engine = Engine.load(model, LoadOptions(context=config.positions, layout=layout, program=program))
        model.close()
        assert engine.dtype == dtype
        tokens = np.random.default_rng(number).integers(config.vocabulary, size=config.positions - 2).tolist()
        expected = reference.forward(rounded_model(written, dtype), tokens)["logits"]
        actual = logits_after(engine, tokens, config.positions)
        assert np.abs(actual - expected).max() <= 2e-3
        assert actual.argmax() == expected.argmax()


def test_some_layers_in_full_precision_among_rounded_ones(tmp_path: Path, device: wgpu.GPUDevice) -> None:
    written = rounded_model(tiny_model(SHAPES[0], scale=0.15), "bf16")
    tensors = state_dict(written, "bf16")
    for name in ("h.0.attn.c_attn.weight", "h.1.ln_2.weight", "wpe.weight"):
        tensors[name] = tensors[name].astype(np.float32)
    engine = Engine.load(open_model(str(write_folder(tmp_path, tensors, SHAPES[0]))), LoadOptions(context=8))
    assert engine.dtype == "f32"
    expected = reference.forward(written, [5, 3, 8])["logits"]
    assert np.abs(logits_after(engine, [5, 3, 8], 8) - expected).max() <= 2e-3


@pytest.mark.parametrize("config", SHAPES, ids=lambda c: f"{c.layers}x{c.heads}x{c.head_size}")
def test_logits_are_those_of_transformers(tmp_path: Path, device: wgpu.GPUDevice, config: ModelConfig) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=config.vocabulary, n_positions=config.positions, n_embd=config.channels, n_layer=config.layers,
            n_head=config.heads, initializer_range=0.15, bos_token_id=0, eos_token_id=0,
        )
    ).eval()  # fmt: skip
    theirs.save_pretrained(tmp_path)
    engine = Engine.load(open_model(str(tmp_path)), LoadOptions(context=config.positions))
    tokens = torch.randint(config.vocabulary, (config.positions,)).tolist()
    with torch.no_grad():
        expected = theirs(torch.tensor([tokens])).logits[0, -1].numpy()
    assert np.abs(expected).max() > 0.1
    assert np.abs(logits_after(engine, tokens, config.positions) - expected).max() <= 2e-3


def test_a_large_matrix_needs_no_copy_on_the_host(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a matrix of several slabs is uploaded, no array larger than a slab is created."""
    sizes: list[int] = []
    real = np.ascontiguousarray

    def recorded(values: np.ndarray, *rest: Any) -> np.ndarray:
        sizes.append(values.nbytes)
        return np.asarray(real(values, *rest))

    monkeypatch.setattr("compute.weights.transpose.np.ascontiguousarray", recorded)
    stored = any_bits(512, 256, "f32")
    storage = empty(gpu.device, "buffer", "f32", 256, 512, 0, 100)
    TransposedUpload(gpu.device, 1 << 16).run(stored, storage, lambda slab: slab)
    assert len(sizes) == 8
    assert max(sizes) <= 1 << 16


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/smaps")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_more_than_a_slab_of_the_file_stays_in_memory(
    gpu: Gpu, layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compute.weights.upload._SLAB", 1_000_000)
    config = ModelConfig(layers=1, heads=1, channels=256, positions=4, vocabulary=50_000, padded_vocabulary=50_000)
    folder = write_folder(tmp_path / "m", state_dict(tiny_model(config)), config)
    source = open_model(str(folder))
    resident = []
    flush = WeightUpload._flush

    def observed(upload: WeightUpload) -> None:
        flush(upload)
        resident.append(resident_kb(folder / "model.safetensors"))

    monkeypatch.setattr(WeightUpload, "_flush", observed)
    finished(WeightUpload(gpu.device, source, layout=layout, types=weight_types(source, "native")).run())
    assert len(resident) > 50, "a slab per step"
    # The embedding has 51,200 kB. Linux also maps neighbors of a page that is read, up to 4,000 kB of them.
    assert max(resident) < 12_000
    source.close()
