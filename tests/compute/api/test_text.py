"""Generation and scores of texts, and weights on demand."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from compute.api.load import load
from compute.api.model import Model
from compute.errors import CheckpointError, DeviceError, TensorNameError, UsageError
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.sampling.options import GenerateOptions
from compute.selftest import reference
from compute.selftest.models import some_tokens
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model
from compute.weights.dtypes import DTYPES

from helpers.gpu import model_of
from helpers.make_models import ODD_SHAPES, TINY, tiny_checkpoint, tiny_model

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def stories_model() -> Model:
    return load("stories", context=64)


def test_a_generation_is_that_of_the_generator(stories_model: Model) -> None:
    made = stories_model.generate("Once upon a time", max_new_tokens=6, temperature=0.9, seed=3, top=2)
    options = GenerateOptions(max_new_tokens=6, context=64, temperature=0.9, seed=3, top=2)
    direct = Generation(stories_model._engine, load_tokenizer(), "Once upon a time", options)
    direct.run()
    assert made.text == direct.text == "Once upon a time" + made.continuation
    assert made.tokens == direct.tokens
    assert [step.token for step in made.steps] == made.tokens[4:]
    assert [len(step.top) for step in made.steps] == [2] * 6
    assert made.stop_reason == "length"


def test_a_run_between_two_generations_changes_neither(stories_model: Model) -> None:
    first = stories_model.generate("The cat", max_new_tokens=3, temperature=0).text
    run = stories_model.run("The dog", keep="h.0.ln_1")
    assert stories_model.generate("The cat", max_new_tokens=3, temperature=0).text == first
    assert np.array_equal(stories_model.run("The dog")["logits"], run.logits)


def test_options_out_of_range_are_an_error(stories_model: Model) -> None:
    with pytest.raises(UsageError, match="must be from 1 to"):
        stories_model.generate("The", max_new_tokens=0)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    x = logits - logits.max()
    result: np.ndarray = x - np.log(np.exp(x).sum())
    return result


@pytest.mark.parametrize("context", [1, 2, 5, 9])
@pytest.mark.parametrize("count", [1, 2, 9, 10, 23])
def test_every_token_is_scored_by_at_least_half_a_context(context: int, count: int) -> None:
    source = tiny_model()
    model = model_of(source, context=context)
    tokens = some_tokens(TINY, count, seed=1)
    exact = reference.in_float64(source)
    score = model.score(tokens)
    assert [token.token for token in score.tokens] == tokens
    assert score.tokens[0].logprob is score.tokens[0].rank is score.tokens[0].entropy is None
    total = 0.0
    for index in range(1, count):
        # The last context that begins early enough for this token to be new in it.
        step = max(1, context // 2)
        number = max(0, -(-(index - context) // step))
        start = number * step
        rows = min(context, count - 1 - start)
        assert index - start >= min(index, context // 2)
        acts = reference.forward(exact, tokens[start:index], min(start, TINY.positions - rows))
        logprobs = log_softmax(acts["logits"][: TINY.vocabulary])
        found = score.tokens[index]
        assert found.logprob == pytest.approx(logprobs[tokens[index]], abs=2e-3)
        assert found.entropy == pytest.approx(-(np.exp(logprobs) * logprobs).sum(), abs=2e-3)
        assert found.rank == 1 + np.count_nonzero(logprobs > logprobs[tokens[index]])
        total -= logprobs[tokens[index]]
    if count == 1:
        assert score.perplexity is None
    else:
        assert score.perplexity == pytest.approx(math.exp(total / (count - 1)), rel=2e-3)


@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
def test_weights_are_those_that_the_model_computes_with(dtype: str) -> None:
    source = tiny_model(ODD_SHAPES[2])
    model = model_of(source, weights=dtype)
    assert list(model.weights) == list(model.description.weights)
    for name, values in model.weights.items():
        assert values.dtype == np.float32
        assert np.array_equal(values, source.tensor(name).astype(DTYPES[dtype]).astype(np.float32))


def test_an_unknown_weight_lists_the_nearest(stories_model: Model) -> None:
    with pytest.raises(TensorNameError, match=r"no weight has this name; the nearest are h\.0\.attn\.c_attn\.weight, "):
        stories_model.weights["h.0.attn.c_att.weight"]


def test_weights_of_a_file_that_changed_are_refused(tmp_path: Path) -> None:
    path = tiny_checkpoint(tmp_path / "tiny.bin")
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        model = loaded_quickly("tiny.bin")
    finally:
        os.chdir(before)
    source = open_model(str(path))
    assert np.array_equal(model.weights["ln_f.bias"], source.tensor("ln_f.bias"))
    source.close()
    tiny_checkpoint(path, seed=1)
    os.utime(path, ns=(1, 1))
    with pytest.raises(CheckpointError, match="has changed since it was loaded"):
        model.weights["ln_f.bias"]


def loaded_quickly(path: str) -> Model:
    return load(path, options=LoadOptions(measured=False))


def test_a_process_has_one_adapter(stories_model: Model) -> None:
    with pytest.raises(DeviceError, match="this process already uses"):
        load("stories", adapter="another adapter")


@pytest.mark.parametrize("options", [{"weights": "f8"}, {"program": "fast"}, {"layout": "disk"}])
def test_an_unknown_choice_is_an_error(options: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r'^\w+="\w+": must be one of \w+, '):
        LoadOptions(**options)  # type: ignore[arg-type]
    if "weights" in options:
        with pytest.raises(UsageError, match="must be one of native, f32"):
            load("stories", **options)  # type: ignore[arg-type]


def test_keywords_replace_values_of_the_options() -> None:
    model = load("stories", context=8, options=LoadOptions(context=16, measured=False))
    assert model.context == 8
    with pytest.raises(UsageError, match="must be from 1 to 512"):
        load("stories", context=513)
