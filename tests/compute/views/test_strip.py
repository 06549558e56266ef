"""Strip: single kernels, then whole pictures compared with the NumPy model cell by cell."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
import wgpu

import wgsl
from compute.api.activation_reader import ActivationReader
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.gpu.kernels import Kernel
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions
from compute.selftest import strip_model
from compute.selftest.strip import expected_picture
from compute.selftest.strip_model import BUDGETS, HEIGHT, WIDTH, sources
from compute.text.tokenizer import Tokenizer
from compute.views.palettes import CANVASES, ColorMapping, ViewColors, color_mapping_bytes
from compute.views.strip import StripPass
from compute.weights.checkpoint import WeightSource

from helpers.gpu import Gpu, bound, rounded_model
from helpers.letters import Letters
from helpers.make_models import tiny_model
from helpers.paths import DATA
from helpers.strip_pictures import assert_same

pytestmark = pytest.mark.gpu

ODD = ModelConfig(layers=2, heads=3, channels=60, positions=40, vocabulary=26, padded_vocabulary=27)
POINT = ColorMapping(sampling="point")
_WEIGHT = "h.0.attn.c_attn.weight"
DEEP = ModelConfig(layers=18, heads=2, channels=32, positions=40, vocabulary=26, padded_vocabulary=32)


# -- kernels


def test_source_index_without_overflow(gpu: Gpu) -> None:
    source = wgsl.load("strip/common/index") + (
        "@group(0) @binding(0) var<storage, read> given: array<u32>;\n"
        "@group(0) @binding(1) var<storage, read_write> made: array<u32>;\n"
        "@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {"
        " if (id.x < given[0]) { made[id.x] = source_index(id.x, given[0], given[1]); } }"
    )
    kernel = Kernel(gpu.device, "source_index", source)
    for cells, values in ((1, 1), (1, 9), (7, 7), (512, 513), (4096, 50304), (1024, 2**32 - 1), (4096, 154_389_504)):
        made = gpu.empty(cells)
        given = gpu.buffer(np.array([cells, values], np.uint32))
        gpu.run(kernel.dispatch((-(-cells // 64), 1, 1), {"given": given, "made": made}))
        assert gpu.read(made, cells, dtype=np.uint32).tolist() == sources(cells, values).tolist()


@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
@pytest.mark.parametrize(("kind", "shards"), [("texture", ()), ("buffer", ()), ("buffer", (13, 40))])
def test_gather(gpu: Gpu, kind: str, shards: Sequence[int], dtype: str) -> None:
    matrix = np.random.default_rng(0).standard_normal((50, 36), dtype=np.float32)
    storage, rounded = gpu.weight(matrix, kind, dtype, shards=shards)
    kernel = gpu.kernels.get("strip/gather", columns=36, storage=kind, dtype=dtype, tile=storage.tile)
    for cells in (1, 100, 1800):
        target = gpu.empty(10 + cells + 5)
        for shard in storage.shards:
            params = gpu.params(cells, matrix.size, shard.first_row, shard.rows, 10)
            resources = {"params": params, "weight": bound(shard), "cells": target}
            gpu.run(kernel.dispatch((-(-cells // 64), 1, 1), resources))
        values = gpu.read(target, 10 + cells + 5)
        assert np.array_equal(values[10:-5], rounded.ravel()[sources(cells, matrix.size)].astype(np.float32))
        assert (values[[*range(10), -5, -1]] == values[0]).all()


CONTEXT = 9  # rows in the table of peaks


def entries_of(*entries: tuple[int, ...]) -> np.ndarray:
    table = np.zeros((len(entries), 8), np.uint32)
    for row, entry in zip(table, entries, strict=True):
        row[: len(entry)] = entry
    return table


def test_peaks(gpu: Gpu) -> None:
    values = np.random.default_rng(0).standard_normal(5 + 7 * 100 + 3).astype(np.float32)
    first, second = values[5:705].reshape(7, 100), values[705:]
    first[2, 3], first[2, 4], first[4, 99], first[6] = np.nan, -np.inf, -50, np.nan
    second[:] = 0
    # offset, columns, rows, slot
    entries = gpu.buffer(entries_of((5, 100, 7, 1), (705, 3, 1, 0)))
    row_peaks, peaks = gpu.empty(2 * CONTEXT), gpu.empty(2)

    def measure(first_row: int, rows: int) -> None:
        params, shared = gpu.params(first_row, CONTEXT), {"entries": entries, "row_peaks": row_peaks}
        rest = {"values": gpu.buffer(values), "params": params}
        gpu.run(
            gpu.kernels.get("strip/row_peaks").dispatch((2, rows, 1), shared | rest),
            gpu.kernels.get("strip/peaks").dispatch((2, 1, 1), {**shared, "params": params, "peaks": peaks}),
        )

    measure(0, 7)
    finite = np.where(np.isfinite(first), np.abs(first), 0).max(axis=1)
    assert np.array_equal(gpu.read(row_peaks, 2, CONTEXT)[1, :7], finite)
    assert gpu.read(peaks, 2).tolist() == [np.float32(1e-12), 50]
    assert (gpu.read(row_peaks, 2, CONTEXT)[1, 7:] == -77).all()
    values[:] = 1  # unchanged rows must not be read again
    first[5, 5] = 60
    measure(5, 2)
    assert gpu.read(row_peaks, 2, CONTEXT)[1, :7].tolist() == [*finite[:5], 60, 1]
    assert gpu.read(peaks, 2)[1] == 60


def test_paint(gpu: Gpu) -> None:
    usage = wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.COPY_SRC
    texture, plain = (
        gpu.device.create_texture(size=(WIDTH, HEIGHT, 1), format="rgba8unorm", usage=usage) for _ in range(2)
    )
    bits = gpu.device.create_texture(size=(WIDTH, HEIGHT, 1), format="r32uint", usage=usage)
    rng = np.random.default_rng(0)
    values = rng.standard_normal(300).astype(np.float32)
    values[10:17] = np.nan, np.inf, -np.inf, 0, -0.0, 1e-30, -1e-9
    # offset, columns, rows, slot, first, cells: 100 values in 100 cells across the end of a row, 180 in 30
    entries = entries_of((5, 100, 1, 1, 600, 100), (110, 60, 3, 0, 5 * WIDTH, 30))
    tiles = [(0, 600, 64, 0), (0, 664, 36, 0), (1, 5 * WIDTH, 30, 0), (0xFFFFFFFF, 5 * WIDTH + 30, 64, 0)]
    peaks = np.array([2.5, np.abs(values[np.isfinite(values)]).max()])
    mapping = color_mapping_bytes(ColorMapping())
    bindings = {
        "tiles": gpu.buffer(np.array(tiles, np.uint32)), "entries": gpu.buffer(entries), "values": gpu.buffer(values),
    }  # fmt: skip
    colored = {
        "peaks": gpu.buffer(peaks), "picture": texture,
        "mapping": gpu.device.create_buffer_with_data(data=mapping, usage=wgpu.BufferUsage.UNIFORM),
        "ranges": gpu.device.create_buffer_with_data(data=bytes(32), usage=wgpu.BufferUsage.UNIFORM),
    }  # fmt: skip
    for numbers, written in ((False, colored), (True, {"shown": bits})):
        kernel = gpu.kernels.get(
            "strip/paint", width=WIDTH, tensors=2, pool=False, numbers=numbers, plain=False, threads=8
        )
        gpu.run(kernel.dispatch((len(tiles), 1, 1), bindings | written))
    layout = {"bytes_per_row": WIDTH * 4, "rows_per_image": HEIGHT}
    data = gpu.device.queue.read_texture({"texture": texture}, layout, (WIDTH, HEIGHT, 1))
    cells = np.frombuffer(data, np.uint8).reshape(-1, 4).astype(int)
    kernel = gpu.kernels.get("strip/paint", width=WIDTH, tensors=2, pool=False, numbers=False, plain=True, threads=64)
    without = {name: value for name, value in colored.items() if name != "ranges"}
    gpu.run(kernel.dispatch((len(tiles), 1, 1), bindings | without | {"picture": plain}))
    again = gpu.device.queue.read_texture({"texture": plain}, layout, (WIDTH, HEIGHT, 1))
    assert np.abs(np.frombuffer(again, np.uint8).reshape(-1, 4) - cells).max() <= 1
    stored = np.frombuffer(gpu.device.queue.read_texture({"texture": bits}, layout, (WIDTH, HEIGHT, 1)), np.uint32)

    def assert_colors(first: int, shown: np.ndarray, peak: float) -> None:
        finite = np.isfinite(shown)
        assert np.array_equal(stored[first : first + len(shown)][finite], shown.view(np.uint32)[finite])
        wanted = np.rint(255 * strip_model.colors(shown.astype(np.float64), peak)).astype(int)
        assert np.abs(cells[first : first + len(shown), :3] - wanted).max() <= 1
        alpha = np.where(np.isfinite(shown), 255, np.where(np.isnan(shown), 254, np.where(shown > 0, 253, 252)))
        assert np.array_equal(cells[first : first + len(shown), 3], alpha)

    assert_colors(600, values[5:105], peaks[1])
    assert_colors(5 * WIDTH, values[110:290][sources(30, 180)], 2.5)
    assert (cells[5 * WIDTH + 30 : 5 * WIDTH + 94] == (6, 9, 14, 255)).all()
    assert not stored[5 * WIDTH + 30 : 5 * WIDTH + 94].any()
    assert (cells[[599, 700, 5 * WIDTH - 1, 5 * WIDTH + 94]] == 0).all()  # not painted


# -- whole pictures


def start(engine: Engine, prompt: str, context: int = 40) -> Generation:
    options = GenerateOptions(max_new_tokens=60, context=context, temperature=1.0, top=1)
    return Generation(engine, Letters(26, ends=False), prompt, options)  # type: ignore[arg-type]


def test_the_picture_of_the_embedded_model(stories: Engine, tokenizer: Tokenizer) -> None:
    with np.load(DATA / "strip_once.npz") as expected:
        wanted, spans = expected["rgba"], json.loads(str(expected["spans"]))
    prompt = "Once upon a time, there was a"
    Generation(stories, tokenizer, prompt, GenerateOptions(max_new_tokens=1, temperature=0, context=64)).run()
    strip = StripPass(stories, POINT)
    strip.update()
    assert [span.as_json() for span in strip.layout.spans] == spans
    assert strip.layout.left_out == ()
    assert_same(strip.read(), wanted)


@pytest.mark.parametrize(("layout", "dtype"), [("texture", "f32"), ("buffer", "f32"), ("texture", "bf16")])
def test_pictures_of_a_growing_text(device: wgpu.GPUDevice, layout: str, dtype: str) -> None:
    model = rounded_model(tiny_model(ODD), dtype)
    engine = Engine.load(model, LoadOptions(context=40, layout=layout))
    strip = StripPass(engine, POINT)
    generation = start(engine, "abc", context=20)
    # After the 18 rows of step 16 the context fills up, then slides. Some updates skip several steps.
    for steps in (1, 2, 3, 8, 16, 17, 18, 19, 20, 24, 25):
        for _ in range(steps - len(generation.steps)):
            generation.step()
        assert len(generation.steps) == steps
        strip.update()
        assert_same(strip.read(), expected_picture(engine, model))
    # A shorter text: cells that showed the longer one must be empty again.
    for prompt in ("z", "hello", "q" * 38):
        start(engine, prompt).step()
        strip.update()
        assert_same(strip.read(), expected_picture(engine, model))


def test_the_scale_is_updated_when_only_one_row_is_new(device: wgpu.GPUDevice) -> None:
    """The largest logit of each step scales the logits' span, even if the span does not move."""
    model = tiny_model(ODD)
    engine = Engine.load(model, LoadOptions(context=40))
    strip = StripPass(engine, POINT)
    generation = start(engine, "abcdefgh")
    peaks = []
    for _ in range(6):
        generation.step()
        strip.update()
        peaks.append(float(np.abs(engine.read_logits()).max()))
        assert_same(strip.read(), expected_picture(engine, model))
    assert max(peaks) > 1.1 * min(peaks)


