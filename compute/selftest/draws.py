"""Checks of draws: penalty, filters, random numbers, rank and candidates, for small and large vocabularies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from compute.forward.pass_plan import state_of
from compute.sampling.options import GenerateOptions
from compute.sampling.random_numbers import gumbel, threefry
from compute.sampling.sampler import MAX_TOP, RING, Sampler, SampleResult, parse_draw

from . import reference
from .check import Check, Errors
from .gpu import Gpu

TOLERANCE = 2e-5  # of probabilities, which are exponentials of sums of up to 50,000 terms
END_OF_TEXT = 0xFFFFFF  # not a token of these vocabularies
CONTEXT = 40  # tokens of the history that the penalty covers
START = 5  # history index of the first of them
EDGE = 2e-6  # probability mass by which a filter's limit may differ from float64
CLOSE = 1e-3  # difference in logit plus noise below which either token may win the draw


class Table:
    """A sampler with its own vocabulary and a full context."""

    def __init__(self, gpu: Gpu, vocabulary: int, capacity: int = 64) -> None:
        """capacity: tokens that can be drawn before the history is full."""
        self.gpu = gpu
        self.vocabulary = vocabulary
        self.state, self.logits = gpu.state(), gpu.empty(vocabulary)
        self.context = np.random.default_rng(vocabulary).integers(0, vocabulary, START + CONTEXT)
        self.history = gpu.buffer(np.concatenate([self.context, np.zeros(capacity)]).astype(np.uint32))
        self.sampler = Sampler(gpu.kernels, vocabulary, self.state, self.logits, self.history)

    @property
    def seen(self) -> list[int]:
        """The tokens of the context, without earlier ones."""
        return [int(token) for token in self.context[START:]]

    def prepare(
        self, logits: np.ndarray, options: GenerateOptions, step: int = 0, end_of_text: int = END_OF_TEXT
    ) -> None:
        """Write the logits, options and state for a draw."""
        queue = self.gpu.device.queue
        queue.write_buffer(self.logits, 0, logits.astype(np.float32).tobytes())
        state = state_of(START, CONTEXT - 1, 1, CONTEXT - 1, 0, len(self.context), step)
        queue.write_buffer(self.state, 0, state)
        self.sampler.set_options(options, end_of_text)

    def draw(self, logits: np.ndarray, options: GenerateOptions, step: int = 0) -> SampleResult:
        """The result of one draw."""
        self.prepare(logits, options, step)
        self.gpu.run(*self.sampler.dispatches(options.top))
        size = self.sampler.result_size(options.top)
        data = self.gpu.device.queue.read_buffer(self.sampler.result, step % RING * self.sampler.stride, size)
        return parse_draw(bytes(data), options.top)

    def draw_many(self, count: int, burst: int) -> list[int]:
        """Tokens of `count` draws, `burst` per submit."""
        work = self.sampler.dispatches(0)
        for first in range(0, count, burst):
            self.gpu.run(*work * min(burst, count - first))
        drawn = self.gpu.read(self.history, count, dtype=np.uint32, offset=len(self.context))
        return [int(token) for token in drawn]


def used(logits: np.ndarray, options: GenerateOptions, seen: Sequence[int], edge: float = 0.0) -> np.ndarray:
    """The reference's distribution with the filters' limits moved by `edge`, float64 [vocabulary]."""
    return reference.distribution(
        logits.astype(np.float32), options.temperature, options.top_k,
        options.top_p + edge * (options.top_p < 1), min(1.0, options.min_p * (1 + 2 * edge)),
        options.repetition_penalty, seen,
    )  # fmt: skip


def order_of(logits: np.ndarray) -> list[int]:
    """Tokens with finite logits, the most likely first, equal ones by id."""
    order = np.argsort(-np.where(np.isfinite(logits), logits, -np.inf), kind="stable")
    found: list[int] = order[np.isfinite(logits[order])].tolist()
    return found


def draw_errors(table: Table, logits: np.ndarray, options: GenerateOptions, step: int, errors: Errors) -> SampleResult:
    """Compare everything that a draw reports with the reference."""
    logits, what = logits.astype(np.float32), _named(options)
    draw = table.draw(logits, options, step)
    # Float32 rounding may move a filter's limit past a token; the distributions on both sides are then correct.
    near = [used(logits, options, table.seen, edge) for edge in (0, -EDGE, EDGE)]
    reported = [(draw.token, draw.logit), *draw.candidates]
    tokens = [token for token, _ in reported]
    if max(tokens) >= table.vocabulary or not np.isfinite(logits[draw.token]):
        errors.same(False, True, f"{what}: a token that cannot be drawn")
        return draw
    found = np.array([draw.probability(token, logit, options.temperature) for token, logit in reported])
    fitting = [p for p in near if np.array_equal(found == 0, p[tokens] == 0) and _keeps(draw, p, options)]
    expected = fitting[0] if fitting else near[0]
    errors.same(bool(fitting), True, f"{what}: which tokens are kept")
    # Relative to each probability, so that unlikely tokens matter too.
    scale = np.maximum(expected[tokens], 1e-4)
    errors.close(found / scale, expected[tokens] / scale, f"{what}: probabilities")
    _token_errors(draw, expected, options, table.vocabulary, errors, what)
    _report_errors(draw, logits, options, errors, what)
    return draw


def _keeps(draw: SampleResult, expected: np.ndarray, options: GenerateOptions) -> bool:
    return options.temperature == 0 or draw.kept == np.count_nonzero(expected)


def _token_errors(
    draw: SampleResult, expected: np.ndarray, options: GenerateOptions, vocabulary: int, errors: Errors, what: str
) -> None:
    """Check the drawn token: the largest logit plus noise, unless the result is close."""
    kept = np.flatnonzero(expected)
    errors.same(draw.token in kept, True, f"{what}: the drawn token is kept")
    if options.temperature == 0:
        return
    noise = gumbel(threefry((options.seed, draw.step), np.arange(vocabulary), 0))
    race = np.log(expected[kept]) + noise[kept]
    best, second = np.sort(race)[::-1][:2] if len(kept) > 1 else (1.0, 0.0)
    if best - second > CLOSE:
        errors.same(draw.token, int(kept[race.argmax()]), f"{what}: the token that these random numbers select")


def _report_errors(draw: SampleResult, logits: np.ndarray, options: GenerateOptions, errors: Errors, what: str) -> None:
    """Compare rank, candidates, extremes, sums and entropy, which describe the model's own logits."""
    order = order_of(logits)
    finite = logits[np.isfinite(logits)].astype(np.float64)
    shifted = finite - finite.max()
    log_total = float(np.log(np.exp(shifted).sum()))
    errors.same(draw.candidates, tuple((t, float(logits[t])) for t in order[: options.top]), f"{what}: candidates")
    errors.same(draw.logit, float(logits[draw.token]), f"{what}: logit")
    if options.top:
        errors.same(draw.rank, order.index(draw.token) + 1, f"{what}: rank")
    errors.same(draw.highest, float(logits[order[0]]), f"{what}: the largest logit")
    errors.same(draw.nonfinite, int(logits.size - finite.size), f"{what}: logits that are not finite")
    errors.close(draw.log_total - draw.highest, log_total, f"{what}: log-sum-exp")
    entropy = -float((np.exp(shifted - log_total) * (shifted - log_total)).sum())
    errors.close(draw.entropy, entropy, f"{what}: entropy")


