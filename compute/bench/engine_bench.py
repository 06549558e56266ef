"""Speed of an engine on its adapter: prefill, decode, GPU and host time per token, and the cost of the views.

Every figure is a median over repeats after a warm-up, and includes the numbers of repeats and tokens. A figure is None
if one repeat alone would take too long, or if the adapter has no timestamps.
"""

from __future__ import annotations

import copy
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from compute.forward.engine import Engine
from compute.forward.pass_plan import Pass
from compute.generate.generator import Generation
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch, Timer, poll, work_done
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer
from compute.views.statistics import StatisticsPass

from .measuring import Budget, Figure, repeated

PREFILL_SIZES = (16, 64, 256, 1024)
DECODE_CONTEXTS = (16, 256, 1000)
MAIN_SIZE = 256  # prefill size and context of the headline figures
FRAME_S = 1 / 60

_REPEATS = 5
_LEAST_REPEATS = 3  # the tokens of a run are chosen so that this many runs fit into the time limit
_TOKENS = 256  # tokens timed in one run, if time and context allow
_LEAST_TOKENS = 4
_TEMPERATURE = 0.8
_BATCH = 16  # tokens per submission, if single ones are too short to measure
_BATCH_S = 0.2  # maximum time of such a submission
_NO_TOKEN = 0xFFFFFFFF
_NAP_S = 0.0001

QUICK = Budget(seconds=1.0, longest=8.0)


def endless(tokenizer: Tokenizer) -> Tokenizer:
    """A copy of `tokenizer` without an end-of-text token, which random weights could draw at any time."""
    unending = copy.copy(tokenizer)
    unending.end_of_text, unending.ends = _NO_TOKEN, frozenset()
    return unending


def sizes(requested: Sequence[int], limit: int) -> list[int]:
    """`requested` clipped to `limit`, sorted, without duplicates."""
    return sorted({min(size, limit) for size in requested})


def warm_up(engine: Engine, budget: Budget) -> None:
    """Decode until `budget.warm_up` seconds have passed: GPUs raise their clocks slowly. Blocks.

    Also sets the sampling options for the passes that are measured individually.
    """
    engine.sampler.set_options(GenerateOptions(temperature=_TEMPERATURE, context=engine.context, top=0), _NO_TOKEN)
    start = time.perf_counter()
    while time.perf_counter() - start < budget.warm_up:
        state, work, _ = _tokens_at(engine, min(_BATCH, engine.context))
        _submit(engine, state, work)
        poll(engine.device, wait=True)


def prefill_ms(engine: Engine, tokens: int, budget: Budget) -> Figure:
    """Milliseconds from the first submission of a pass over `tokens` rows until its token is drawn. Blocks."""
    plan = engine.plan(tokens, tokens, 0, 0, top=0)
    if _seconds(plan) > budget.longest:
        return Figure(None, tokens=tokens)

    def once() -> float:
        start = time.perf_counter()
        for segment in plan.segments:
            _submit(engine, segment.state, segment.dispatches, early=True)
        poll(engine.device, wait=True)
        return time.perf_counter() - start

    times = repeated(once, _REPEATS, budget.seconds)
    return Figure(1e3 * statistics.median(times), len(times), tokens)


def gpu_us(engine: Engine, context: int) -> Figure:
    """GPU time per token around `context` in microseconds, draw included. None without timestamp queries."""
    state, work, count = _tokens_at(engine, context)
    if "timestamp-query" not in engine.device.features:
        return Figure(None, tokens=count)
    timer = Timer(engine.device)

    def once() -> float:
        if state is not None:
            engine.write_state(state)
        encoder = ComputeEncoder(engine.device)
        encoder.run(work, timer)
        encoder.resolve(timer)
        encoder.submit()
        return timer.seconds()

    times = repeated(once, _REPEATS, math.inf)
    return Figure(1e6 * statistics.median(times) / count, len(times), count)


def host_us(engine: Engine, context: int) -> Figure:
    """Host time in microseconds to encode and submit one token. The GPU is idle at the start."""
    state, work, count = _tokens_at(engine, context)

    def once() -> float:
        poll(engine.device, wait=True)
        start = time.perf_counter()
        _submit(engine, state, work)
        return time.perf_counter() - start

    times = repeated(once, _REPEATS, math.inf)
    poll(engine.device, wait=True)
    return Figure(1e6 * statistics.median(times) / count, len(times), count)


def decode_rate(
    engine: Engine, tokenizer: Tokenizer, context: int, budget: Budget, paint: Callable[[], object] | None = None
) -> Figure:
    """Tokens per second of complete generations around `context`, sampling included. Blocks.

    Timed after the first token, until the end. paint: updates the views; as in a window, it is called once per frame
    of 1/60 s if there is something new, and never while the previous call is in flight.
    """
    count, first = _span(engine, context, budget)
    prompt_pass = _seconds(engine.plan(first, engine.context, 0, 0, top=0)) <= budget.seconds
    kind = Generation if prompt_pass else _UncomputedPrompt
    options = GenerateOptions(max_new_tokens=count + 1, context=engine.context, temperature=_TEMPERATURE, top=0)
    prompt = tokenizer.encode(" the")[-1:] * first  # so many tokens with any tokenizer
    rates: list[float] = []
    timed = 0.0
    while not rates or ((len(rates) < _REPEATS or len(rates) * count < _TOKENS) and timed < budget.seconds):
        generation = kind(engine, endless(tokenizer), "", options, prompt_tokens=prompt)
        generation.step()
        if paint is not None:
            paint()  # the first call also reads the weights
            poll(engine.device, wait=True)
        start = time.perf_counter()
        if paint is None:
            generation.run()
        else:
            _run_painting(generation, paint)
        elapsed = time.perf_counter() - start
        if len(generation.steps) != count + 1:  # no logit was finite
            return Figure(None, 0, count, first, first + count, prompt_pass)
        rates.append(count / elapsed)
        timed += elapsed
    return Figure(statistics.median(rates), len(rates), count, first, first + count, prompt_pass)


