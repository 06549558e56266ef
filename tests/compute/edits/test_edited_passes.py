"""Passes with edits equal the float64 model with the same edits, in every program, cached or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from compute.edits.grammar import parse_edit
from compute.edits.resolved import ResolvedEdit
from compute.forward.engine import Engine
from compute.forward.whole_pass import WholePass
from compute.generate.edit_values import resolve_edits
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.selftest import reference
from compute.selftest.gpu import run_pass
from compute.selftest.models import some_tokens

from helpers.architectures import architecture, bare
from helpers.edited_engine import LOGITS, Edited, check_random_edits
from helpers.parallel_model import parallel

pytestmark = pytest.mark.gpu

NARROW = ModelConfig(layers=2, heads=3, channels=36, positions=40, vocabulary=97, padded_vocabulary=100)
DEEP = ModelConfig(layers=3, heads=5, channels=20, positions=33, vocabulary=130, padded_vocabulary=130)
WIDE = ModelConfig(layers=1, heads=2, channels=72, positions=25, vocabulary=51, padded_vocabulary=64)
# The sizes, the layout of weights, their type, and the program for many rows that it gives here.
CASES = (
    (NARROW, "texture", "f32"),
    (NARROW, "texture", "bf16"),
    (DEEP, "texture", "f16"),
    (DEEP, "buffer", "f32"),
    (WIDE, "buffer", "bf16"),
)
LISTS = 10  # of six edits per case: 300 edits in all


@pytest.mark.parametrize(("config", "layout", "dtype"), CASES)
def test_random_edits(config: ModelConfig, layout: str, dtype: str) -> None:
    check_random_edits(Edited(config, layout, dtype), LISTS)


def resolved(engine: Engine, tokens: Sequence[int], *texts: str, limit: int = 40) -> tuple[ResolvedEdit, ...]:
    return resolve_edits(engine, [parse_edit(text) for text in texts], tokens, limit)


def test_logits_of_every_row_and_of_a_batch() -> None:
    edited = Edited(NARROW, "texture", "f32")
    engine, text = edited.engine, some_tokens(NARROW, 14)
    edits = resolved(
        engine, text[:7], "logits[-1, 3] = 9", "logits[2:, 5] *= 2", "h.1.resid_post[3] = 0", "ln_f[5, 2:9] += 1"
    )
    engine.set_edits(edits)
    passes = WholePass(engine)

    def expected(tokens: Sequence[int]) -> np.ndarray:
        return reference.forward(edited.exact, tokens, 0, edits)["logits"][: NARROW.vocabulary]

    rows = passes.all_logits(text[:7])
    for row in range(7):
        np.testing.assert_allclose(rows[row], expected(text[: row + 1]), rtol=0, atol=LOGITS)
    lasts = passes.last_logits(text, sequence=7)[:, : NARROW.vocabulary]
    for row, tokens in zip(lasts, (text[:7], text[7:]), strict=True):
        np.testing.assert_allclose(row, expected(tokens), rtol=0, atol=LOGITS)


def test_without_edits_the_engine_runs_its_own_programs_again() -> None:
    edited = Edited(NARROW, "texture", "f32")
    engine, text = edited.engine, some_tokens(NARROW, 20)
    programs = engine.decode, engine.prefill
    storage = engine.registry["wte"].storage
    run_pass(engine, text)
    before = engine.read_logits()
    engine.set_edits(resolved(engine, text, "h.0.attn.out = 0", "wte[3] = 0", "h.1.attn.pattern[0] = 0"))
    assert (engine.decode, engine.prefill) != programs
    assert engine.registry["wte"].storage is not storage
    run_pass(engine, text)
    assert not np.array_equal(engine.read_logits(), before)
    engine.set_edits(())
    assert (engine.decode, engine.prefill) == programs
    assert engine.registry["wte"].storage is storage
    run_pass(engine, text)
    np.testing.assert_array_equal(engine.read_logits(), before)


def test_other_values_of_the_same_tensors_need_no_other_programs() -> None:
    edited = Edited(NARROW, "texture", "f32")
    engine, text = edited.engine, some_tokens(NARROW, 20)
    engine.set_edits(resolved(engine, text, "h.0.attn.out[head=1] *= 0.5"))
    programs = engine.decode, engine.prefill
    edits = resolved(engine, text, "h.0.attn.out[:, 3] = 2", "h.0.attn.out[5] += 1")
    engine.set_edits(edits)
    assert (engine.decode, engine.prefill) == programs
    edited.check(edits, text, NARROW.positions, 0)


def test_effects_count_changed_values_and_rows_without_keys() -> None:
    edited = Edited(NARROW, "texture", "f32")
    engine, text = edited.engine, some_tokens(NARROW, 20)
    edits = resolved(
        engine, text, "h.0.attn.out[3, :5] = 7", "h.1.resid_post *= 1", "h.0.ln_1[30] = 0",
        "h.0.attn.scores[head=1, pos=4] = -inf", "h.0.attn.pattern[0, 5, 2] = 0", "wte[3, :4] = 0.5",
        "h.0.attn.pattern[1, 4, 9] = 1",  # a later key
    )  # fmt: skip
    engine.set_edits(edits)
    edited.check(edits, text, NARROW.positions, 0)
    effects = engine.effects()
    assert effects.changed == (5, 0, 0, 5, 1, 4, 0)
    assert effects.empty_rows == 1
    more = (*edits, *resolved(engine, text, "h.1.ln_2[0, 0] = 1"))
    engine.set_edits(more)
    assert engine.effects().changed == (*effects.changed, 0)
    engine.set_edits(more, fresh=True)
    assert engine.effects().changed == (0, 0, 0, 0, 0, 4, 0, 0)


def test_an_edit_leaves_the_context_with_its_token() -> None:
    edited = Edited(NARROW, "texture", "f32")
    engine, text = edited.engine, some_tokens(NARROW, 30)
    edits = resolved(engine, text, "h.0.resid_post[9] = 5", limit=30)
    run_pass(engine, text, context=20)
    free = engine.read_logits()
    engine.set_edits(edits)
    run_pass(engine, text, context=20)
    np.testing.assert_array_equal(engine.read_logits(), free)
    run_pass(engine, text[:29], context=20)
    assert engine.effects().changed[0] == NARROW.channels


@pytest.mark.parametrize("layout", ["texture", "buffer"])
@pytest.mark.parametrize("describe", [bare, parallel])
def test_random_edits_of_other_architectures(describe: Callable[[ModelConfig], Description], layout: str) -> None:
    name = describe.__name__
    with architecture(name, describe):
        check_random_edits(Edited(replace(NARROW, architecture=name), layout, "f32"), 4)
