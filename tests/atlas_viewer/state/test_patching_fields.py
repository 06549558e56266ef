"""The fields of the Patching panel: what they ask for, the messages about bad input, and what is offered instead."""

from __future__ import annotations

import pytest

from atlas_viewer.state import patching_fields
from atlas_viewer.state.patching_view import ABLATE, LAST, PATCH, STEER, MapJob, SteerJob
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, State
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer, load_tokenizer

from helpers.fake_generation import fake_step

CLEAN, CORRUPT = "One day, Tom had a ball", "One day, Ben had a ball"
TOM, BEN = 4186, 3932


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer()


@pytest.fixture
def state() -> State:
    made = State(CLEAN, GenerateOptions())
    made.model = ModelSummary("fake", 8, 6, 192, 16, 50257, 1, "bf16", "an adapter")
    view = made.patching
    view.corrupt, view.target, view.against = CORRUPT, " Tom", " Ben"
    view.points = ("embed.sum", "h.0.resid_post", "h.1.resid_post")
    return made


def test_the_prompt_is_the_clean_text_until_it_is_edited(state: State, tokenizer: Tokenizer) -> None:
    view = state.patching
    patching_fields.check(state, tokenizer)
    assert view.error == ""
    assert isinstance(view.job, MapJob)
    assert view.job.texts == (CLEAN, CORRUPT)
    assert (view.job.target, view.job.against) == (TOM, BEN)
    assert view.job.base == CORRUPT
    view.direction = "noise"
    view.clean = CLEAN.replace("ball", "dog")
    patching_fields.check(state, tokenizer)
    assert isinstance(view.job, MapJob)
    assert view.job.base == view.clean


def test_an_empty_target_is_the_token_that_the_model_drew(state: State, tokenizer: Tokenizer) -> None:
    view = state.patching
    view.section, view.target, view.against = ABLATE, "", ""
    patching_fields.check(state, tokenizer)
    assert view.error.startswith("target: is empty")
    step = fake_step(0)
    state.run = Run(CLEAN, state.options, [(1, "One")], [step])
    patching_fields.check(state, tokenizer)
    assert isinstance(view.job, MapJob)
    assert (view.job.target, view.job.against, view.job.texts) == (step.token, None, (CLEAN,))


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("corrupt", "One day, Benjamin and Ann had a ball", "clean has 7 tokens, corrupt has 9"),
        ("corrupt", CLEAN, "corrupt: is the same text as clean"),
        ("clean", "a " * 17, "clean: has 18 tokens, the model has 16 positions"),
        ("against", "", "against: is empty"),
        ("target", " Tom Ben", 'target " Tom Ben": is 2 tokens'),
        ("target", "id:50257", "the model has 50257 tokens"),
    ],
)
def test_bad_input_is_one_line(state: State, tokenizer: Tokenizer, field: str, text: str, message: str) -> None:
    setattr(state.patching, field, text)
    patching_fields.check(state, tokenizer)
    assert state.patching.job is None
    assert message in state.patching.error
    assert "\n" not in state.patching.error


def test_the_token_that_was_probably_meant_is_offered(state: State, tokenizer: Tokenizer) -> None:
    view = state.patching
    view.target = " Tom Ben"
    patching_fields.check(state, tokenizer)
    assert (view.offered, view.offer) == ("target", " Tom")
    patching_fields.take_offer(state)
    view.against = "Lily"  # one token only after a space
    patching_fields.check(state, tokenizer)
    assert (view.offered, view.offer) == ("against", " Lily")
    patching_fields.take_offer(state)
    patching_fields.check(state, tokenizer)
    assert view.error == view.offered == ""
    assert isinstance(view.job, MapJob)


def test_examples_can_begin_at_once(state: State, tokenizer: Tokenizer) -> None:
    view = state.patching
    for section in (PATCH, ABLATE, STEER):
        view.section = section
        patching_fields.fill_example(state)
        patching_fields.check(state, tokenizer)
        assert (view.error == "") == (view.job is not None)
        assert view.job is not None or "positions" in view.error  # the example is longer than this small context


def test_steering_takes_a_text_from_each_line(state: State, tokenizer: Tokenizer) -> None:
    view = state.patching
    view.section, view.texts_a = STEER, "I am glad\n\n  \nShe laughs\n"
    patching_fields.check(state, tokenizer)
    assert view.error.startswith("texts B: are empty")
    view.texts_b = "I am sad"
    patching_fields.check(state, tokenizer)
    assert view.job == SteerJob(("I am glad", "She laughs"), ("I am sad",), "h.0.resid_post", -1)
    view.at, view.position = "h.1.resid_post", "all tokens"
    assert view.position != LAST
    patching_fields.check(state, tokenizer)
    assert view.job == SteerJob(("I am glad", "She laughs"), ("I am sad",), "h.1.resid_post", None)
