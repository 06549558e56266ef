"""Changed edits: cached rows that they would have changed are computed again, the others are kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from compute.edits.grammar import parse_edit
from compute.edits.resolved import ResolvedEdit
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.edit_values import resolve_edits
from compute.generate.generator import Generation
from compute.generate.replay import KnownText, Replay
from compute.sampling.options import GenerateOptions
from compute.selftest import reference
from compute.selftest.gpu import read_tensor
from compute.selftest.models import loud_model

from helpers.generations import CONFIG, PROMPT
from helpers.letters import Letters

pytestmark = pytest.mark.gpu

MARK = 12345.0
LETTERS = Letters(CONFIG.vocabulary, ends=False)
TOKENS = LETTERS.encode(PROMPT)  # 25
SOURCE = loud_model(CONFIG, scale=0.2)


@pytest.fixture(scope="module", params=["rows", "fused"])
def engine(request: pytest.FixtureRequest) -> Engine:
    layout = "texture" if request.param == "rows" else "buffer"
    return Engine.load(SOURCE, LoadOptions(program=request.param, layout=layout, measured=False))


def edits(engine: Engine, *texts: str) -> tuple[ResolvedEdit, ...]:
    return resolve_edits(engine, [parse_edit(text) for text in texts], TOKENS, CONFIG.positions)


def mark_rows(engine: Engine, rows: int) -> None:
    """Overwrite the kept copies of an activation, which no pass reads: a row that is computed loses its mark."""
    tensor = engine.registry["h.0.ln_2"]
    shard = tensor.storage.shards[0]
    values = np.full((rows, tensor.columns), MARK, np.float32)
    engine.device.queue.write_buffer(shard.resource, shard.offset, values)


def kept_rows(engine: Engine) -> list[int]:
    """The rows whose mark is still there."""
    return [row for row, values in enumerate(read_tensor(engine, "h.0.ln_2")) if (values == MARK).all()]


def replay(engine: Engine, wanted: Sequence[ResolvedEdit], step: int = 0) -> np.ndarray:
    options = GenerateOptions(context=engine.context, top=0)
    made = Replay(engine, KnownText(TOKENS, [3, 1, 4, 1], options), CONFIG.vocabulary, wanted)
    made.go(step)
    return made.logits()


def check(engine: Engine, wanted: Sequence[ResolvedEdit], logits: np.ndarray, tokens: Sequence[int] = TOKENS) -> None:
    exact = reference.forward(SOURCE, tokens, 0, wanted)["logits"][: CONFIG.vocabulary]
    np.testing.assert_allclose(logits, exact, rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("before", "after", "first"),
    [
        ([], ["h.0.resid_post[10] = 0"], 10),
        (["h.0.resid_post[10] = 0"], [], 10),
        (["h.0.resid_post[10] = 0"], ["h.0.resid_post[10] = 1"], 10),
        (["h.0.attn.out[5:] *= 2"], ["h.0.attn.out[5:] *= 2", "h.1.mlp.gelu[-7, 3] += 1"], 18),
        (["h.1.attn.k[3] = 0", "h.1.attn.k[15] = 0"], ["h.1.attn.k[15] = 0"], 3),
        ([], ["h.0.attn.pattern[head=1, pos=12, key=2] = 0"], 12),
        ([], ["h.0.attn.scores[head=1, pos=20:, key=2] = -inf"], 20),
        ([], ["logits[:, 3] = 9"], 24),  # the last row is always computed
        (["wte[3] *= 2"], ["wte[3] *= 2", "h.1.ln_2[19] = 0"], 19),
        ([], ["h.1.mlp.c_fc.weight[3] = 0"], 0),
        ([], ["h.0.resid_post[:, 3:3] = 0"], 24),  # selects nothing
        (["h.0.ln_1[4] = 1", "h.1.ln_1[9] = 1"], ["h.1.ln_1[9] = 1", "h.0.ln_1[4] = 1"], 24),  # other tensors
        (["h.0.ln_1[4:] = 1", "h.0.ln_1[9] *= 2"], ["h.0.ln_1[9] *= 2", "h.0.ln_1[4:] = 1"], 4),  # another order
    ],
)
def test_rows_before_the_first_change_are_kept(engine: Engine, before: list[str], after: list[str], first: int) -> None:
    engine.mark_cached((), 0)
    replay(engine, edits(engine, *before))
    mark_rows(engine, len(TOKENS))
    wanted = edits(engine, *after)
    check(engine, wanted, replay(engine, wanted))
    assert kept_rows(engine) == list(range(first))
    check(engine, wanted, replay(engine, wanted, 1), [*TOKENS, 3])  # the caches are those of these edits


def test_edits_that_stay_keep_every_row(engine: Engine) -> None:
    texts = ("h.0.resid_post[10] = 0", "h.1.attn.v[head=1] += 0.5", "wpe[3] = 0")
    engine.mark_cached((), 0)
    replay(engine, edits(engine, *texts))
    mark_rows(engine, len(TOKENS))
    wanted = edits(engine, *texts)
    check(engine, wanted, replay(engine, wanted))
    assert kept_rows(engine) == list(range(len(TOKENS) - 1))


def test_generation_continues_with_other_edits(engine: Engine) -> None:
    """The tokens so far stay; rows from the first changed one on are computed again."""
    options = GenerateOptions(max_new_tokens=4, context=engine.context, temperature=0.0, top=0)
    first = Generation(engine, LETTERS, PROMPT, options)  # type: ignore[arg-type]
    first.run()
    mark_rows(engine, len(first.tokens))
    wanted = edits(engine, "h.0.attn.out[26:, :8] = 0", "h.1.resid_post[25] *= 2")
    more = GenerateOptions(max_new_tokens=8, context=engine.context, temperature=0.0, top=0)
    second = Generation(engine, LETTERS, PROMPT, more, steps=first.steps, edits=wanted)  # type: ignore[arg-type]
    second.run()
    assert second.tokens[:29] == first.tokens
    assert kept_rows(engine) == list(range(25))
    check(engine, wanted, engine.read_logits()[: CONFIG.vocabulary], second.tokens[:-1])
    assert all(engine.effects().changed)


def test_edits_follow_the_text_when_the_context_slides(engine: Engine) -> None:
    wanted = edits(engine, "h.0.resid_post[20] = 0", "h.1.attn.pattern[pos=-1] *= 0.5", "h.0.mlp.gelu[30:, ::2] = 1")
    options = GenerateOptions(max_new_tokens=20, context=16, temperature=0.0, top=0)
    made = Generation(engine, LETTERS, PROMPT, options, edits=wanted)  # type: ignore[arg-type]
    while not made.done:
        made.step()
        tokens = made.tokens[:-1]
        start = max(0, len(tokens) - 16)
        position = min(start, CONFIG.positions - 16)
        exact = reference.forward(SOURCE, tokens[start:], position, wanted, start)["logits"]
        found = engine.read_logits()
        np.testing.assert_allclose(found, exact, rtol=0, atol=2e-3)
