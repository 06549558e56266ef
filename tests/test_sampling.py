"""Penalty and filters of the draw against the float64 reference, and what is drawn against the exact distribution."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from gpu import Gpu
from test_sampler import END_OF_TEXT, gumbel, threefry

from atlas_viewer.commands.common import generate_options
from atlas_viewer.parser import parse
from compute import reference
from compute.engine import Engine
from compute.errors import UsageError
from compute.generator import Generation
from compute.options import GenerateOptions
from compute.sampler import RING, Draw, Sampler, parse_draw
from compute.tokenizer import Tokenizer

SMALL, LARGE = 261, 50257
WINDOW = 40  # tokens of the history that the penalty sees
START = 5  # history index of the first of them
EDGE = 2e-6  # mass by which a border may lie elsewhere than in float64


class Table:
    """A sampler over a vocabulary of its own, whose window is full of tokens."""

    def __init__(self, gpu: Gpu, vocabulary: int, room: int = 64) -> None:
        self.gpu = gpu
        self.vocabulary = vocabulary
        self.state, self.logits = gpu.state(), gpu.empty(vocabulary)
        self.window = np.random.default_rng(vocabulary).integers(0, vocabulary, START + WINDOW)
        self.history = gpu.buffer(np.concatenate([self.window, np.zeros(room)]).astype(np.uint32))
        self.sampler = Sampler(gpu.kernels, vocabulary, self.state, self.logits, self.history)

    @property
    def seen(self) -> list[int]:
        """The tokens of the window; those before it do not count."""
        return [int(token) for token in self.window[START:]]

    def prepare(
        self, logits: np.ndarray, options: GenerateOptions, step: int = 0, end_of_text: int = END_OF_TEXT
    ) -> None:
        queue = self.gpu.device.queue
        queue.write_buffer(self.logits, 0, logits.astype(np.float32).tobytes())
        total = len(self.window)
        words = [START, WINDOW - 1, 1, WINDOW - 1, 0, total, step, 0, 0, 0, 0, 0]
        queue.write_buffer(self.state, 0, np.array(words, np.uint32).tobytes())
        self.sampler.set_options(options, end_of_text)

    def draw(self, logits: np.ndarray, options: GenerateOptions, step: int = 0) -> Draw:
        self.prepare(logits, options, step)
        self.gpu.run(*self.sampler.dispatches(options.top))
        size = self.sampler.result_size(options.top)
        data = self.gpu.device.queue.read_buffer(self.sampler.result, step % RING * self.sampler.stride, size)
        return parse_draw(bytes(data), options.top)

    def draw_many(self, count: int, burst: int) -> list[int]:
        """Tokens of `count` draws, `burst` a submit."""
        work = self.sampler.dispatches(0)
        for first in range(0, count, burst):
            self.gpu.run(*work * min(burst, count - first))
        return self.gpu.read(self.history, count, dtype=np.uint32, offset=len(self.window)).tolist()


@pytest.fixture(scope="module")
def small(gpu: Gpu) -> Table:
    return Table(gpu, SMALL)


@pytest.fixture(scope="module")
def large(gpu: Gpu) -> Table:
    return Table(gpu, LARGE)


def shapes_of_logits(size: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    normal = rng.normal(0, 3, size).astype(np.float32)
    bad = normal.copy()
    bad[rng.permutation(size)[: size // 3]] = np.resize([np.nan, np.inf, -np.inf], size // 3)
    rare = np.full(size, np.nan, np.float32)
    rare[[3, size // 2, size - 1]] = 1, -2, 1
    peak = np.where(np.arange(size) == size - 2, 30.0, normal)
    return {
        "normal": normal, "ties": np.round(normal), "two": np.round(rng.random(size)), "constant": np.zeros(size),
        "bad": bad, "rare": rare, "bad ties": np.round(bad), "peak": peak,
    }  # fmt: skip


def used(logits: np.ndarray, options: GenerateOptions, seen: list[int], edge: float = 0.0) -> np.ndarray:
    return reference.distribution(
        logits.astype(np.float32), options.temperature, options.top_k,
        options.top_p + edge * (options.top_p < 1), min(1.0, options.min_p * (1 + 2 * edge)),
        options.repetition_penalty, seen,
    )  # fmt: skip


def matches(draw: Draw, expected: np.ndarray, options: GenerateOptions) -> bool:
    """What the draw reports is of the distribution `expected`."""
    if options.temperature > 0 and draw.kept != np.count_nonzero(expected):
        return False
    reported = [(draw.token, draw.logit), *draw.candidates]
    found = [draw.probability(token, logit, options.temperature) for token, logit in reported]
    exact = expected[[token for token, _ in reported]]
    return bool(np.allclose(found, exact, rtol=2e-5, atol=1e-9) and np.array_equal(np.equal(found, 0), exact == 0))


def check(table: Table, logits: np.ndarray, **values: float) -> Draw:
    """A draw with these options, which must report and have used the reference's distribution."""
    options = GenerateOptions(**{"top": 100, "seed": 7} | values).checked(1024, table.vocabulary)  # type: ignore[arg-type]
    draw = table.draw(logits, options, step=values.get("seed", 3))  # type: ignore[arg-type]
    # Float32 weights may move a border that lies on a token's edge: then the one beside it will do.
    close = [used(logits, options, table.seen, edge) for edge in (0, -EDGE, EDGE)]
    expected = next((p for p in close if matches(draw, p, options)), None)
    assert expected is not None, (options, draw.kept, [np.count_nonzero(p) for p in close])
    kept = np.flatnonzero(expected)
    if options.temperature > 0:
        noise = gumbel(threefry((options.seed, draw.step), np.arange(table.vocabulary), 0))
        race = np.log(expected[kept]) + noise[kept]
        best, second = np.sort(race)[::-1][:2] if len(kept) > 1 else (1, 0)
        if best - second > 1e-3:
            assert draw.token == kept[race.argmax()]
    assert draw.token in kept
    finite = logits[np.isfinite(logits)].astype(np.float64)
    own = math.exp(draw.logit - finite.max()) / np.exp(finite - finite.max()).sum()
    assert draw.model_probability(draw.logit) == pytest.approx(own, rel=1e-4)
    return draw


