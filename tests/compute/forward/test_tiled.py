"""The tiled program: which dispatches a block has, and that sharing them changes no activation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import wgpu

from compute.edits.grammar import parse_edit
from compute.forward import tiled_products
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.tiled_program import TiledProgram
from compute.generate.edit_values import resolve_edits
from compute.gpu.subgroups import NO_SUBGROUPS
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.models.gpt2 import gpt2
from compute.models.operations import Add
from compute.selftest.gpu import read_tensor, run_pass
from compute.selftest.models import SMALL, loud_model, some_tokens
from compute.selftest.small_models import SMALL_MODELS

from helpers.architectures import altered, architecture, inserted

pytestmark = pytest.mark.gpu

# Llama with heads that are rotated in quads.
CONFIGS = {"gpt2": SMALL, **SMALL_MODELS, "llama": replace(SMALL_MODELS["llama"], own_head_size=16)}
LLAMA = "attn.q attn.k attn.v attn.q_rot attn.out resid_mid mlp.gate mlp.up mlp.gated resid_post"


def engine_of(config: ModelConfig, *, trace: bool = False) -> Engine:
    options = LoadOptions(context=20, layout="buffer", trace=trace, measured=False)
    return Engine.load(loud_model(config), options)


def block(engine: Engine) -> list[str]:
    """What the dispatches of block 1 write in the engine's program for 16 rows, without the block's name."""
    labels = (dispatch.label.replace("edits of ", "edits ") for dispatch in engine.prefill_for(16).body)
    return [label.replace("h.1.", "") for label in labels if "h.1." in label]


@pytest.mark.parametrize(
    ("name", "tensors"),
    [
        ("gpt2", "attn.qkv attn.out resid_mid mlp.gelu resid_post"),
        ("llama", LLAMA),
        # Pairs of rotated channels that are not in quads.
        ("gpt_neox", "attn.qkv attn.q_rot attn.k_rot attn.qkv attn.out attn.c_proj mlp.gelu mlp.c_proj resid_post"),
        # Norms of queries and keys are between the products and the rotation.
        ("qwen3", LLAMA.replace("attn.v", "attn.v attn.q_norm attn.k_norm")),
    ],
)
def test_the_dispatches_of_a_block(device: wgpu.GPUDevice, name: str, tensors: str) -> None:
    assert block(engine_of(CONFIGS[name])) == tensors.split()


@pytest.mark.parametrize(
    ("name", "edit", "tensors"),
    [
        ("gpt2", "h.1.ln_1[3] = 0", "ln_1|edits ln_1|attn.qkv|attn.out|resid_mid|mlp.gelu|resid_post"),
        ("gpt2", "h.1.attn.v[3] = 0", "attn.qkv|edits attn.qkv|attn.qkv|attn.out|resid_mid|mlp.gelu|resid_post"),
        ("llama", "h.1.attn.k_rot[3] = 0",
         "attn.q|attn.k|attn.v|attn.q_rot|attn.k_rot|edits attn.k_rot|attn.v|attn.out|resid_mid|mlp.gate|mlp.up"
         "|mlp.gated|resid_post"),
        ("llama", "h.1.attn.k[3] = 0",
         "attn.q|attn.k|edits attn.k|attn.v|attn.q_rot|attn.out|resid_mid|mlp.gate|mlp.up|mlp.gated|resid_post"),
    ],
)  # fmt: skip
def test_what_is_edited_is_stored_first(device: wgpu.GPUDevice, name: str, edit: str, tensors: str) -> None:
    engine = engine_of(CONFIGS[name])
    engine.set_edits(resolve_edits(engine, [parse_edit(edit)], some_tokens(engine.config, 16), 16))
    assert block(engine) == tensors.split("|")


def norm_read_twice(config: ModelConfig) -> Description:
    """GPT-2 with a sum that reads a norm beside the product."""
    total = Add("h.1.total", config.channels, "", ("h.1.ln_2", "h.1.mlp.c_proj"))
    return altered(
        inserted(gpt2(config), "h.1.mlp.c_proj", total), "h.1.resid_post", terms=("h.1.resid_mid", "h.1.total")
    )


def test_a_norm_that_something_else_reads_is_stored(device: wgpu.GPUDevice) -> None:
    with architecture("norm_read_twice", norm_read_twice):
        found = block(engine_of(replace(SMALL, architecture="norm_read_twice")))
    assert "ln_2" in found
    assert "ln_1" not in found


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_shared_dispatches_change_nothing(device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    tokens, runs = some_tokens(CONFIGS[name], 20), []
    for work in (0.0, 2e8):
        monkeypatch.setattr(tiled_products, "_LAYER_NORM_WORK", work)
        monkeypatch.setattr(tiled_products, "_RMS_NORM_WORK", work)
        engine = engine_of(CONFIGS[name], trace=True)
        assert ("ln_1" in block(engine)) == (work == 0)
        run_pass(engine, tokens)
        kept = [tensor.name for tensor in engine.registry if tensor.kind != "weight" and tensor.kept]
        runs.append({name: read_tensor(engine, name) for name in kept})
    for tensor, expected in runs[0].items():
        np.testing.assert_allclose(runs[1][tensor], expected, rtol=0, atol=2e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_without_enough_bindings_everything_is_stored(
    device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(tiled_products, "_BUFFERS", 10_000)
    engine = engine_of(CONFIGS[name])
    labels = [dispatch.label for dispatch in engine.program(TiledProgram, 16, NO_SUBGROUPS).body]
    assert {"h.1.ln_1", "h.1.ln_2"} <= set(labels)
