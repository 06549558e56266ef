"""An engine with edits beside the float64 model with the same edits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compute.edits.resolved import ResolvedEdit
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.edit_values import resolve_edits
from compute.models.config import ModelConfig
from compute.selftest import reference
from compute.selftest.check import PASS, Errors
from compute.selftest.gpu import run_pass
from compute.selftest.models import loud_model, rounded_model, some_tokens
from compute.selftest.passes import compare
from compute.weights.checkpoint import ArrayModel

from helpers.random_edits import all_targets, parsed_again, random_edit

LOGITS = 2e-3  # largest difference of a logit
_EDITS = 6  # in force at once


class Edited:
    """An engine and the float64 model with its weights."""

    def __init__(self, config: ModelConfig, layout: str, dtype: str, program: str = "auto") -> None:
        source = loud_model(config, scale=0.2)
        options = LoadOptions(config.positions, weights=dtype, layout=layout, program=program, measured=False)
        self.engine = Engine.load(source, options)
        self.exact: ArrayModel = reference.in_float64(rounded_model(source, dtype))

    def check(self, edits: Sequence[ResolvedEdit], tokens: Sequence[int], context: int, valid_rows: int) -> None:
        """A pass over the last `context` of `tokens` leaves what the float64 model computes."""
        engine, rows = self.engine, min(len(tokens), context)
        start = len(tokens) - rows
        run_pass(engine, tokens, context=context, valid_rows=valid_rows)
        position = min(start, engine.config.positions - rows)
        expected = reference.forward(self.exact, tokens[start:], position, edits, start)
        what = "; ".join(map(str, edits))
        apart = np.abs(engine.read_logits() - expected["logits"]).max()
        assert apart <= LOGITS, what
        errors = Errors()
        compare(engine, expected, errors, what)
        assert errors.largest <= PASS, errors.worst


def check_random_edits(edited: Edited, lists: int) -> None:
    """Prefill, a cached token, and a context that slid, with several lists of random edits."""
    config, engine = edited.engine.config, edited.engine
    random = np.random.default_rng(config.channels)
    text = some_tokens(config, config.positions + 5)
    prompt, context = config.positions - 8, config.positions - 4
    choices = all_targets(engine.description)
    for _ in range(lists):
        edits = [random_edit(random, choices, prompt, len(text)) for _ in range(_EDITS)]
        again = resolve_edits(engine, [parsed_again(edit) for edit in edits], text[:prompt], len(text))
        assert all(one.same(other) for one, other in zip(edits, again, strict=True))
        engine.set_edits(edits)
        edited.check(edits, text[:prompt], context, 0)
        edited.check(edits, text[: prompt + 1], context, prompt)
        edited.check(edits, text, context, 0)
