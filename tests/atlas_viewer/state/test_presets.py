"""Presets, the prompt history, and the tokens of a prompt while it is being typed: plain values."""

from __future__ import annotations

import threading

import pytest

from atlas_viewer.app.prompt_tokenizer import PromptTokenizer
from atlas_viewer.state import presets
from atlas_viewer.state.prompt_history import History
from atlas_viewer.state.state import State
from compute.errors import PromptError
from compute.sampling.options import GenerateOptions

from helpers.patience import PATIENCE_S, nap, wait_until


def test_built_in_presets_are_valid_and_differ() -> None:
    for name, preset in presets.BUILT_IN.items():
        assert preset.checked(1024, 50257) == presets.sampling_of(preset)
        assert presets.name_of(preset, {}) == name
    assert set(presets.BUILT_IN) == {"greedy", "balanced", "wild"}


def test_a_preset_does_not_change_seed_length_or_context() -> None:
    options = GenerateOptions(max_new_tokens=3, context=5, seed=9, top=2, temperature=2.0, top_k=7)
    after = presets.applied(presets.BUILT_IN["greedy"], options)
    assert after == GenerateOptions(max_new_tokens=3, context=5, seed=9, top=2, temperature=0.0)
    assert presets.sampling_of(options) == GenerateOptions(temperature=2.0, top_k=7)


@pytest.mark.parametrize("name", ["", "greedy", "a##b", "two\nlines", "x" * 41])
def test_invalid_names(name: str) -> None:
    assert presets.bad_name(name)
    assert presets.cannot_save(name, GenerateOptions(temperature=0.123), {})


def test_options_are_not_saved_twice_and_names_stay_unique() -> None:
    options = GenerateOptions(temperature=0.3)
    saved: dict[str, GenerateOptions] = {}
    assert not presets.cannot_save("one", options, saved)
    presets.save("one", options, saved)
    assert "one" in presets.cannot_save("two", options, saved)
    presets.save("two", GenerateOptions(top_k=3), saved)
    assert "two" in presets.cannot_rename("one", "two", saved)
    assert presets.cannot_rename("greedy", "three", saved)
    presets.rename("one", "three", saved)
    assert list(saved) == ["three", "two"]
    assert not presets.cannot_save("three", GenerateOptions(top_k=9), saved)  # replaces it


def test_the_summary_lists_what_a_preset_sets() -> None:
    assert presets.summary(presets.BUILT_IN["wild"]) == "temperature 1.4, min-p 0.02, repetition penalty 1.1"


def test_the_history_keeps_the_text_being_written() -> None:
    history, prompts = History(), ["a", "b"]
    assert history.around(prompts, "new") == (2, 0)
    assert history.older(prompts, "new") == "b"
    assert history.around(prompts, "b") == (1, 1)
    assert history.newer(prompts, "b") == "new"
    assert history.older(prompts, "a") == "a"
    assert history.older(prompts, "edited") == "b"
    assert history.newer(prompts, "b") == "edited"


def test_the_history_has_a_prompt_that_was_run_once() -> None:
    history, prompts = History(), ["a"]
    history.older(prompts, "new")
    prompts.append("new")
    assert history.around(prompts, "new") == (1, 0)
    assert history.newer(prompts, "new") == "new"


class Words:
    """A tokenizer that counts its calls."""

    calls = 0

    def encode(self, text: str) -> list[int]:
        self.calls += 1
        if text == "bad":
            raise PromptError("prompt: bad")
        return [len(word) for word in text.split()]

    def token_label(self, token: int) -> str:
        return "x" * token


def test_tokens_follow_the_prompt_and_are_computed_once() -> None:
    state, runner = State("one three", GenerateOptions()), Words()
    watch = PromptTokenizer(runner, state)  # type: ignore[arg-type]
    assert watch.pending
    for now in (0.0, 0.1):
        watch.follow(now)
    assert state.prompt_tokens.tokens == [(3, "xxx"), (5, "xxxxx")]
    state.prompt = "bad"
    watch.follow(0.2)
    watch.follow(0.3)
    assert (state.prompt_tokens.text, state.prompt_tokens.error) == ("bad", "prompt: bad")
    state.prompt = ""
    watch.follow(0.4)
    watch.follow(0.5)
    assert not watch.pending
    assert runner.calls == 3


class SlowWords(Words):
    """A tokenizer that waits until it is allowed to work."""

    def __init__(self) -> None:
        self.allowed = threading.Event()

    def encode(self, text: str) -> list[int]:
        assert self.allowed.wait(PATIENCE_S)
        return super().encode(text)


def follow_to_the_end(watch: PromptTokenizer, now: float) -> None:
    wait_until(lambda: not watch.pending, "the tokens have arrived", meanwhile=lambda: (watch.follow(now), nap()))


def test_long_text_is_tokenized_in_the_background_after_typing_stops() -> None:
    state, runner = State("", GenerateOptions()), SlowWords()
    watch = PromptTokenizer(runner, state)  # type: ignore[arg-type]
    for number in range(20):
        state.prompt = "word " * 20_000 + str(number)
        watch.follow(0.05 * number)
    assert runner.calls == 0
    watch.follow(1.3)  # returns even though nothing is ready
    watch.follow(1.4)
    assert watch.pending
    runner.allowed.set()
    follow_to_the_end(watch, 1.5)
    assert runner.calls == 1
    assert len(state.prompt_tokens.tokens) == 20_001


def test_tokens_of_outdated_long_text_are_not_shown() -> None:
    state, runner = State("a " * 30_000, GenerateOptions()), SlowWords()
    watch = PromptTokenizer(runner, state)  # type: ignore[arg-type]
    for now in (0.0, 1.0):
        watch.follow(now)
    state.prompt = "short"
    runner.allowed.set()
    follow_to_the_end(watch, 1.1)
    assert state.prompt_tokens.tokens == [(5, "xxxxx")]


def test_an_error_in_long_text_is_reported() -> None:
    state, runner = State("x" * 30_000, GenerateOptions()), Words()
    runner.encode = refuse  # type: ignore[method-assign]
    watch = PromptTokenizer(runner, state)  # type: ignore[arg-type]
    for now in (0.0, 1.0):
        watch.follow(now)
    follow_to_the_end(watch, 1.1)
    assert state.prompt_tokens.error == "prompt: bad"


def refuse(text: str) -> list[int]:
    raise PromptError("prompt: bad")
