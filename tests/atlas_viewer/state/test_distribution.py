"""The distribution of one step, compared with plain sums and the reference, and the lines of the logits table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atlas_viewer.state.candidates import Line, LogitsView, cuts_between, in_order, line_of, reported_lines
from atlas_viewer.state.distribution import Cut, Difference, Distribution
from compute.sampling.options import GenerateOptions
from compute.selftest import reference

from helpers.fake_generation import FakeTokenizer, fake_step

# Probabilities 1/2, 1/4, 1/8, 1/16 and 1/16, shuffled; their entropy is 1.875 bits.
EIGHTHS = np.log(np.array([2, 8, 1, 4, 1], np.float64) / 16).astype(np.float32)


def text_of(token: int) -> str:
    return f" t{token}"


def of(logits: np.ndarray, context: tuple[int, ...] = (), **options: float) -> Distribution:
    return Distribution(0, logits, GenerateOptions(**{"temperature": 1.0, **options}), context)  # type: ignore[arg-type]


def random_logits(count: int = 600, seed: int = 3) -> np.ndarray:
    return (3 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def test_ranks_probabilities_and_width() -> None:
    distribution = of(EIGHTHS)
    assert distribution.order.tolist() == [1, 3, 0, 2, 4]  # ties by token
    assert distribution.rank.tolist() == [3, 1, 4, 2, 5]
    assert distribution.model == pytest.approx([0.125, 0.5, 0.0625, 0.25, 0.0625])
    assert distribution.model_sum == pytest.approx([0.5, 0.75, 0.875, 0.9375, 1])
    assert distribution.model_shape.entropy == pytest.approx(1.875)
    assert distribution.model_shape.perplexity == pytest.approx(2**1.875)
    assert distribution.model_shape.holding == (1, 4, 5)
    assert distribution.scaled_delta == pytest.approx(np.log([0.25, 1, 0.125, 0.5, 0.125]), abs=1e-6)
    assert (distribution.cuts, distribution.kept, distribution.nonfinite) == ((), 5, 0)


def test_the_draw_matches_the_sampler() -> None:
    logits, context = random_logits(), (4, 9, 9, 77)
    distribution = of(logits, context, temperature=0.7, top_k=90, top_p=0.8, min_p=0.1, repetition_penalty=1.3)
    wanted = reference.distribution(logits, 0.7, 90, 0.8, 0.1, 1.3, context)
    assert distribution.drawn == pytest.approx(wanted, rel=1e-12)
    assert ((distribution.drawn > 0) == (wanted > 0)).all()
    assert distribution.kept == np.count_nonzero(wanted) == distribution.cuts[-1].kept
    names = [(cut.name, cut.value) for cut in distribution.cuts]
    assert names == [("top-k", 90), ("top-p", 0.8), ("min-p", 0.1)]
    kept = [cut.kept for cut in distribution.cuts]
    assert kept[0] == 90 > kept[1] > kept[2]
    # The kept tokens are the first ones in draw order.
    assert (distribution.draw_rank[wanted > 0] <= distribution.kept).all()
    assert all(distribution.cut_of(int(token)) is None for token in np.flatnonzero(wanted))
    first_out = int(distribution.draw_order[distribution.kept])
    assert distribution.cut_of(first_out) == distribution.cuts[2]
    assert distribution.cut_of(int(distribution.draw_order[90])) == distribution.cuts[0]
    # The running sum reaches top-p exactly at its cut; top-k comes after it.
    total = distribution.cumulative[distribution.draw_order]
    assert total[kept[1] - 2] < 0.8 <= total[kept[1] - 1]
    assert total[89] == pytest.approx(1)


@pytest.mark.parametrize("seed", range(60))
def test_options_match_the_reference(seed: int) -> None:
    """The panel computes the distribution independently of the reference."""
    rng = np.random.default_rng(seed)
    logits = random_logits(int(rng.integers(1, 200)), seed)
    if seed % 3 == 0:
        logits[rng.random(logits.size) < 0.2] = rng.choice([np.nan, np.inf, -np.inf])
    options = {
        "temperature": float(rng.choice([0, 1e-3, 0.5, 1, 2])), "top_k": int(rng.choice([0, 1, 5, 50])),
        "top_p": float(rng.choice([0, 0.1, 0.5, 0.9, 1])), "min_p": float(rng.choice([0, 0.01, 0.3, 1])),
        "repetition_penalty": float(rng.choice([1, 1.3, 0.5])),
    }  # fmt: skip
    context = tuple(int(token) for token in rng.integers(0, logits.size, 7))
    distribution = of(logits, context, **options)
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = reference.distribution(logits, **options, seen=context)  # type: ignore[arg-type]
    assert ((distribution.drawn > 0) == (wanted > 0)).all()
    assert distribution.drawn == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    own = reference.distribution(logits)
    assert distribution.model == pytest.approx(own, rel=1e-9, abs=1e-12)


def test_a_penalty_changes_draw_ranks_but_not_ranks() -> None:
    distribution = of(EIGHTHS, (1,), repetition_penalty=4.0)
    assert distribution.rank[1] == 1
    assert distribution.draw_rank[1] == 3
    assert distribution.drawn[1] < distribution.drawn[3]
    assert distribution.model[1] == pytest.approx(0.5)


def test_greedy_draws_one_token_and_has_no_cuts() -> None:
    distribution = of(EIGHTHS, temperature=0.0, top_k=2, top_p=0.5)
    assert distribution.drawn.tolist() == [0, 1, 0, 0, 0]
    assert (distribution.cuts, distribution.kept) == ((), 5)
    assert distribution.drawn_shape.entropy == 0
    assert distribution.drawn_shape.holding == (1, 1, 1)
    assert distribution.cumulative[distribution.order] == pytest.approx([0.5, 0.75, 0.875, 0.9375, 1])


def test_nonfinite_logits_are_counted_and_come_last() -> None:
    bad = EIGHTHS.copy()
    bad[[1, 4]] = np.nan, np.inf
    distribution = of(bad)
    assert distribution.nonfinite == 2
    assert distribution.order.tolist() == [3, 0, 2, 1, 4]
    assert distribution.model == pytest.approx([2 / 7, 0, 1 / 7, 4 / 7, 0])
    assert distribution.kept == 3
    nothing = of(np.full(5, np.nan, np.float32), top_k=2)
    assert (nothing.nonfinite, nothing.cuts, nothing.kept) == (5, (), 0)
    assert not nothing.model.any()
    assert not nothing.drawn.any()


def test_curves_are_short_and_exact() -> None:
    distribution = of(random_logits(50_000), top_k=37)
    curve, drawn = distribution.model_curve, distribution.drawn_curve
    assert curve.rank[0] == 1
    assert curve.rank[-1] == 50_000
    assert len(curve.rank) <= 400
    at = distribution.order[curve.rank.astype(int) - 1]
    assert (curve.probability == distribution.model[at]).all()
    assert curve.cumulative[-1] == pytest.approx(1)
    assert drawn.rank[-1] == 37  # zeros cannot be shown on a logarithmic scale


def test_difference_of_two_steps() -> None:
    shown, other = of(EIGHTHS), of(np.zeros(5, np.float32))
    difference = Difference(shown, other)
    assert difference.divergence == pytest.approx(math.log2(5) - 1.875)
    assert difference.probability == pytest.approx(shown.model - 0.2)
    assert difference.ranks.tolist() == [-2, 1, -1, 2, 0]  # ties are ranked by token: 1 to 5
    assert Difference(shown, shown).divergence == 0
    impossible = EIGHTHS.copy()
    impossible[1] = -np.inf
    assert Difference(shown, of(impossible)).divergence == math.inf


def test_lines_sort_by_every_column_with_unknown_values_last() -> None:
    distribution = of(random_logits(), temperature=0.8, top_k=20)
    lines = [line_of(int(token), text_of(int(token)), distribution) for token in distribution.order[:30]]
    for column in ("rank", "token", "logit", "scaled_delta", "probability", "model_probability", "cumulative", "text"):
        for descending in (False, True):
            values = [getattr(line, column) for line in in_order(lines, column, descending)]
            assert values == sorted(values, reverse=descending), column
    unknown = Line(5, "five")
    for column in ("rank", "probability", "gain"):
        assert in_order([unknown, *lines], column, True)[-1].token == (lines[-1].token if column == "gain" else 5)


def test_cuts_come_after_the_last_kept_line() -> None:
    distribution = of(random_logits(), top_k=20, top_p=0.6)
    lines = [line_of(int(token), text_of(int(token)), distribution) for token in distribution.order[:30]]
    top_p = distribution.cuts[1]
    assert cuts_between(lines, distribution) == {top_p.kept - 1: ("top-p 0.6",), 19: ("top-k 20",)}
    backwards = in_order(lines, "rank", True)
    assert cuts_between(backwards, distribution)[9] == ("top-k 20",)
    assert cuts_between(lines[:5], of(random_logits(), top_k=20)) == {}  # not among these lines
    mixed = [lines[0], lines[25], lines[1]]
    assert cuts_between(mixed, distribution) == {}
    assert Cut("top-p", 0.6, 3).label == "top-p 0.6"


def test_reported_lines_include_a_sum_only_if_it_is_known() -> None:
    step = fake_step(0)
    plain = reported_lines(step, GenerateOptions())
    assert [line.rank for line in plain] == list(range(1, 9))
    assert plain[1].cumulative == pytest.approx(0.5 + 0.25)
    assert reported_lines(step, GenerateOptions(temperature=0))[1].cumulative == pytest.approx(0.4 + 0.2)
    for filtered in (GenerateOptions(top_p=0.9), GenerateOptions(repetition_penalty=1.1)):
        assert math.isnan(reported_lines(step, filtered)[1].cumulative)


def test_a_table_is_rebuilt_only_after_a_change() -> None:
    view, step, options = LogitsView(top=8), fake_step(0), GenerateOptions()
    logits = random_logits()
    logits[step.token] = logits.max() + 1
    distribution, other = of(logits), of(random_logits(seed=4))
    searches: list[str] = []

    class Searched(FakeTokenizer):
        def find(self, words: str) -> list[tuple[int, str]]:
            searches.append(words)
            return [(17, " seventeen"), (599, " last")]

    tokenizer = Searched()

    def table(distribution: Distribution | None = distribution, comparison: Distribution | None = None) -> list[Line]:
        made = view.table(step, options, distribution, comparison, tokenizer)
        assert view.table(step, options, distribution, comparison, tokenizer) is made
        return list(made.lines)

    assert [line.token for line in table(None)] == [known.token for known in step.top]
    assert [line.token for line in table()] == distribution.order[:8].tolist()
    view.top = 200
    assert len(table()) == 200
    assert all(math.isnan(line.gain) for line in table())
    compared = table(comparison=other)
    likeliest = distribution.order[0]
    assert compared[0].gain == pytest.approx(distribution.model[likeliest] - other.model[likeliest])
    assert compared[0].climb == other.rank[likeliest] - 1
    view.words = " seven"
    lines = {line.token: line for line in table()}
    assert set(lines) == {17, 599}
    assert lines[17].rank == distribution.rank[17]
    assert lines[17].probability == distribution.drawn[17]
    assert [line.rank for line in table(None)] == [0, 0]  # not known yet
    assert searches == [" seven"]