def atlas_us(engine: Engine, paint: Callable[[], object], budget: Budget) -> Figure:
    """Microseconds to update the views for one new row, encoding and GPU together. Blocks.

    The engine must have run a generation.
    """
    paint()
    poll(engine.device, wait=True)
    count = 1

    def once() -> float:
        nonlocal count
        start = time.perf_counter()
        for _ in range(count):
            paint()
        poll(engine.device, wait=True)
        seconds = (time.perf_counter() - start) / count
        count = max(1, min(_BATCH, int(_BATCH_S / seconds)))
        return seconds

    times = repeated(once, _REPEATS, budget.seconds)
    return Figure(1e6 * statistics.median(times), len(times), count)


def statistics_us(engine: Engine, budget: Budget) -> Figure:
    """Microseconds to update the statistics of every tensor for one new row, encoding and GPU together. Blocks.

    The engine must have run a generation and keep activations; its number of rows is restored.
    """
    statistics_pass = StatisticsPass(engine)
    registry = engine.registry
    rows = registry.rows
    count = min(_BATCH, engine.context - 1)
    base = min(rows, engine.context - count)

    def once() -> float:
        registry.rows = base
        statistics_pass.read()
        start = time.perf_counter()
        for row in range(base + 1, base + count + 1):
            registry.rows = row
            statistics_pass.update()
        poll(engine.device, wait=True)
        seconds = (time.perf_counter() - start) / count
        statistics_pass.read()
        return seconds

    times = repeated(once, _REPEATS, budget.seconds)
    registry.rows = rows
    return Figure(1e6 * statistics.median(times), len(times), count)


def peak_host_mb() -> float | None:
    """Peak resident memory of this process in MB (1e6 bytes); None if the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


class _UncomputedPrompt(Generation):
    """Uses the cache's contents as the rows of its prompt. The prompt costs one row; only the speed is meaningful."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        prompt: str,
        options: GenerateOptions,
        *,
        prompt_tokens: Sequence[int],
    ) -> None:
        super().__init__(engine, tokenizer, prompt, options, prompt_tokens=prompt_tokens)
        self._valid_rows = len(self.prompt_tokens) - 1


def _span(engine: Engine, context: int, budget: Budget) -> tuple[int, int]:
    """Tokens to time in one run, and tokens of its prompt. `context` is in the middle if the limit allows."""
    limit = engine.context
    context = min(context, limit)
    per_token = _seconds(_next_token(engine, context))
    affordable = int(budget.seconds / _LEAST_REPEATS / per_token)
    # Beyond the context, every token would need a pass over all of it. Near its end, the run starts earlier instead.
    available = max(2 * min(context - 1, limit - context), context // 8)
    count = max(min(_LEAST_TOKENS, limit - 1), min(_TOKENS, affordable, available), 1)
    return count, max(1, min(context - count // 2, limit - count))


def _next_token(engine: Engine, context: int) -> Pass:
    """The pass of one more token at position `context`, after whatever the cache contains."""
    return engine.plan(context, engine.context, 0, context - 1, top=0)


def _tokens_at(engine: Engine, context: int) -> tuple[bytes | None, list[Dispatch], int]:
    """State, dispatches and number of tokens around `context`; enough tokens to measure."""
    limit = engine.context
    count = max(1, min(_BATCH, limit, int(_BATCH_S / _seconds(_next_token(engine, min(context, limit))))))
    first = max(1, min(context - count // 2, limit - count + 1))
    (segment,) = _next_token(engine, first).segments
    # The draw advances the state, so repeating the dispatches computes the next token.
    return segment.state, [*segment.dispatches] * count, count


def _seconds(plan: Pass) -> float:
    """Predicted seconds of a pass."""
    return sum(segment.seconds for segment in plan.segments)


def _submit(engine: Engine, state: bytes | None, work: Sequence[Dispatch], *, early: bool = False) -> None:
    if state is not None:
        engine.write_state(state)
    encoder = ComputeEncoder(engine.device)
    encoder.run(work, early=early)
    encoder.submit()


def _run_painting(generation: Generation, paint: Callable[[], object]) -> None:
    device = generation.engine.device
    last_paint, stale, fence = time.perf_counter(), False, work_done(device)
    while not generation.done:
        advanced = generation.advance(FRAME_S)
        stale |= advanced
        if stale and fence.done and time.perf_counter() - last_paint >= FRAME_S:
            last_paint, stale = time.perf_counter(), False
            paint()
            fence = work_done(device)
        elif not advanced:
            time.sleep(_NAP_S)
