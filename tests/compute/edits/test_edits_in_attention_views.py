"""The Attention view shows the weights that attention used, with edits of scores and pattern."""

from __future__ import annotations

import numpy as np
import pytest

from compute.edits.grammar import parse_edit
from compute.generate.edit_values import resolve_edits
from compute.models.config import ModelConfig
from compute.selftest import reference
from compute.selftest.attention_views import finish, read_line, read_statistics
from compute.selftest.gpu import run_pass
from compute.selftest.models import some_tokens
from compute.views.attention_head import AttentionHead
from compute.views.attention_wall import AttentionWall

from helpers.edited_engine import Edited

pytestmark = pytest.mark.gpu

CONFIG = ModelConfig(layers=2, heads=3, channels=36, positions=40, vocabulary=97, padded_vocabulary=100)
ROWS = 30


@pytest.mark.parametrize(
    "texts",
    [
        ["h.1.attn.scores[head=2, pos=5:, key=0] = -inf", "h.1.attn.scores[head=2, pos=9] = -inf"],
        ["h.1.attn.pattern[head=2, pos=4:, key=0] = 0.5", "h.0.attn.pattern[:, 6, :3] *= 3"],
        ["h.1.attn.scores[2] *= 2", "h.1.attn.pattern[2, ::2, 0] = 0", "h.0.resid_post[:, 3] = 1"],
    ],
)
def test_weights_and_scores_are_those_of_the_pass(texts: list[str]) -> None:
    edited, tokens = Edited(CONFIG, "texture", "f32"), some_tokens(CONFIG, ROWS)
    engine = edited.engine
    wall, head = AttentionWall(engine), AttentionHead(engine)
    head.select(1, 2)
    run_pass(engine, tokens)
    finish(wall)
    head.update()
    edits = resolve_edits(engine, [parse_edit(text) for text in texts], tokens, ROWS)
    for wanted in (edits, ()):
        engine.set_edits(wanted)
        run_pass(engine, tokens)
        finish(wall)
        while head.update():
            pass
        exact = reference.forward(edited.exact, tokens, 0, wanted)
        patterns = np.concatenate([exact[layer.pattern] for layer in engine.description.attention])
        means = read_statistics(engine, wall)
        np.testing.assert_allclose(means.of("first"), patterns[:, 1:, 0].mean(axis=1), rtol=0, atol=1e-4)
        for query in (5, 9, ROWS - 1):
            line = read_line(engine, head, query, 0)
            np.testing.assert_allclose(line.query_weights, patterns[5, query], rtol=0, atol=1e-4)
            np.testing.assert_allclose(line.key_weights, patterns[5, :, 0], rtol=0, atol=1e-4)
        removed = [edit for edit in wanted if np.isneginf(edit.values).any()]
        assert np.isneginf(read_line(engine, head, 9, 0).query_scores).sum() == (ROWS if removed else 0)