FILTERS = (
    {"top_k": 1}, {"top_k": 2}, {"top_k": 40}, {"top_k": SMALL}, {"top_k": SMALL - 1},
    {"top_p": 0.0}, {"top_p": 1e-9}, {"top_p": 0.1}, {"top_p": 0.5}, {"top_p": 0.95}, {"top_p": 0.9999999},
    {"min_p": 1e-9}, {"min_p": 0.03}, {"min_p": 0.5}, {"min_p": 1.0},
    {"repetition_penalty": 1.3}, {"repetition_penalty": 0.7}, {"repetition_penalty": 10.0},
)  # fmt: skip


@pytest.mark.parametrize("shape", list(shapes_of_logits(SMALL)))
def test_each_option_alone(small: Table, shape: str) -> None:
    logits = shapes_of_logits(SMALL)[shape]
    for index, (values, temperature) in enumerate(itertools.product(FILTERS, (0.6, 2.5))):
        check(small, logits, seed=index, temperature=temperature, **values)


@pytest.mark.parametrize("shape", list(shapes_of_logits(SMALL)))
def test_options_together(small: Table, shape: str) -> None:
    rng = np.random.default_rng(3)
    for index in range(16):
        check(
            small, shapes_of_logits(SMALL, index)[shape], seed=index, temperature=float(rng.choice([0.3, 1.0, 1.7])),
            top_k=int(rng.choice([0, 3, 20, 150])), top_p=float(rng.choice([1, 0.3, 0.8, 0.99])),
            min_p=float(rng.choice([0, 0.01, 0.2])), repetition_penalty=float(rng.choice([1, 1.1, 2, 0.5])),
        )  # fmt: skip


@pytest.mark.parametrize("shape", list(shapes_of_logits(SMALL)))
@pytest.mark.parametrize(
    "values",
    [
        {"top_k": 1}, {"top_k": 40}, {"top_k": LARGE}, {"top_p": 1e-6}, {"top_p": 0.9}, {"min_p": 0.05},
        {"top_k": 20_000, "top_p": 0.999, "repetition_penalty": 1.2}, {"top_k": 50, "top_p": 0.9, "min_p": 0.1},
    ],
    ids=str,
)  # fmt: skip
def test_the_vocabulary_of_gpt2(large: Table, shape: str, values: dict[str, float]) -> None:
    check(large, shapes_of_logits(LARGE)[shape], temperature=0.8, **values)


