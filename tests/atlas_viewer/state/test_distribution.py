"""The distribution of one step against plain sums, and the lines of the table that are made of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atlas_viewer.state.candidates import Line, LogitsView, cuts_between, in_order, line_of, reported_lines
from atlas_viewer.state.distribution import Cut, Difference, Distribution
from compute.sampling.options import GenerateOptions
from compute.selftest import reference

from helpers.fake_generation import FakeTokenizer, fake_step

# Probabilities 1/2, 1/4, 1/8, 1/16, 1/16 in another order; their entropy is 1.875 bits.
EIGHTHS = np.log(np.array([2, 8, 1, 4, 1], np.float64) / 16).astype(np.float32)


def text_of(token: int) -> str:
    return f" t{token}"


def of(logits: np.ndarray, window: tuple[int, ...] = (), **options: float) -> Distribution:
    return Distribution(0, logits, GenerateOptions(**{"temperature": 1.0, **options}), window)  # type: ignore[arg-type]


def random_logits(count: int = 600, seed: int = 3) -> np.ndarray:
    return (3 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def test_ranks_belief_and_width() -> None:
    found = of(EIGHTHS)
    assert found.order.tolist() == [1, 3, 0, 2, 4]  # equals by number
    assert found.rank.tolist() == [3, 1, 4, 2, 5]
    assert found.model == pytest.approx([0.125, 0.5, 0.0625, 0.25, 0.0625])
    assert found.model_sum == pytest.approx([0.5, 0.75, 0.875, 0.9375, 1])
    assert found.model_shape.entropy == pytest.approx(1.875)
    assert found.model_shape.perplexity == pytest.approx(2**1.875)
    assert found.model_shape.holding == (1, 4, 5)
    assert found.scaled_delta == pytest.approx(np.log([0.25, 1, 0.125, 0.5, 0.125]), abs=1e-6)
    assert (found.cuts, found.kept, found.nonfinite) == ((), 5, 0)


def test_the_draw_is_the_samplers() -> None:
    logits, window = random_logits(), (4, 9, 9, 77)
    found = of(logits, window, temperature=0.7, top_k=90, top_p=0.8, min_p=0.1, repetition_penalty=1.3)
    wanted = reference.distribution(logits, 0.7, 90, 0.8, 0.1, 1.3, window)
    assert found.drawn == pytest.approx(wanted, rel=1e-12)
    assert ((found.drawn > 0) == (wanted > 0)).all()
    assert found.kept == np.count_nonzero(wanted) == found.cuts[-1].kept
    names = [(cut.name, cut.value) for cut in found.cuts]
    assert names == [("top-k", 90), ("top-p", 0.8), ("min-p", 0.1)]
    kept = [cut.kept for cut in found.cuts]
    assert kept[0] == 90 > kept[1] > kept[2]
    # What is kept are the first tokens in the order of the draw.
    assert (found.draw_rank[wanted > 0] <= found.kept).all()
    assert all(found.cut_of(int(token)) is None for token in np.flatnonzero(wanted))
    first_out = int(found.draw_order[found.kept])
    assert found.cut_of(first_out) == found.cuts[2]
    assert found.cut_of(int(found.draw_order[90])) == found.cuts[0]
    # The running sum reaches top-p at its cut and not before; top-k is behind it.
    total = found.cumulative[found.draw_order]
    assert total[kept[1] - 2] < 0.8 <= total[kept[1] - 1]
    assert total[89] == pytest.approx(1)


@pytest.mark.parametrize("seed", range(60))
def test_every_option_is_that_of_the_reference(seed: int) -> None:
    """Apart from it: the panel has a computation of its own."""
    rng = np.random.default_rng(seed)
    logits = random_logits(int(rng.integers(1, 200)), seed)
    if seed % 3 == 0:
        logits[rng.random(logits.size) < 0.2] = rng.choice([np.nan, np.inf, -np.inf])
    options = {
        "temperature": float(rng.choice([0, 1e-3, 0.5, 1, 2])), "top_k": int(rng.choice([0, 1, 5, 50])),
        "top_p": float(rng.choice([0, 0.1, 0.5, 0.9, 1])), "min_p": float(rng.choice([0, 0.01, 0.3, 1])),
        "repetition_penalty": float(rng.choice([1, 1.3, 0.5])),
    }  # fmt: skip
    window = tuple(int(token) for token in rng.integers(0, logits.size, 7))
    found = of(logits, window, **options)
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = reference.distribution(logits, **options, seen=window)  # type: ignore[arg-type]
    assert ((found.drawn > 0) == (wanted > 0)).all()
    assert found.drawn == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    own = reference.distribution(logits)
    assert found.model == pytest.approx(own, rel=1e-9, abs=1e-12)


def test_a_penalty_moves_places_and_not_ranks() -> None:
    found = of(EIGHTHS, (1,), repetition_penalty=4.0)
    assert found.rank[1] == 1
    assert found.draw_rank[1] == 3
    assert found.drawn[1] < found.drawn[3]
    assert found.model[1] == pytest.approx(0.5)


def test_greedy_takes_one_and_cuts_nothing() -> None:
    found = of(EIGHTHS, temperature=0.0, top_k=2, top_p=0.5)
    assert found.drawn.tolist() == [0, 1, 0, 0, 0]
    assert (found.cuts, found.kept) == ((), 5)
    assert found.drawn_shape.entropy == 0
    assert found.drawn_shape.holding == (1, 1, 1)
    assert found.cumulative[found.order] == pytest.approx([0.5, 0.75, 0.875, 0.9375, 1])


def test_what_is_not_finite_is_counted_and_last() -> None:
    bad = EIGHTHS.copy()
    bad[[1, 4]] = np.nan, np.inf
    found = of(bad)
    assert found.nonfinite == 2
    assert found.order.tolist() == [3, 0, 2, 1, 4]
    assert found.model == pytest.approx([2 / 7, 0, 1 / 7, 4 / 7, 0])
    assert found.kept == 3
    nothing = of(np.full(5, np.nan, np.float32), top_k=2)
    assert (nothing.nonfinite, nothing.cuts, nothing.kept) == (5, (), 0)
    assert not nothing.model.any()
    assert not nothing.drawn.any()


def test_curves_are_short_and_exact() -> None:
    found = of(random_logits(50_000), top_k=37)
    curve, drawn = found.model_curve, found.drawn_curve
    assert curve.rank[0] == 1
    assert curve.rank[-1] == 50_000
    assert len(curve.rank) <= 400
    at = found.order[curve.rank.astype(int) - 1]
    assert (curve.probability == found.model[at]).all()
    assert curve.cumulative[-1] == pytest.approx(1)
    assert drawn.rank[-1] == 37  # zeros have no place on a logarithmic scale


def test_difference_of_two_steps() -> None:
    shown, other = of(EIGHTHS), of(np.zeros(5, np.float32))
    difference = Difference(shown, other)
    assert difference.divergence == pytest.approx(math.log2(5) - 1.875)
    assert difference.probability == pytest.approx(shown.model - 0.2)
    assert difference.ranks.tolist() == [-2, 1, -1, 2, 0]  # equals are ranked by number: 1 to 5
    assert Difference(shown, shown).divergence == 0
    impossible = EIGHTHS.copy()
    impossible[1] = -np.inf
    assert Difference(shown, of(impossible)).divergence == math.inf


def test_lines_sort_by_every_column_and_the_unknown_is_last() -> None:
    found = of(random_logits(), temperature=0.8, top_k=20)
    lines = [line_of(int(token), text_of(int(token)), found) for token in found.order[:30]]
    for column in ("rank", "token", "logit", "scaled_delta", "probability", "model_probability", "cumulative", "text"):
        for descending in (False, True):
            values = [getattr(line, column) for line in in_order(lines, column, descending)]
            assert values == sorted(values, reverse=descending), column
    unknown = Line(5, "five")
    for column in ("rank", "probability", "gain"):
        assert in_order([unknown, *lines], column, True)[-1].token == (lines[-1].token if column == "gain" else 5)


def test_cuts_lie_behind_the_last_line_that_is_kept() -> None:
    found = of(random_logits(), top_k=20, top_p=0.6)
    lines = [line_of(int(token), text_of(int(token)), found) for token in found.order[:30]]
    top_p = found.cuts[1]
    assert cuts_between(lines, found) == {top_p.kept - 1: ("top-p 0.6",), 19: ("top-k 20",)}
    backwards = in_order(lines, "rank", True)
    assert cuts_between(backwards, found)[9] == ("top-k 20",)
    assert cuts_between(lines[:5], of(random_logits(), top_k=20)) == {}  # out of sight
    mixed = [lines[0], lines[25], lines[1]]
    assert cuts_between(mixed, found) == {}
    assert Cut("top-p", 0.6, 3).label == "top-p 0.6"


def test_reported_lines_tell_a_sum_only_where_it_is_known() -> None:
    step = fake_step(0)
    plain = reported_lines(step, GenerateOptions())
    assert [line.rank for line in plain] == list(range(1, 9))
    assert plain[1].cumulative == pytest.approx(0.5 + 0.25)
    assert reported_lines(step, GenerateOptions(temperature=0))[1].cumulative == pytest.approx(0.4 + 0.2)
    for filtered in (GenerateOptions(top_p=0.9), GenerateOptions(repetition_penalty=1.1)):
        assert math.isnan(reported_lines(step, filtered)[1].cumulative)


def test_a_table_is_made_once_until_something_changes() -> None:
    view, step, options = LogitsView(top=8), fake_step(0), GenerateOptions()
    found, other = of(random_logits()), of(random_logits(seed=4))
    searches: list[str] = []

    class Searched(FakeTokenizer):
        def find(self, words: str) -> list[tuple[int, str]]:
            searches.append(words)
            return [(17, " seventeen"), (599, " last")]

    tokenizer = Searched()

    def table(distribution: Distribution | None = found, comparison: Distribution | None = None) -> list[Line]:
        made = view.table(step, options, distribution, comparison, tokenizer)
        assert view.table(step, options, distribution, comparison, tokenizer) is made
        return list(made.lines)

    assert [line.token for line in table(None)] == [known.token for known in step.top]
    assert [line.token for line in table()] == found.order[:8].tolist()
    view.top = 200
    assert len(table()) == 200
    assert all(math.isnan(line.gain) for line in table())
    compared = table(comparison=other)
    assert compared[0].gain == pytest.approx(found.model[found.order[0]] - other.model[found.order[0]])
    assert compared[0].climb == other.rank[found.order[0]] - 1
    view.words = " seven"
    lines = {line.token: line for line in table()}
    assert set(lines) == {17, 599}
    assert lines[17].rank == found.rank[17]
    assert lines[17].probability == found.drawn[17]
    assert [line.rank for line in table(None)] == [0, 0]  # nothing is known of them yet
    assert searches == [" seven"]
