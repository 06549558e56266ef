"""Checks of each architecture as a whole: passes, formulas, lens and attribution of a small model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import sqrt

from compute.edits.grammar import edits_of
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.rows_program import RowsProgram
from compute.forward.team_program import TeamProgram
from compute.forward.tiled_program import TiledProgram
from compute.gpu.device import is_software
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.models.operations import Activation, Gated, Linear

from . import attention_views, formulas, reference
from .check import PASS, Check, Skipped
from .edits import edited_passes
from .gpu import Gpu
from .lens import small_runner
from .models import loud_model, shape_of
from .passes import ProgramPair, prove_pairs
from .small_models import SMALL_MODELS

_SOFTWARE = (ProgramPair("rows, textures", "texture", RowsProgram, RowsProgram),)
GPU_PAIRS = (
    ProgramPair("tiled, teams", "buffer", TiledProgram, TeamProgram, subgroups=True),
    ProgramPair("tiled, teams without subgroups", "buffer", TiledProgram, TeamProgram),
)
_LONG = 70  # tokens: more keys than a block of decode/attention_spans
_BOTH = ("qwen3", "gpt_neox")  # of which software adapters also run what GPUs do: other models share the kernels


def _edits(description: Description) -> list[str]:
    """Edits in every kind of tensor that the architecture has."""
    linear = next(op for op in description.sections[1].operations if isinstance(op, Linear))
    hidden = next(op for op in description.sections[2].operations if isinstance(op, Activation | Gated))
    return [
        "embed.sum[2] = 1", "h.0.ln_1[:, 1] = 1", "h.0.attn.q[head=2, pos=5] = 0.3",
        "h.0.attn.v[head=0, pos=4:] *= -1", "h.0.attn.out[head=1] = 0", "h.0.attn.scores[head=2, pos=5, key=2] = -inf",
        "h.0.attn.scores[head=0, pos=7] = -inf", "h.1.attn.k_rot[head=0, pos=-2] += 1",
        "h.1.attn.pattern[:, 20:, 15] = 0.1", "h.1.attn.c_proj[5:, 3:9] *= 3", f"{hidden.output}[:, 7] = 2",
        "h.1.resid_post[20:, 4] += 2", "ln_f[:, 3] = 0.2", "logits[:, 3] += 5",
        f"{linear.weight.name}[3:20, 1] = 0.3", f"{description.token_table.name}[:, 4] *= 1.5",
    ]  # fmt: skip


def architecture(gpu: Gpu, name: str, config: ModelConfig) -> Iterator[Check | Skipped]:
    """The checks of one architecture."""
    software = is_software(gpu.device.adapter)
    long = replace(config, positions=_LONG)
    for check in prove_pairs(config if software else long, "f32", _SOFTWARE if software else GPU_PAIRS):
        yield _named(check, name)
    if software and name in _BOTH:
        for check in prove_pairs(long, "bf16", GPU_PAIRS[:1]):
            yield _named(check, name)
    model = loud_model(config, scale=1.8 / sqrt(config.channels))
    engine = Engine.load(model, LoadOptions(context=config.positions, measured=False))
    yield _named(formulas.formulas(engine, model), name)
    yield _named(attention_views.heads(engine, (1, 3, config.positions)), name)
    edits = edits_of(_edits(engine.description))
    exact = reference.in_float64(model)
    yield edited_passes(engine, exact, edits).check(f"{name}: edits", shape_of(config), PASS)
    runner = small_runner(model, "f32")
    shapes = shape_of(config)
    yield runner.lens_errors(target=5, top=20).check(f"{name}: logit lens", shapes, PASS)
    yield runner.attribution_errors(5, 9, 7).check(f"{name}: attribution", shapes, PASS)


def _named(check: Check | Skipped, name: str) -> Check | Skipped:
    if isinstance(check, Skipped):
        return Skipped(f"{name}: {check.name}", check.why)
    return Check(f"{name}: {check.name}", check.shapes, check.error, check.tolerance, check.worst, check.numbers)


def checks(gpu: Gpu) -> Iterator[Check | Skipped]:
    """The checks of this group."""
    for name, config in SMALL_MODELS.items():
        yield from architecture(gpu, name, config)