@pytest.mark.parametrize("penalty", [1.0, 5.0, 0.5, 100.0])
def test_greedy_takes_the_best_penalised_logit(small: Table, penalty: float) -> None:
    for name, logits in shapes_of_logits(SMALL).items():
        logits = logits.copy()
        logits[small.seen[0]] = 40 if name != "constant" else 0
        draw = check(small, logits, temperature=0.0, top_k=5, top_p=0.5, min_p=0.1, repetition_penalty=penalty)
        if name == "normal":
            assert (draw.token == small.seen[0]) == (penalty <= 1)
            assert (draw.rank == 1) == (penalty <= 1)


def test_only_tokens_of_the_window_are_penalised(small: Table) -> None:
    before = next(int(token) for token in small.window[:START] if token not in small.seen)
    for token, penalised in ((before, False), (small.seen[0], True), (small.seen[-1], True)):
        logits = np.zeros(SMALL)
        logits[token], logits[SMALL - 1 - (token == SMALL - 1)] = 4, 3
        draw = check(small, logits, temperature=0.0, repetition_penalty=2.0)
        assert (draw.token != token) == penalised


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
        found = [draw.probability(token, logit, temperature) for token, logit in draw.candidates]
        assert all(math.isfinite(p) and 0 <= p <= 1 for p in found)
        assert draw.probability(draw.token, draw.logit, temperature) > 0
        assert draw.logit == np.float32(3.4e38)


def test_without_filters_a_draw_is_two_dispatches(small: Table) -> None:
    def labels(**values: float) -> list[str]:
        small.sampler.set_options(GenerateOptions(**values), END_OF_TEXT)  # type: ignore[arg-type]
        return [dispatch.label for dispatch in small.sampler.dispatches(0)]

    plain = ["sample_scan", "sample_pick"]
    assert labels() == labels(temperature=0.0, top_k=5, top_p=0.5) == labels(repetition_penalty=1.2) == plain
    assert labels(min_p=0.1) == ["sample_scan", "sample_race", "sample_pick"]
    assert len(labels(top_k=5)) == len(labels(top_p=0.5)) == 7
    assert len(labels(top_k=5, top_p=0.5, min_p=0.1)) == 11


def test_a_generation_uses_and_reports_them(stories: Engine, tokenizer: Tokenizer) -> None:
    given = "-n 8 --context 6 --seed 4 --temperature 1.1 --top-k 50 --top-p 0.9 --min-p 0.02 --repetition-penalty 1.3"
    arguments = parse(["generate", "One day a cat", *given.split()])
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
def test_bad_values_are_told(option: str, value: str, range_: str) -> None:
    arguments = parse(["generate", "x", f"{option}={value}"])
    with pytest.raises(UsageError, match=rf"^{option} .*must be .*from {range_}"):
        generate_options(arguments, 1024, LARGE)


# -- many draws


SETTINGS = (
    GenerateOptions(temperature=1.3, top_k=60, seed=11),
    GenerateOptions(temperature=0.9, top_p=0.9, seed=12),
    GenerateOptions(temperature=1.6, top_k=120, top_p=0.95, min_p=0.02, seed=13),
)
DRAWS = 20_000


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
    wanted = np.append(expected[likely], expected[~likely].sum())
    observed, wanted = observed[wanted > 0], wanted[wanted > 0]
    statistic = float(((observed - wanted) ** 2 / wanted).sum())
    # Wilson and Hilferty: the cube root of chi-square over its degrees of freedom is nearly normal.
    freedom = len(wanted) - 1
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
    # A draw that was given up half-way leaves nothing behind.
    table.prepare(-logits, options, step=9)
    gpu.run(*table.sampler.dispatches(8)[:4])
    assert tokens(50) == first


def test_nothing_is_drawn_behind_the_end_of_the_text(small: Table) -> None:
    options = GenerateOptions(temperature=1.0, top_k=3, top_p=0.99, min_p=0.001)
    logits = np.zeros(SMALL)
    logits[[10, 20, 30]] = 5
    small.prepare(logits, options, end_of_text=20)
    tokens = small.draw_many(40, 40)
    end = tokens.index(20)
    assert set(tokens[:end]) <= {10, 30}
    state = small.gpu.read(small.state, 12, dtype=np.uint32)
    assert state[5] == len(small.window) + end + 1  # total
    assert state[6] == end + 1  # step
    assert state[8] == 1  # done
