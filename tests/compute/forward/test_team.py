"""The team program over contexts of several spans of keys, with heads of every kind."""

from __future__ import annotations

from dataclasses import replace

import pytest
import wgpu

from compute.forward import span_attention, team_products
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.team_program import TeamProgram
from compute.forward.tiled_program import TiledProgram
from compute.gpu.kernels import Kernel, Kernels
from compute.gpu.subgroups import NO_SUBGROUPS
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.models.llama import llama
from compute.models.operations import Rope
from compute.selftest.check import PASS, Check
from compute.selftest.models import SMALL, loud_model
from compute.selftest.passes import ProgramPair, prove_pairs
from compute.selftest.small_models import SMALL_MODELS

from helpers.architectures import altered, architecture
from helpers.gpu import assert_ok
from helpers.mutants import Mutate, mutate

__all__ = ["mutate"]

pytestmark = pytest.mark.gpu

_LLAMA = replace(SMALL_MODELS["llama"], layers=1, positions=24, window=0, attention_bias=False)
MODELS = {
    "packed heads": replace(SMALL, layers=1),
    "window": replace(SMALL_MODELS["llama"], layers=1),
    "soft cap": replace(SMALL_MODELS["gemma2"], layers=1),
    "heads in slices": replace(SMALL_MODELS["gpt_neox"], layers=1),
    "one key head": replace(_LLAMA, heads=5, own_head_size=20, own_kv_heads=1),
    "wide heads": replace(_LLAMA, heads=2, own_head_size=256, own_kv_heads=1),
}
# Keys of a block, spans, threads of attention: more keys than all spans have in one block, and none of them full.
SETTINGS = {"few spans": (8, 3, 64), "many spans": (4, 64, 64), "odd": (7, 2, 77)}


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the kernels that programs are made of."""
    names: list[str] = []
    get = Kernels.get

    def recorded(self: Kernels, name: str, **values: str | int | float | bool) -> Kernel:
        names.append(name)
        return get(self, name, **values)

    monkeypatch.setattr(Kernels, "get", recorded)
    return names


def interleaved(config: ModelConfig) -> Description:
    """Llama whose rotated pairs are neighbors, and only some channels of each head."""
    made = llama(config)
    for name in ("h.0.attn.q_rot", "h.0.attn.k_rot"):
        rope = made.outputs[name]
        assert isinstance(rope, Rope)
        made = altered(made, name, interleaved=True, frequencies=rope.frequencies[:5])
    return made


def found_by(config: ModelConfig, *, subgroups: bool = True, dtype: str = "f32") -> Check:
    """The check of the team program on a model."""
    pair = ProgramPair("tiled, teams", "buffer", TiledProgram, TeamProgram, subgroups=subgroups)
    (found,) = prove_pairs(config, dtype, [pair])
    assert isinstance(found, Check)
    assert found.tolerance == PASS
    return found


def check(config: ModelConfig, *, subgroups: bool = True, dtype: str = "f32") -> None:
    assert_ok(found_by(config, subgroups=subgroups, dtype=dtype))


@pytest.mark.parametrize("name", MODELS)
def test_spans_are_merged(
    device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch, kernels: list[str], name: str
) -> None:
    setting = list(SETTINGS.values())[list(MODELS).index(name) % len(SETTINGS)]
    for constant, value in zip(("BLOCK", "MOST_SPANS", "THREADS"), setting, strict=True):
        monkeypatch.setattr(span_attention, constant, value)
    check(MODELS[name])
    assert "decode/attention_spans" in kernels


def test_heads_that_do_not_fit_keep_the_other_kernel(
    device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch, kernels: list[str]
) -> None:
    monkeypatch.setattr(span_attention, "_SUMS", 1 << 20)
    monkeypatch.setattr(span_attention, "THREADS", 1024)
    check(replace(_LLAMA, heads=12, own_kv_heads=1))
    assert "decode/attention_spans" not in kernels


@pytest.mark.parametrize(("rows", "ahead"), [(1, 1), (4, 16)])
def test_any_shape_of_teams(device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch, rows: int, ahead: int) -> None:
    for constant, value in {"TEAM_ROWS": rows, "WORKGROUPS": 1, "AHEAD": ahead}.items():
        monkeypatch.setattr(team_products, constant, value)
    check(replace(SMALL_MODELS["llama"], layers=1))


def test_neighbors_are_rotated(device: wgpu.GPUDevice) -> None:
    with architecture("interleaved", interleaved):
        check(replace(_LLAMA, architecture="interleaved"))


@pytest.mark.parametrize(
    ("name", "tensors"),
    [
        ("gpt2", "attn.qkv attn.out resid_mid mlp.gelu resid_post"),
        ("llama", "attn.q attn.out resid_mid mlp.gated resid_post"),
        ("gpt_neox", "attn.qkv attn.out attn.c_proj mlp.gelu mlp.c_proj resid_post"),
        # Norms of queries and keys are between the products and the rotation.
        ("qwen3", "attn.q attn.q_norm attn.k_norm attn.q_rot attn.out resid_mid mlp.gated resid_post"),
    ],
)
def test_the_dispatches_of_a_block(device: wgpu.GPUDevice, name: str, tensors: str) -> None:
    config = SMALL if name == "gpt2" else SMALL_MODELS[name]
    engine = Engine.load(loud_model(config), LoadOptions(context=20, layout="buffer", trace=False, measured=False))
    body = engine.program(TeamProgram, 1, NO_SUBGROUPS).body
    assert [dispatch.label for dispatch in body if dispatch.label.startswith("h.1.")] == [
        f"h.1.{tensor}" for tensor in tensors.split()
    ]


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_weights_of_two_bytes(device: wgpu.GPUDevice, kernels: list[str], dtype: str) -> None:
    check(replace(_LLAMA, positions=70), subgroups=dtype == "f16", dtype=dtype)
    assert "decode/attention_spans" in kernels


@pytest.mark.parametrize(
    ("shader", "text", "other"),
    [
        ("decode/attention_spans", "score_of(of_slot0)", "score_of(1.001 * of_slot0)"),
        ("decode/attention_spans", "+ slot0 / BLOCK] = vec2f(highest0", "+ slot0 / BLOCK] = vec2f(0.99 * highest0"),
        ("decode/attention_spans", "total0 * shrink", "total0"),
        ("decode/products", "- product.y * turn.y", "+ product.y * turn.y"),
        ("decode/products", "(block - 0u) / 1u", "0u"),
        ("decode/products", "total += weight1", "total += 1.01 * weight1"),
    ],
)
def test_wrong_kernels_are_found(
    device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch, mutate: Mutate, shader: str, text: str, other: str
) -> None:
    monkeypatch.setattr(span_attention, "BLOCK", 4)
    monkeypatch.setattr(span_attention, "MOST_SPANS", 3)
    changes = mutate(shader, text, other)
    assert not found_by(_LLAMA).ok
    assert sum(changes) > 0