def _named(options: GenerateOptions) -> str:
    return (
        f"T {options.temperature:g}, top-k {options.top_k}, top-p {options.top_p:g}, min-p {options.min_p:g},"
        f" penalty {options.repetition_penalty:g}"
    )


def logits_of(size: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Several kinds of logits float32 [size], by name."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(0, 3, size).astype(np.float32)
    bad = normal.copy()
    bad[rng.permutation(size)[: size // 3]] = np.resize([np.nan, np.inf, -np.inf], size // 3)
    rare = np.full(size, np.nan, np.float32)
    rare[[3, size // 2, size - 1]] = 1, -2, 1
    peak = np.where(np.arange(size) == size - 2, np.float32(30.0), normal)
    return {
        "normal": normal, "ties": np.round(normal), "two": np.round(rng.random(size)), "constant": np.zeros(size),
        "bad": bad, "rare": rare, "bad ties": np.round(bad), "peak": peak,
    }  # fmt: skip


# One for each set of dispatches: greedy, no filter, each filter by itself, and all filters together.
OPTIONS = (
    GenerateOptions(temperature=0.0, repetition_penalty=1.3),
    GenerateOptions(temperature=0.0),
    GenerateOptions(temperature=0.7, seed=11),
    GenerateOptions(temperature=1.4, repetition_penalty=1.3, seed=12),
    GenerateOptions(temperature=0.8, top_k=40, seed=13),
    GenerateOptions(temperature=0.9, top_p=0.9, seed=14),
    GenerateOptions(temperature=1.0, min_p=0.03, seed=15),
    GenerateOptions(temperature=1.2, top_k=60, top_p=0.95, min_p=0.01, repetition_penalty=1.2, seed=16),
)


def draws(
    gpu: Gpu, vocabulary: int, kinds: Sequence[str] = (), sets: Sequence[GenerateOptions] = OPTIONS, top: int = 100
) -> Check:
    """Draws with each of `sets` from logits of these kinds, by default all."""
    table, errors = Table(gpu, vocabulary), Errors()
    for number, options in enumerate(sets):
        chosen = GenerateOptions(**{**options.as_json(), "top": min(top, vocabulary, MAX_TOP)})  # type: ignore[arg-type]
        for step, (kind, logits) in enumerate(logits_of(vocabulary, number).items()):
            if kinds and kind not in kinds:
                continue
            before = errors.largest
            draw_errors(table, logits, chosen, step, errors)
            if errors.largest != before:
                errors.worst = f"{kind} logits, {errors.worst}"
    nothing = table.draw(np.full(vocabulary, np.nan), chosen)
    errors.same((nothing.kept, nothing.nonfinite), (0, vocabulary), "no finite logit")
    return errors.check("draw", f"{vocabulary} tokens", TOLERANCE)


def checks(gpu: Gpu) -> Iterator[Check]:
    """The checks of this group."""
    yield draws(gpu, 97, (), (OPTIONS[-1],), top=0)
    yield draws(gpu, 50257, ("normal", "bad ties", "peak"))