def test_nonfinite_values_are_red(device: wgpu.GPUDevice) -> None:
    model = tiny_model(ODD)
    model.tensor("h.1.mlp.c_fc.bias")[5] = np.nan
    model.tensor("h.0.ln_2.weight")[0] = np.inf
    engine = Engine.load(model, LoadOptions(context=40))
    start(engine, "abc").step()
    strip = StripPass(engine, POINT)
    strip.update()
    picture = strip.read()
    assert_same(picture, expected_picture(engine, model))
    cells = picture.reshape(-1, 4)
    for name, color in (("h.0.ln_2.weight", (255, 61, 133, 255)), ("h.1.mlp.c_fc.bias", (255, 10, 46, 255))):
        span = next(span for span in strip.layout.spans if span.name == name)
        marked = (cells[span.first : span.last + 1] == color).all(axis=1)
        assert np.flatnonzero(marked).tolist() == [0 if color[1] == 61 else 5]


def test_tensors_that_do_not_fit_are_left_out(device: wgpu.GPUDevice) -> None:
    model = tiny_model(DEEP, scale=0.1)
    engine = Engine.load(model, LoadOptions(context=40))
    strip = StripPass(engine, POINT)
    for prompt, full in (("m" * 40, True), ("abc", False), ("n" * 39, True)):
        start(engine, prompt).step()
        strip.update()
        assert bool(strip.layout.left_out) == full
        assert ("logits" in strip.layout.left_out) == full
        if full:
            assert strip.layout.spans[-1].last == WIDTH * HEIGHT - 1
            assert strip.layout.spans[-1].cells < BUDGETS[strip.layout.spans[-1].kind]
        assert_same(strip.read(), expected_picture(engine, model))


