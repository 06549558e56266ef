"""Penalty and filters against the float64 reference, and many draws against the exact distribution."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from atlas_viewer.cli.option_names import command_line_option
from atlas_viewer.cli.parser import parse
from atlas_viewer.cli.shared import generate_options
from compute.errors import UsageError, options_spelled
from compute.forward.engine import Engine
from compute.generate.generator import Generation
from compute.sampling.options import GenerateOptions
from compute.sampling.sampler import SampleResult
from compute.selftest.check import Errors
from compute.selftest.draws import END_OF_TEXT, START, TOLERANCE, Table, draw_errors, logits_of, used
from compute.text.tokenizer import Tokenizer

from helpers.gpu import Gpu, assert_ok

pytestmark = pytest.mark.gpu

SMALL, LARGE = 261, 50257


@pytest.fixture(scope="module")
def small(gpu: Gpu) -> Table:
    return Table(gpu, SMALL)


@pytest.fixture(scope="module")
def large(gpu: Gpu) -> Table:
    return Table(gpu, LARGE)


def check(table: Table, logits: np.ndarray, **values: float) -> SampleResult:
    """Draw with these options, and check the distribution that it used and reports against the reference."""
    options = GenerateOptions(**{"top": 100, "seed": 7} | values).checked(1024, table.vocabulary)  # type: ignore[arg-type]
    errors = Errors()
    draw = draw_errors(table, logits, options, values.get("seed", 3), errors)  # type: ignore[arg-type]
    assert_ok(errors.check("draw", str(options), TOLERANCE))
    return draw


FILTERS: tuple[dict[str, Any], ...] = (
    {"top_k": 1}, {"top_k": 2}, {"top_k": 40}, {"top_k": SMALL}, {"top_k": SMALL - 1},
    {"top_p": 0.0}, {"top_p": 1e-9}, {"top_p": 0.1}, {"top_p": 0.5}, {"top_p": 0.95}, {"top_p": 0.9999999},
    {"min_p": 1e-9}, {"min_p": 0.03}, {"min_p": 0.5}, {"min_p": 1.0},
    {"repetition_penalty": 1.3}, {"repetition_penalty": 0.7}, {"repetition_penalty": 10.0},
)  # fmt: skip


@pytest.mark.parametrize("shape", list(logits_of(SMALL)))
def test_each_option_alone(small: Table, shape: str) -> None:
    logits = logits_of(SMALL)[shape]
    for index, (values, temperature) in enumerate(itertools.product(FILTERS, (0.6, 2.5))):
        check(small, logits, seed=index, temperature=temperature, **values)


@pytest.mark.parametrize("shape", list(logits_of(SMALL)))
def test_options_together(small: Table, shape: str) -> None:
    rng = np.random.default_rng(3)
    for index in range(16):
        check(
            small, logits_of(SMALL, index)[shape], seed=index, temperature=float(rng.choice([0.3, 1.0, 1.7])),
            top_k=int(rng.choice([0, 3, 20, 150])), top_p=float(rng.choice([1, 0.3, 0.8, 0.99])),
            min_p=float(rng.choice([0, 0.01, 0.2])), repetition_penalty=float(rng.choice([1, 1.1, 2, 0.5])),
        )  # fmt: skip


@pytest.mark.parametrize("shape", list(logits_of(SMALL)))
@pytest.mark.parametrize(
    "values",
    [
        {"top_k": 1}, {"top_k": 40}, {"top_k": LARGE}, {"top_p": 1e-6}, {"top_p": 0.9}, {"min_p": 0.05},
        {"top_k": 20_000, "top_p": 0.999, "repetition_penalty": 1.2}, {"top_k": 50, "top_p": 0.9, "min_p": 0.1},
    ],
    ids=str,
)  # fmt: skip
def test_the_vocabulary_of_gpt2(large: Table, shape: str, values: dict[str, float]) -> None:
    check(large, logits_of(LARGE)[shape], temperature=0.8, **values)


@pytest.mark.parametrize("penalty", [1.0, 5.0, 0.5, 100.0])
def test_greedy_takes_the_best_penalized_logit(small: Table, penalty: float) -> None:
    for name, logits in logits_of(SMALL).items():
        logits = logits.copy()
        logits[small.seen[0]] = 40 if name != "constant" else 0
        draw = check(small, logits, temperature=0.0, top_k=5, top_p=0.5, min_p=0.1, repetition_penalty=penalty)
        if name == "normal":
            assert (draw.token == small.seen[0]) == (penalty <= 1)
            assert (draw.rank == 1) == (penalty <= 1)


def test_only_tokens_in_the_context_are_penalized(small: Table) -> None:
    before = next(int(token) for token in small.context[:START] if token not in small.seen)
    for token, penalized in ((before, False), (small.seen[0], True), (small.seen[-1], True)):
        logits = np.zeros(SMALL)
        logits[token], logits[SMALL - 1 - (token == SMALL - 1)] = 4, 3
        draw = check(small, logits, temperature=0.0, repetition_penalty=2.0)
        assert (draw.token != token) == penalized


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_without_a_finite_logit_nothing_is_drawn(small: Table, value: float) -> None:
    options = GenerateOptions(top_k=5, top_p=0.5, min_p=0.1, repetition_penalty=1.1)
    draw = small.draw(np.full(SMALL, value), options)
    assert (draw.kept, draw.any_finite, draw.nonfinite, draw.candidates) == (0, False, SMALL, ())


def test_extreme_values_stay_finite(small: Table) -> None:
    logits = np.resize([3.4e38, -3.4e38, 1.0], SMALL)
    for temperature, penalty in itertools.product((1e-30, 1.0, 100.0), (0.01, 100.0)):
        options = GenerateOptions(temperature=temperature, top_k=200, top_p=0.9, repetition_penalty=penalty, top=200)
        draw = small.draw(logits, options)
        probabilities = [draw.probability(token, logit, temperature) for token, logit in draw.candidates]
        assert all(math.isfinite(p) and 0 <= p <= 1 for p in probabilities)
        assert draw.probability(draw.token, draw.logit, temperature) > 0
        assert draw.logit == np.float32(3.4e38)


def test_without_filters_a_draw_is_two_dispatches(small: Table) -> None:
    def labels(**values: float) -> list[str]:
        small.sampler.set_options(GenerateOptions(**values), END_OF_TEXT)  # type: ignore[arg-type]
        return [dispatch.label for dispatch in small.sampler.dispatches(0)]

    plain = ["sample/scan", "sample/pick"]
    assert labels() == labels(temperature=0.0, top_k=5, top_p=0.5) == labels(repetition_penalty=1.2) == plain
    assert labels(min_p=0.1) == ["sample/scan", "sample/race", "sample/pick"]
    assert len(labels(top_k=5)) == len(labels(top_p=0.5)) == 7
    assert len(labels(top_k=5, top_p=0.5, min_p=0.1)) == 11


def test_a_generation_uses_and_reports_the_options(stories: Engine, tokenizer: Tokenizer) -> None:
    flags = "-n 8 --context 6 --seed 4 --temperature 1.1 --top-k 50 --top-p 0.9 --min-p 0.02 --repetition-penalty 1.3"
    arguments = parse(["generate", "One day a cat", *flags.split()])
    options = generate_options(arguments, stories.config.positions, stories.config.vocabulary)
    generation = Generation(stories, tokenizer, arguments.prompt, options)
    while not generation.done:
        seen = generation.tokens[-options.context :]
        generation.step()
        step = generation.steps[-1]
        expected = used(stories.read_logits()[: stories.config.vocabulary], options, seen)
        assert step.probability == pytest.approx(expected[step.token], rel=1e-4)
        assert step.probability > 0
        assert [c.probability for c in step.top] == pytest.approx([expected[c.token] for c in step.top], rel=1e-4)
    again = Generation(stories, tokenizer, arguments.prompt, options)
    again.run()
    assert again.tokens == generation.tokens


@pytest.mark.parametrize(
    ("option", "value", "range_"),
    [
        ("--top-k", "-1", "0 to 50257"), ("--top-k", "99999999", "0 to 50257"), ("--top-p", "1.5", "0 to 1"),
        ("--min-p", "-0.1", "0 to 1"), ("--top-p", "nan", "0 to 1"), ("--repetition-penalty", "0", "0.01 to 100"),
    ],
)  # fmt: skip
def test_invalid_values_are_reported(option: str, value: str, range_: str) -> None:
    arguments = parse(["generate", "x", f"{option}={value}"])
    spelled = options_spelled(command_line_option)
    with spelled, pytest.raises(UsageError, match=rf"^{option} .*must be .*from {range_}"):
        generate_options(arguments, 1024, LARGE)


# -- many draws


SETTINGS = (
    GenerateOptions(temperature=1.3, top_k=60, seed=11),
    GenerateOptions(temperature=0.9, top_p=0.9, seed=12),
    GenerateOptions(temperature=1.6, top_k=120, top_p=0.95, min_p=0.02, seed=13),
)
DRAWS = 4_000


@pytest.mark.parametrize("options", SETTINGS, ids=["top-k", "top-p", "all"])
def test_draws_have_the_filtered_distribution(gpu: Gpu, options: GenerateOptions) -> None:
    table = Table(gpu, SMALL, DRAWS)
    logits = np.random.default_rng(options.seed).normal(0, 2, SMALL).astype(np.float32)
    table.prepare(logits, options)
    counts = np.bincount(table.draw_many(DRAWS, 500), minlength=SMALL)
    expected = used(logits, options, table.seen) * DRAWS
    assert not counts[expected == 0].any()
    likely = expected >= 5
    assert likely.sum() > 20
    observed = np.append(counts[likely], counts[~likely].sum())
    expected_counts = np.append(expected[likely], expected[~likely].sum())
    observed, expected_counts = observed[expected_counts > 0], expected_counts[expected_counts > 0]
    statistic = float(((observed - expected_counts) ** 2 / expected_counts).sum())
    # Wilson and Hilferty: the cube root of chi-square over its degrees of freedom is nearly normal.
    freedom = len(expected_counts) - 1
    spread = 2 / (9 * freedom)
    assert abs((statistic / freedom) ** (1 / 3) - (1 - spread)) < 4 * math.sqrt(spread)


@pytest.mark.parametrize("options", [*SETTINGS, GenerateOptions(repetition_penalty=1.4, top_k=30, seed=5)])
def test_draws_depend_on_the_seed_alone(gpu: Gpu, options: GenerateOptions) -> None:
    table = Table(gpu, SMALL)
    logits = np.random.default_rng(0).normal(0, 2, SMALL)

    def tokens(burst: int) -> list[int]:
        table.prepare(logits, options)
        return table.draw_many(50, burst)

    first = tokens(50)
    assert len(set(first)) > 5
    assert tokens(1) == tokens(7) == first
    # An aborted draw leaves nothing behind.
    table.prepare(-logits, options, step=9)
    gpu.run(*table.sampler.dispatches(8)[:4])
    assert tokens(50) == first


def test_nothing_is_drawn_after_the_end_of_text(small: Table) -> None:
    options = GenerateOptions(temperature=1.0, top_k=3, top_p=0.99, min_p=0.001)
    logits = np.zeros(SMALL)
    logits[[10, 20, 30]] = 5
    small.prepare(logits, options, end_of_text=20)
    tokens = small.draw_many(40, 40)
    end = tokens.index(20)
    assert set(tokens[:end]) <= {10, 30}
    state = small.gpu.read(small.state, 12, dtype=np.uint32)
    assert state[5] == len(small.context) + end + 1  # total
    assert state[6] == end + 1  # step
    assert state[9] == 1  # done
