"""The numbers and statements in docs/attention.md, recomputed from the queries and keys of a pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.attention_view import rank
from compute.forward.load_options import LoadOptions
from compute.sampling.options import GenerateOptions
from compute.selftest import attention_model
from compute.selftest.attention_views import all_scores
from compute.text.tokenizer import load_tokenizer
from compute.views.attention_wall import STATISTICS, HeadStatistics
from compute.weights.checkpoint import open_model

pytestmark = pytest.mark.gpu
DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "attention.md").read_text()
TEXT = " ".join(PAGE.split())  # without line breaks
PROMPT = "Once upon a time, there was a"
HEADS = 6


class Seen:
    """Scores and weights [heads, query, key] of a text, its tokens, and the statistics of all heads, in float64."""

    def __init__(self, runner: ModelRunner, prompt: str, tokens: int) -> None:
        generation = runner.start(prompt, GenerateOptions(max_new_tokens=tokens, temperature=0, context=64))
        generation.run()
        self.scores = all_scores(runner.engine)
        self.weights = attention_model.weights(self.scores)
        rows = self.weights.shape[1]
        self.tokens = [runner.tokenizer.token_label(token) for token in generation.tokens[:rows]]
        self.statistics: HeadStatistics = attention_model.statistics(self.weights, generation.tokens[:rows])

    def best(self, name: str) -> list[tuple[int, int, str]]:
        """(layer, head, value with three decimals) of the heads with the largest values of a statistic."""
        values = self.statistics.means[STATISTICS.index(name)]
        return [(*divmod(head, HEADS), f"{values[head]:.3f}") for head in rank(values, rising=False)[:2]]


@pytest.fixture(scope="module")
def runner() -> Iterator[ModelRunner]:
    made = ModelRunner.load(open_model("stories"), load_tokenizer(), LoadOptions(context=64))
    yield made
    made.close()


@pytest.fixture(scope="module")
def long(runner: ModelRunner) -> Seen:
    return Seen(runner, PROMPT, 56)


def says(text: str) -> bool:
    return text in TEXT


def test_the_example_of_the_three_steps(runner: ModelRunner) -> None:
    seen, head = Seen(runner, PROMPT, 8), 4 * HEADS + 3
    assert seen.tokens[13:] == [" who", " lived"]
    row, scores = seen.weights[head, 13], seen.scores[head, 13]
    for token, key in (("Once", 0), (" time", 3), (" little", 8)):
        assert seen.tokens[key] == token
        assert re.search(rf'{row[key]:.4f} (of its information )?from `"{token}"`', TEXT), token
    assert says(f"and {row[13]:.4f} from itself")
    assert says(f'The score of `" who"` and `" time"` is {scores[3]:.2f}')
    assert says(f'`" who"` and `" lived"`, whose score, {scores[14]:.2f}, is not used')
    assert rank(row, rising=False)[:2] == rank(scores[:14], rising=False)[:2] == (0, 3)
    assert scores[3] < 0
    summary = runner.summary
    assert (summary.layers, summary.heads, summary.channels) == (8, HEADS, 32 * HEADS)


def test_the_heads_that_sorting_finds(long: Seen) -> None:
    assert [pair[:2] for pair in long.best("previous")] == [(3, 0), (1, 4)]
    first, second = (value for *_, value in long.best("previous"))
    assert says(f"on average, the token just before the query has {first} of the weight")
    assert says(f"The next one, head 4 of layer 1, gives it {second}.")
    assert long.tokens[61:63] == [" to", " help"]
    assert says(f'the query `" help"` takes {long.weights[3 * HEADS, 62, 61]:.4f} from `" to"`')
    assert [pair[:2] for pair in long.best("first")] == [(5, 0), (2, 0)]
    first, second = (value for *_, value in long.best("first"))
    assert says(
        f"head 0 of layer 5 comes first with {first}; the next one, head 0 of layer 2, gives the first token {second}."
    )


def test_what_the_picture_of_the_first_token_head_shows(long: Seen) -> None:
    weights, stop = long.weights[5 * HEADS], long.tokens.index(".")
    strongest = weights.argmax(-1)
    assert says("in the first sentence, every query gives most of its weight to the first token")
    assert (strongest[:stop] == 0).all()
    assert np.median(weights[1:stop, 0]) > 0.5
    assert says("later on, most queries give most of theirs to the first full stop")
    assert (strongest[stop:] == stop).mean() > 0.8
    again = [row for row, token in enumerate(long.tokens) if token == " El"][1]
    followed = long.tokens.index(" El") + 1
    assert long.tokens[followed] == "ara"
    assert strongest[again] == followed
    assert says(f'the second `" El"` gives {weights[again, followed]:.2f} to `"ara"`')


def test_the_head_that_continues_a_repetition(runner: ModelRunner) -> None:
    found = re.search(r"```text\n(.*)\n```", PAGE)
    assert found is not None
    seen = Seen(runner, found[1], 1)
    assert len(seen.tokens) == 36
    assert seen.statistics.repeats == 24
    assert [pair[:2] for pair in seen.best("induction")] == [(5, 0), (7, 2)]
    first, second = (value for *_, value in seen.best("induction"))
    assert says(f"head 0 of layer 5 comes first again, with {first}. The next one, head 2 of layer 7, has {second}.")


def test_the_pictures_are_those_of_the_tour() -> None:
    wanted = {line.split('"')[3] for line in (DOCS / "attention.jsonl").read_text().splitlines() if '"picture"' in line}
    shown = set(re.findall(r"\(attention/(\w+)\.png\)", PAGE))
    assert shown == wanted == {path.stem for path in (DOCS / "attention").glob("*.png")}
