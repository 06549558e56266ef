"""Strip with pooling, compared with the NumPy model: a cell shows the extreme of the values that it represents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import wgpu

import wgsl
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.gpu.kernels import Kernel
from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions
from compute.selftest import strip_model
from compute.selftest.strip import expected_picture
from compute.views.palettes import ColorMapping
from compute.views.statistics import StatisticsPass
from compute.views.strip import StripPass

from helpers.gpu import Gpu, bound, rounded_model
from helpers.letters import Letters
from helpers.make_models import tiny_model
from helpers.strip_pictures import assert_same

pytestmark = pytest.mark.gpu

ODD = ModelConfig(layers=2, heads=3, channels=60, positions=120, vocabulary=26, padded_vocabulary=27)


def start(engine: Engine, prompt: str, context: int) -> Generation:
    options = GenerateOptions(max_new_tokens=100, context=context, temperature=1.0, top=1)
    return Generation(engine, Letters(26, ends=False), prompt, options)  # type: ignore[arg-type]


def test_keys_sort_by_magnitude_and_preserve_the_bits(gpu: Gpu) -> None:
    source = wgsl.load("common/extreme") + (
        "@group(0) @binding(0) var<storage, read> given: array<u32>;\n"
        "@group(0) @binding(1) var<storage, read_write> made: array<u32>;\n"
        "@compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3u) {"
        " let key = extreme_key(given[id.x]); made[2u * id.x] = key; made[2u * id.x + 1u] = extreme_bits(key); }"
    )
    rising = [-0.0, 0.0, -1e-45, 1e-45, -1e-30, -1.0, 1.0, -2.0, 3e38, -np.inf, np.inf, np.nan]
    bits = np.array(rising, np.float32).view(np.uint32)
    made = gpu.buffer(np.zeros(2 * len(bits), np.uint32))
    kernel = Kernel(gpu.device, "extreme", source)
    gpu.run(kernel.dispatch((len(bits), 1, 1), {"given": gpu.buffer(bits), "made": made}))
    found = gpu.read(made, len(bits), 2, dtype=np.uint32)
    assert (np.diff(found[:, 0].astype(np.int64)) > 0).all()
    assert np.array_equal(found[:, 1], bits)


@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
@pytest.mark.parametrize(("kind", "shards"), [("texture", ()), ("buffer", ()), ("buffer", (13, 40))])
def test_gather(gpu: Gpu, kind: str, shards: Sequence[int], dtype: str) -> None:
    matrix = np.random.default_rng(0).standard_normal((50, 36), dtype=np.float32)
    matrix[12, 35], matrix[40, 1], matrix[20, 7] = np.nan, -np.inf, np.inf
    storage, rounded = gpu.weight(matrix, kind, dtype, shards=shards)
    kernel = gpu.kernels.get("strip/gather_pool", columns=36, storage=kind, dtype=dtype, tile=storage.tile)
    for cells in (1, 7, 100, 1799):
        target = gpu.empty(10 + cells + 5)
        for shard in storage.shards:
            params = gpu.params(cells, matrix.size, shard.first_row, shard.rows, 10)
            resources = {"params": params, "weight": bound(shard), "cells": target}
            gpu.run(kernel.dispatch((cells, 1, 1), resources))
        values = gpu.read(target, 10 + cells + 5)
        wanted = strip_model.pooled(rounded.ravel(), cells).astype(np.float32)
        assert np.array_equal(values[10:-5], wanted, equal_nan=True)
        assert (values[[*range(10), -5, -1]] == values[0]).all()


@pytest.mark.parametrize(("layout", "dtype"), [("texture", "f32"), ("buffer", "f32"), ("texture", "bf16")])
def test_pictures_of_a_growing_text(device: wgpu.GPUDevice, layout: str, dtype: str) -> None:
    model = rounded_model(tiny_model(ODD), dtype)
    engine = Engine.load(model, LoadOptions(context=100, layout=layout))
    strip = StripPass(engine)
    # From 9 rows on a cell of `attn.qkv` represents several values; from 32 values per cell on blocks are kept. At the
    # end the context slides.
    generation = start(engine, "hello" * 17, context=90)
    for steps in (1, 2, 3, 5, 6, 9):
        for _ in range(steps - len(generation.steps)):
            generation.step()
        strip.update()
        assert_same(strip.read(), expected_picture(engine, model, pool=True))
    start(engine, "abc", 90).step()
    strip.update()
    assert_same(strip.read(), expected_picture(engine, model, pool=True))


def test_blocks_are_used_for_long_ranges(device: wgpu.GPUDevice) -> None:
    """Ranges of at least 48 values: `mlp.c_fc` with 200 rows and 256 columns in 1024 cells."""
    wide = ModelConfig(layers=1, heads=2, channels=64, positions=256, vocabulary=26, padded_vocabulary=32)
    model = tiny_model(wide)
    engine = Engine.load(model, LoadOptions(context=230))
    strip = StripPass(engine)
    generation = start(engine, "loremipsu" * 22, context=205)
    for _ in range(5):
        generation.step()
        strip.update()
    assert engine.registry.rows > 201
    assert_same(strip.read(), expected_picture(engine, model, pool=True))
    for _ in range(4):
        generation.step()
    strip.update()
    assert_same(strip.read(), expected_picture(engine, model, pool=True))


def test_the_sampling_can_be_changed(device: wgpu.GPUDevice) -> None:
    model = tiny_model(ODD)
    engine = Engine.load(model, LoadOptions(context=100))
    start(engine, "hello" * 10, context=90).step()
    strip = StripPass(engine)
    strip.update()
    pooled = strip.read()
    strip.set_color_mapping(ColorMapping(sampling="point"))
    strip.update()
    point = strip.read()
    fresh = StripPass(engine, ColorMapping(sampling="point"))
    fresh.update()
    assert np.array_equal(point, fresh.read())
    assert not np.array_equal(point, pooled)
    strip.set_color_mapping(ColorMapping(sampling="pool"))
    strip.update()
    assert np.array_equal(strip.read(), pooled)


WEIGHTS = [name for name in parameter_shapes(ODD) if name.startswith("h.")]


@pytest.mark.parametrize(
    ("bad", "layout", "names"),
    [
        (np.nan, "texture", WEIGHTS),
        (np.nan, "buffer", WEIGHTS[::5]),
        (np.inf, "texture", WEIGHTS[2::5]),
        (-np.inf, "texture", WEIGHTS[3::5]),
    ],
)
def test_one_nonfinite_weight_turns_only_its_cell_red(
    device: wgpu.GPUDevice, bad: float, layout: str, names: Sequence[str]
) -> None:
    """Wherever it is, only its cell among the weights is red, and the statistics name the tensor."""
    rng = np.random.default_rng(5)
    color = {"nan": (255, 10, 46), "inf": (255, 61, 133), "-inf": (184, 5, 92)}[str(bad)]
    for name in names:
        model = tiny_model(ODD)
        values = model.tensor(name).reshape(-1)
        index = int(rng.integers(values.size))
        values[index] = bad
        engine = Engine.load(model, LoadOptions(context=16, layout=layout, program="rows"))
        strip = StripPass(engine)
        strip.update()  # before any pass: only weights
        cells = strip.read().reshape(-1, 4)[:, :3]
        span = next(span for span in strip.layout.spans if span.name == name)
        starts = [span.source_index(cell) for cell in range(span.cells)]
        cell = span.first + int(np.searchsorted(starts, index, side="right")) - 1
        red = (cells[:, 0] > 150) & (cells[:, 1] < 70) & (cells[:, 2] > 20)
        red[strip.layout.spans[-1].first :] = False  # no logits yet
        assert np.flatnonzero(red).tolist() == [cell], name
        assert tuple(cells[cell]) == color
        start(engine, "abc", context=16).step()
        statistics = StatisticsPass(engine)
        assert statistics.read()[name].first_nonfinite == index
        assert statistics.first_bad() == name


def test_weights_are_read_in_slices(device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compute.views.strip_weights._SLICE", {"texture": 1, "buffer": 1})
    model = tiny_model(ODD)
    engine = Engine.load(model, LoadOptions(context=100))
    generation = start(engine, "hello", context=90)
    generation.step()
    strip = StripPass(engine)
    strip.update()
    assert strip.pending
    for _ in range(60):  # the layout changes while weights are queued
        generation.step()
        strip.update()
    assert_same(strip.read(), expected_picture(engine, model, pool=True))
    assert not strip.pending
