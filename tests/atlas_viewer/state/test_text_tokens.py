"""The characters of tokens in a text, for all texts of the tokenizer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_viewer.state.runs import Run
from atlas_viewer.state.text_tokens import TextSpans, token_spans
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer

from helpers.fake_generation import fake_step

TOKENIZER = load_tokenizer()


@given(st.text(st.sampled_from("ab \n\"'é你好😀👩‍🚀 Once upon 12"), max_size=40))
@settings(max_examples=200)
def test_spans_cover_the_text_in_order(text: str) -> None:
    ids = TOKENIZER.encode(text) if text else []
    spans = token_spans([TOKENIZER.token_label(token) for token in ids], text)
    assert len(spans) == len(ids)
    at = 0
    for index, (start, stop) in enumerate(spans):
        assert start in (at, spans[index - 1][0] if index else 0)  # next to the one before, or the same characters
        at = stop
        whole = TOKENIZER.decode([ids[index]])
        if "\N{REPLACEMENT CHARACTER}" not in whole:
            assert text[start:stop] == whole
    assert at == len(text)


def test_parts_of_a_character_share_it() -> None:
    ids = TOKENIZER.encode("a😀!")
    assert len(ids) > 3
    spans = token_spans([TOKENIZER.token_label(token) for token in ids], "a😀!")
    assert spans == [(0, 1), *[(1, 2)] * (len(ids) - 2), (2, 3)]


def test_a_run_that_grows_and_shrinks() -> None:
    steps = [fake_step(i) for i in range(6)]
    run = Run("Once upon", GenerateOptions(), [(1, "Once"), (2, " upon")], [])
    spans = TextSpans()
    for count in (0, 1, 2, 3, 6, 4, 5):
        run.steps = steps[:count]
        run.continuation = "".join(step.text for step in run.steps)
        text = run.prompt + run.continuation
        spans.follow(run)
        words = ["Once", " upon", *(step.text for step in run.steps)]
        assert [text[slice(*spans[at])] for at in range(len(spans))] == words
        for at, (start, stop) in ((at, spans[at]) for at in range(len(spans))):
            assert spans.at(start) == spans.at(stop - 1) == at
        assert spans.at(len(text)) is None
        with pytest.raises(IndexError):
            spans[len(words)]
