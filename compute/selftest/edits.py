"""Checks of edits: whole passes with every kind of edit against the float64 model with the same edits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from compute.edits.grammar import Edit, edits_of
from compute.edits.resolved import ResolvedEdit
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.edit_values import resolve_edits
from compute.gpu.device import is_software
from compute.weights.checkpoint import ArrayModel

from . import reference
from .check import PASS, Check, Errors
from .gpu import Gpu, read_tensor, run_pass
from .models import SMALL, layouts, loud_model, normal, rounded_model, shape_of, some_tokens
from .passes import compare

_PROMPT, _CONTEXT = 30, 36

EDITS: dict[str, tuple[str, ...]] = {
    "activations": (
        "embed.tokens[2] = 1", "embed.positions[:, ::3] *= 2", "embed.sum[-1] += 0.5", "h.0.attn.out[head=1] = 0",
        "h.0.attn.v[head=2, pos=4:] *= -1", "h.0.attn.c_proj[5:, 3:9] *= 3", "h.0.resid_mid[7] = 0",
        "h.0.ln_2[:, 1] = 1", "h.0.mlp.c_fc[::2, 100:] += 1", "h.0.mlp.gelu[:, 7] = 2",
        "h.1.resid_pre[:12, :5] = 0", "h.1.ln_1[9] += 0.1", "h.1.attn.k[-2] = 0", "h.1.mlp.c_proj[3:] *= 0.5",
        "h.1.resid_post[20:, 4] += 2", "ln_f[:, 3] = 0.2", "logits[:, 3] += 5",
    ),
    "attention": (
        "h.0.attn.scores[head=2, pos=5, key=2] = -inf", "h.0.attn.scores[head=0, pos=7] = -inf",
        "h.0.attn.pattern[head=1, pos=3:] *= 2", "h.1.attn.pattern[:, 20:, :3] = 0.1", "h.1.attn.scores[0] += 1",
    ),
    "weights": (
        "wte[:, 4] *= 1.5", "wpe[4:8, :3] = 0.3", "h.0.attn.c_attn.weight[3:50, 1] = 0.3", "h.1.ln_1.bias[3] = 2",
        "h.1.mlp.c_fc.bias += 0.1",
    ),
}  # fmt: skip


def checks(gpu: Gpu) -> Iterator[Check]:
    """The checks of this group."""
    for layout in layouts(is_software(gpu.device.adapter)):
        for kind in EDITS:
            yield edited(layout, kind)


def edited(layout: str, kind: str) -> Check:
    """Passes with all edits of a kind in `EDITS`, by the programs for weights of that layout."""
    dtype = "bf16" if layout == "buffer" else "f32"
    source = loud_model(SMALL)
    engine = Engine.load(source, LoadOptions(SMALL.positions, weights=dtype, layout=layout, measured=False))
    exact = reference.in_float64(rounded_model(source, dtype))
    vector = normal(SMALL.channels)
    given = [*EDITS[kind], *([("h.0.resid_post +=", vector)] if kind == "activations" else [])]
    errors = edited_passes(engine, exact, edits_of(given))
    return errors.check(f"edits of {kind}: {engine.path}", f"{shape_of(SMALL)}, {dtype}", PASS)


def edited_passes(engine: Engine, exact: ArrayModel, given: Sequence[Edit]) -> Errors:
    """A prompt, a cached token, and a context that slid, with `given`, and a pass after them without edits."""
    text, errors = some_tokens(engine.config, engine.config.positions + 3), Errors()
    edits = resolve_edits(engine, given, text[:_PROMPT], len(text))
    engine.set_edits(edits)
    for total, valid, what in (
        (_PROMPT, 0, "prefill"), (_PROMPT + 1, _PROMPT, "cached token"), (len(text), 0, "context that slid"),
    ):  # fmt: skip
        _compare(engine, exact, text[:total], edits, valid, errors, what)
    errors.same([count > 0 for count in engine.effects().changed], [True] * len(edits), "counts of changed values")
    engine.set_edits(())
    _compare(engine, exact, text[:_PROMPT], (), 0, errors, "without edits again")
    return errors


def _compare(
    engine: Engine,
    exact: ArrayModel,
    tokens: Sequence[int],
    edits: Sequence[ResolvedEdit],
    valid_rows: int,
    errors: Errors,
    what: str,
) -> None:
    rows = min(len(tokens), _CONTEXT)
    start = len(tokens) - rows
    run_pass(engine, tokens, context=_CONTEXT, valid_rows=valid_rows)
    expected = reference.forward(exact, tokens[start:], min(start, engine.config.positions - rows), edits, start)
    compare(engine, expected, errors, what)
    for tensor in engine.registry:
        if tensor.heads:
            errors.close(read_tensor(engine, tensor.name), np.asarray(expected[tensor.name]), f"{what}: {tensor.name}")
