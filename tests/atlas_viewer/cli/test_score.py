"""`score`: the numbers of the API, as a table and as JSON."""

from __future__ import annotations

import json

import pytest

import atlas_viewer

from helpers.command_line import PROMPT, Run, assert_one_line, no_constants

pytestmark = pytest.mark.gpu


def test_json_has_the_scores(run: Run) -> None:
    result = run("score", PROMPT, "--json")
    record = json.loads(result.out, parse_constant=no_constants)
    assert (result.status, result.err, result.out.count("\n")) == (0, "", 1)
    score = atlas_viewer.load("stories", context=64).score(PROMPT)
    assert record.keys() == {"model", "edits", "tokens", "perplexity"}
    assert record["model"] == "stories"
    assert record["perplexity"] == pytest.approx(score.perplexity, rel=1e-4)
    assert record["tokens"][0] == {"token": 7454, "text": "Once", "logprob": None, "rank": None, "entropy": None}
    for found, token in zip(record["tokens"][1:], score.tokens[1:], strict=True):
        assert (found["token"], found["text"], found["rank"]) == (token.token, token.text, token.rank)
        assert found["logprob"] == pytest.approx(token.logprob, abs=1e-3)
        assert found["entropy"] == pytest.approx(token.entropy, abs=1e-3)


def test_a_table_has_a_line_per_token(run: Run) -> None:
    lines = run("score", "Once upon").out.splitlines()
    assert lines[0].split() == ["logprob", "rank", "entropy", "token"]
    assert lines[1].split() == ["-", "-", "-", "Once"]
    assert lines[2].split()[1:] == ["1", "2.2160", "upon"]
    assert lines[3].startswith("perplexity 1.9")


def test_a_text_of_one_token_has_no_perplexity(run: Run) -> None:
    assert json.loads(run("score", "Once", "--json").out)["perplexity"] is None
    assert run("score", "Once").out.splitlines()[-1] == "perplexity -"


def test_logits_that_are_not_finite_have_neither_rank_nor_probability(run: Run) -> None:
    result = run("score", PROMPT, "--edit", "logits[pos=1] = -inf", "--json")
    assert (result.status, result.err.count("\n")) == (0, 1), result.err
    tokens = json.loads(result.out)["tokens"]
    assert (tokens[2]["logprob"], tokens[2]["rank"], tokens[2]["entropy"]) == (None, None, None)
    assert tokens[3]["rank"] >= 1
    table = run("score", PROMPT, "--edit", "logits[pos=1] = -inf").out.splitlines()
    assert table[4].split()[:3] == ["nan", "-", "nan"]


def test_bad_input_is_one_line(run: Run) -> None:
    assert_one_line(run("score", PROMPT, "--context", 0), 2, "--context 0")
    assert_one_line(run("score", "a\x00b"), 1, "control character")
