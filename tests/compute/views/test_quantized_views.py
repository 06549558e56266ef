"""Every view of a quantized model shows the numbers that its blocks represent: the checks of the self-test pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import wgpu

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.models.architectures import parameter_shapes
from compute.selftest.formulas import formulas
from compute.selftest.lookups import patterns, probes
from compute.selftest.map import maps
from compute.selftest.statistics import statistics
from compute.selftest.strip import strip
from compute.weights.checkpoint import ArrayModel, open_model

from helpers.gpu import assert_ok
from helpers.make_gguf import SMALL_GPT2, gpt2_metadata, gpt2_tensors, write_gguf
from helpers.make_models import tiny_model

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


@pytest.mark.parametrize(("types", "channels", "layout"), [
    (("q4_0", "q8_0", "q5_1", "q5_0", "q4_1"), 96, "texture"),
    (("q4_1", "q5_0", "q8_0", "q4_0", "q5_1"), 96, "buffer"),
    (("q6_k", "q4_k", "bf16", "q5_k"), 256, "texture"),
    (("q5_k", "q6_k", "f16", "q4_k"), 256, "buffer"),
])  # fmt: skip
def test_views_show_the_values_of_blocks(
    device: wgpu.GPUDevice, tmp_path: Path, types: Sequence[str], channels: int, layout: str
) -> None:
    config = replace(SMALL_GPT2, layers=1, channels=channels, positions=240)
    path = write_gguf(tmp_path / "m.gguf", gpt2_metadata(config), gpt2_tensors(tiny_model(config), types))
    model = open_model(str(path))
    engine = Engine.load(model, LoadOptions(context=230, layout=layout, program="rows", measured=False))
    assert {tensor.storage.dtype for tensor in engine.registry} == {*types, "f32"}
    values = ArrayModel("copy", config, {name: model.tensor(name) for name in parameter_shapes(config)})
    assert_ok(patterns(engine, values))
    assert_ok(probes(engine, model))
    assert_ok(formulas(engine, model))
    assert_ok(strip(engine, values))
    assert_ok(statistics(engine, model))
    for check in maps(engine, values, 4, count=2):
        assert_ok(check)
