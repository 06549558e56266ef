"""A model runner applies its edits in every run and replay."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_viewer.runner.model_runner import ModelRunner
from compute.edits.grammar import parse_edit
from compute.errors import TensorNameError
from compute.forward.load_options import LoadOptions
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model

pytestmark = pytest.mark.gpu

PROMPT = "Once upon a time"
OPTIONS = GenerateOptions(max_new_tokens=3, context=64, temperature=0.0)
LOAD = LoadOptions(context=64, measured=False)
EDITS = [parse_edit(text) for text in ("h.5.mlp.gelu[-1:] = mean", "h.2.attn.out[head=4] = 0", "wpe[1] *= 2")]


def test_runs_and_replays_have_the_edits() -> None:
    tokenizer = load_tokenizer()
    runner = ModelRunner.load(open_model("stories"), tokenizer, LOAD, EDITS)
    generation = runner.start(PROMPT, OPTIONS)
    generation.run()
    assert [str(edit) for edit in generation.edits] == [str(edit) for edit in EDITS]
    assert all(runner.engine.effects().changed)
    logits = runner.engine.read_logits()
    tokens = [(token, tokenizer.token_text(token)) for token in generation.prompt_tokens]
    replay = runner.replay(tokens, generation.steps, OPTIONS)
    replay.go(1)
    replay.go(2)
    assert [str(edit) for edit in runner.engine.edits] == [str(edit) for edit in EDITS]
    np.testing.assert_allclose(runner.engine.read_logits(), logits, rtol=0, atol=1e-3)
    plain = ModelRunner.load(open_model("stories"), tokenizer, LOAD).start(PROMPT, OPTIONS)
    plain.run()
    assert [step.logit for step in plain.steps] != [step.logit for step in generation.steps]
    runner.close()


def test_strip_and_readers_find_edited_weights() -> None:
    runner = ModelRunner.load(open_model("stories"), load_tokenizer(), LOAD, EDITS)
    assert runner.registry["wpe"].storage is not runner.engine.storages["wpe"]
    statistics = runner.tensor_reader.statistics_pass().read()["wpe"]
    wpe = np.asarray(open_model("stories").tensor("wpe"), np.float32)
    wpe[1] *= 2
    assert statistics.std == pytest.approx(float(wpe.std()), rel=1e-3)
    assert runner.start(PROMPT, OPTIONS).engine.registry["wpe"].storage is runner.registry["wpe"].storage
    runner.close()


def test_an_unknown_tensor_fails_when_the_model_is_loaded() -> None:
    source = open_model("stories")
    with pytest.raises(TensorNameError, match=r"h\.99\.attn\.out"):
        ModelRunner.load(source, load_tokenizer(), LOAD, [parse_edit("h.99.attn.out = 0")])
    source.close()
