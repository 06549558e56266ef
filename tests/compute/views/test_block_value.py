"""The inspector's parts of a quantized value: code, scale and minimum make the value, for every type."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import wgpu

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.gpu.wgpu_native import poll
from compute.models.tensor_index import TensorIndex
from compute.views.block_value import block_value
from compute.views.probe import ProbePass
from compute.weights.block_types import BLOCK_TYPES, split_blocks
from compute.weights.checkpoint import open_model

from helpers.make_gguf import SMALL_GPT2, gpt2_metadata, gpt2_tensors, write_gguf
from helpers.make_models import tiny_model

WIDE = replace(SMALL_GPT2, channels=256, layers=1)


@pytest.mark.gpu
@pytest.mark.parametrize("layout", ["texture", "buffer"])
@pytest.mark.parametrize("dtype", BLOCK_TYPES)
def test_parts_are_those_of_the_file(device: wgpu.GPUDevice, tmp_path: Path, dtype: str, layout: str) -> None:
    path = write_gguf(tmp_path / "m.gguf", gpt2_metadata(WIDE), gpt2_tensors(tiny_model(WIDE), (dtype,)))
    model = open_model(str(path))
    probes = ProbePass(Engine.load(model, LoadOptions(layout=layout, measured=False)))
    name = "h.0.mlp.c_fc.weight"
    stored = model.blocks(name)
    assert stored is not None
    parts, kind = split_blocks(*stored), BLOCK_TYPES[dtype]
    places = [(0, 0), (3, 37), (500, 100), (1023, 255), (17, 131)]
    single = [TensorIndex(name, place) for place in places]
    ranged = TensorIndex(name, (2, 5), 700)
    probes.watch([*single, ranged, TensorIndex("ln_f.weight", (3,))])
    probes.update()
    poll(device, wait=True)
    assert probes.poll()
    for probe in (*single, ranged):
        known = probes.values[probe]
        row, column = known.index
        assert known.block is not None
        assert (known.block.dtype, known.block.bits, known.block.shared) == (dtype, kind.bits, kind.shared)
        assert known.block.code == parts.codes[row, column]
        assert known.block.scale == parts.scale[row, column // kind.shared]
        assert (known.block.minimum is None) == (parts.minimum is None)
        if parts.minimum is not None:
            assert known.block.minimum == parts.minimum[row, column // kind.shared]
        assert known.block.value == known.value == model.tensor(name)[row, column]
    assert probes.values[TensorIndex("ln_f.weight", (3,))].block is None


def test_other_types_have_no_parts() -> None:
    assert block_value("bf16", [1, 2, 3]) is None
    assert block_value("f32", [1, 2, 3]) is None


def test_a_negative_code() -> None:
    bits = np.array([0.5], np.float32).view(np.uint32)
    block = block_value("q8_0", [2**32 - 3, int(bits[0]), 0])
    assert block is not None
    assert (block.code, block.scale, block.minimum, block.zero, block.value) == (-3, 0.5, None, 0, -1.5)