def test_update_before_any_pass_shows_the_weights(device: wgpu.GPUDevice) -> None:
    strip = StripPass(Engine.load(tiny_model(ODD), LoadOptions(context=40)))
    strip.update()
    shown = {span.name for span in strip.layout.spans}
    assert "h.0.attn.c_attn.weight" in shown
    assert "embed.sum" not in shown
    assert (strip.read()[..., 3] == 255).all()


def _ends(model: WeightSource) -> tuple[float, float]:
    values = np.asarray(model.tensor(_WEIGHT))
    return float(values.min()), float(values.max())


def test_color_mappings(device: wgpu.GPUDevice) -> None:
    """Palettes, one range for all tensors, and a fixed range, compared with the NumPy model of the colors."""
    model = tiny_model(ODD)
    engine = Engine.load(model, LoadOptions(context=40))
    strip = StripPass(engine, POINT)
    start(engine, "abc").step()
    strip.update()
    plain = strip.read()
    peaks, shown = {}, {}
    names = [span.name for span in strip.layout.spans if span.kind not in ("weight", "logits")]
    activations = ActivationReader(engine).read(names)
    computed = {**activations, "logits": engine.read_logits()}
    for span in strip.layout.spans:
        weight = span.kind == "weight"
        values = np.asarray(model.tensor(span.name) if weight else computed[span.name]).ravel()
        shown[span.name] = values[[span.source_index(i) for i in range(span.cells)]].astype(np.float64)
        peaks[span.name] = np.abs(shown[span.name] if weight else values).max()
    for mapping in (
        ColorMapping(palette="blue-orange", sampling="point"),
        ColorMapping(span_scale="all", sampling="point"),
        ColorMapping(palette="purple-green", sampling="point", low=0.01, high=0.3),
        ColorMapping(sampling="point", exposure=3.0, curve="linear"),
        ColorMapping(palette="blue-orange", sampling="point", exposure=-1.0, offset=-0.25),
        ColorMapping(sampling="point", span_scale="all", offset=0.125, curve="log"),
        ViewColors(sampling="point", canvas="light", curve="linear", one_signed=((_WEIGHT, *_ends(model)),)),
        ViewColors(palette="purple-green", sampling="point", high=0.5, one_signed=((_WEIGHT, *_ends(model)),)),
    ):
        strip.set_color_mapping(mapping)
        strip.update()
        cells = strip.read().reshape(-1, 4)
        one_signed = {name: ends for name, *ends in mapping.one_signed} if isinstance(mapping, ViewColors) else {}
        ground = CANVASES["light" if isinstance(mapping, ViewColors) and mapping.canvas == "light" else "dark"].ground
        for empty in (strip.layout.spans[0].last + 1, -1):
            assert (cells[empty, :3] == np.rint(255 * np.array(ground))).all()
        for span in strip.layout.spans:
            high = mapping.high or (max(peaks.values()) if mapping.span_scale == "all" else peaks[span.name])
            values = shown[span.name]
            share = np.copysign(np.clip((np.abs(values) - mapping.low) / (high - mapping.low), 0, 1), values)
            one_sign = span.name in one_signed
            if one_sign:
                low, top = one_signed[span.name] if mapping.own_ranges else (mapping.low, high)
                share = ((values if mapping.own_ranges else np.abs(values)) - low) / (top - low)
            wanted = np.array([mapping.color(float(part), one_sign=one_sign) for part in share])
            if not one_sign and mapping.offset == 0:
                wanted[values == 0] = (0.06, 0.07, 0.09)
            found = cells[span.first : span.last + 1, :3]
            assert np.abs(found - 255 * wanted).max() <= 2
    strip.set_color_mapping(POINT)
    strip.update()
    assert np.array_equal(strip.read(), plain)
