"""Edits of one text of a batch: each text is what it is alone with its edit, whatever is edited."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from compute.edits.grammar import edits_of
from compute.edits.resolved import ResolvedEdit, with_values
from compute.edits.resolving import place_all
from compute.edits.values import Number
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.whole_pass import WholePass
from compute.selftest import reference
from compute.selftest.models import SMALL, loud_model, some_tokens

pytestmark = pytest.mark.gpu

LENGTH = 5
SPECS = (
    "embed.tokens[2] = 1", "embed.positions[3] *= 2", "embed.sum[-1] += 0.5", "h.0.attn.out[head=1] = 0",
    "h.0.attn.v[head=2, pos=1:] *= -1", "h.1.resid_pre[2, 3:9] = 1", "h.1.mlp.gelu[:, 7] = 2",
    "h.0.attn.scores[head=2, pos=4, key=2] = -inf", "h.1.attn.pattern[head=1, pos=3:] *= 2", "ln_f[:, 3] = 0.2",
)  # fmt: skip


def resolved(engine: Engine, spec: str) -> ResolvedEdit:
    (placed,) = place_all(edits_of(spec), engine.description, LENGTH, LENGTH)
    assert isinstance(placed.edit.value, Number)
    return with_values(placed, np.asarray(placed.edit.value.value))


@pytest.mark.parametrize("layout", ["texture", "buffer"])
def test_each_text_has_its_own_edit(layout: str) -> None:
    source = loud_model(SMALL, scale=0.2)
    engine = Engine.load(source, LoadOptions(SMALL.positions, weights="f32", layout=layout, measured=False))
    passes, exact = WholePass(engine), reference.in_float64(source)
    texts = [some_tokens(SMALL, LENGTH, seed=number) for number in range(SMALL.positions // LENGTH)]
    everywhere = resolved(engine, "h.1.resid_mid *= 0.9")
    for first in range(0, len(SPECS), 5):
        edits = [resolved(engine, spec) for spec in SPECS[first : first + 5]]
        # Texts 0, 3 and others have no edit of their own; two edits are in one text.
        places = [1, 2, 4, 6, 6]
        own = [edit.only_in(place) for edit, place in zip(edits, places, strict=True)]
        engine.set_edits([*own, everywhere], fresh=True)
        logits = passes.last_logits(list(itertools.chain.from_iterable(texts)), sequence=LENGTH)
        assert all(engine.effects().changed)
        for number, text in enumerate(texts):
            mine = [edit for edit, place in zip(edits, places, strict=True) if place == number]
            expected = reference.forward(exact, text, 0, [*mine, everywhere])["logits"]
            np.testing.assert_allclose(logits[number], expected, atol=2e-3, err_msg=f"text {number}, {mine}")
    engine.set_edits(())


def test_weights_and_logits_belong_to_all_texts() -> None:
    engine = Engine.load(loud_model(SMALL), LoadOptions(SMALL.positions, weights="f32", measured=False))
    for spec in ("wte[3] = 0", "logits[:, 3] = 0"):
        with pytest.raises(ValueError, match="applies to all texts"):
            resolved(engine, spec).only_in(0)
