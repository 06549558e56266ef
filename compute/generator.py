"""A generation: advanced in slices that fit a frame, without ever waiting for the GPU."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from .engine import HISTORY, Engine, Pass
from .native import ComputeEncoder, Fence, Readback, poll, work_done
from .options import GenerateOptions
from .sampler import Draw, parse_draw
from .tokenizer import Tokenizer

_PASSES_IN_FLIGHT = 2  # the next pass is encoded while the last one's token is on its way back
_SLICES_IN_FLIGHT = 2


@dataclass(frozen=True)
class Candidate:
    """One token that might have been next. Logit in the model's units, probabilities from 0 to 1."""

    token: int
    text: str
    logit: float
    scaled_delta: float
    probability: float
    model_probability: float


@dataclass(frozen=True)
class StepRecord:
    """One generated token and how it came about; `rank` counts from 1, `forward_ms` is from submit to result."""

    index: int
    context_start: int
    context_length: int
    token: int
    text: str
    logit: float
    probability: float
    model_probability: float
    rank: int
    forward_ms: float
    top: tuple[Candidate, ...]


@dataclass
class _Flight:
    """A pass on its way: what is left to submit, and where its result will arrive."""

    plan: Pass
    step: int
    segment: int = 0
    dispatch: int = 0
    started: float = 0.0
    readback: Readback | None = None


class Generation:
    """Continues a prompt token by token on an engine. One generation at a time uses an engine."""

    def __init__(self, engine: Engine, tokenizer: Tokenizer, prompt: str, options: GenerateOptions) -> None:
        """Check the options and tokenize. Raises `UsageError`, `PromptError`."""
        self.options = options.checked(engine.context, engine.config.vocabulary)
        self.engine = engine
        self.tokenizer = tokenizer
        tokenizer.check_fits(engine.config)
        self.prompt = prompt
        self.prompt_tokens = tokenizer.encode(prompt)
        self.tokens = list(self.prompt_tokens)
        self.steps: list[StepRecord] = []
        self.done = False
        self.stop_reason: str | None = None
        self._total = len(self.tokens)  # tokens including those that the GPU has drawn and we have not seen
        self._base = max(0, self._total - engine.context)
        self._valid_rows = 0
        self._planned = 0
        self._flights: deque[_Flight] = deque()
        self._fences: deque[Fence] = deque()
        size = engine.sampler.result_size(options.top)
        self._free = [Readback(engine.device, size) for _ in range(_PASSES_IN_FLIGHT)]
        self._began = time.perf_counter()
        self._ended = 0.0
        engine.sampler.set_options(options)
        engine.write_history(self.tokens[self._base :])

    @property
    def text(self) -> str:
        """Prompt and continuation."""
        return self.prompt + self.continuation

    @property
    def continuation(self) -> str:
        """What was generated, the end-of-text token left out."""
        written = self.tokens[len(self.prompt_tokens) :]
        return self.tokenizer.decode([t for t in written if t != self.tokenizer.end_of_text])

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens over the time since the start, the prompt's pass included."""
        elapsed = (self._ended or time.perf_counter()) - self._began
        return len(self.steps) / elapsed if elapsed > 0 else 0.0

    @property
    def progress(self) -> float:
        """How much of the oldest pass in flight has been submitted, 0 to 1."""
        if not self._flights:
            return 0.0
        flight = self._flights[0]
        count = len(flight.plan.segments)
        if flight.segment >= count:
            return 1.0
        inside = flight.dispatch / len(flight.plan.segments[flight.segment].dispatches)
        return (flight.segment + inside) / count

    def stop(self) -> None:
        """End now; what is in flight is dropped."""
        self._finish("stopped")

    def advance(self, budget_s: float) -> bool:
        """Collect what has arrived and submit about `budget_s` seconds of GPU work. Never blocks.

        True when a step arrived, the generation ended or a whole pass was submitted: then views that are encoded
        before the next call see the activations of that pass, whole.
        """
        if self.done:
            return False
        poll(self.engine.device)
        changed = self._collect()
        while self._fences and self._fences[0].done:
            self._fences.popleft()
        if self.done or len(self._fences) >= _SLICES_IN_FLIGHT:
            return changed
        completed = self._submit(budget_s)
        return changed or completed

    def run(self) -> None:
        """Generate to the end. Blocks."""
        while not self.done:
            self._submit(float("inf"))
            poll(self.engine.device, wait=True)
            self._collect()

    # -- submitting

    def _next_flight(self) -> _Flight | None:
        """The flight that has something left to submit, a new one if one may begin."""
        if self._flights and self._flights[-1].segment < len(self._flights[-1].plan.segments):
            return self._flights[-1]
        if self._planned >= self.options.max_new_tokens or not self._free:
            return None
        window = self.options.context
        if self._total + 1 - self._base > self.engine.context + HISTORY:
            # The history on the GPU is full: start it anew, once every token is known here.
            if self._flights:
                return None
            self._base = max(0, self._total - self.engine.context)
            self.engine.write_history(self.tokens[self._base :])
        plan = self.engine.plan(self._total, window, self._planned, self._valid_rows, self._base)
        flight = _Flight(plan, self._planned)
        self._flights.append(flight)
        self._planned += 1
        self._total += 1
        self._valid_rows = plan.rows if plan.window_start == 0 else 0
        return flight

    def _submit(self, budget_s: float) -> bool:
        """Submit slices until the budget is spent; True when a whole pass was submitted."""
        completed = False
        spent = 0.0
        while spent < budget_s:
            flight = self._next_flight()
            # A pass that rewrites the whole window must not begin behind one that the views have yet to show.
            if flight is None or (completed and not flight.plan.cached and flight.started == 0.0):
                break
            if flight.started == 0.0:
                flight.started = time.perf_counter()
            spent += self._submit_slice(flight, budget_s - spent)
            if flight.segment == len(flight.plan.segments):
                self.engine.completed(flight.plan)
                completed = True
        if spent:
            self._fences.append(work_done(self.engine.device))
        return completed

    def _submit_slice(self, flight: _Flight, budget_s: float) -> float:
        """Submit dispatches of the flight's segment up to the budget, at least one; returns predicted seconds."""
        engine, segment = self.engine, flight.plan.segments[flight.segment]
        # Another pass may have written its own state since the last slice of this one.
        engine.write_state(segment)
        spent, first = 0.0, flight.dispatch
        while flight.dispatch < len(segment.dispatches) and (spent < budget_s or flight.dispatch == first):
            spent += engine.seconds_of(segment, segment.dispatches[flight.dispatch])
            flight.dispatch += 1
        encoder = ComputeEncoder(engine.device)
        encoder.run(segment.dispatches[first : flight.dispatch])
        if flight.dispatch == len(segment.dispatches):
            flight.dispatch = 0
            flight.segment += 1
        if flight.segment == len(flight.plan.segments):
            flight.readback = self._free.pop()
            encoder.copy(engine.sampler.result, 0, flight.readback.buffer, 0, flight.readback.size)
        encoder.submit()
        if flight.readback is not None:
            flight.readback.request()
        return spent

    # -- collecting

    def _collect(self) -> bool:
        arrived = False
        while self._flights and self._flights[0].readback is not None and self._flights[0].readback.ready:
            flight = self._flights.popleft()
            assert flight.readback is not None
            draw = parse_draw(flight.readback.read(), self.options.top)
            self._free.append(flight.readback)
            self._record(flight, draw)
            arrived = True
            if self.done:
                break
        return arrived

    def _record(self, flight: _Flight, draw: Draw) -> None:
        if not draw.any_finite:
            self._finish("nonfinite")
            return
        self.tokens.append(draw.token)
        forward_ms = (time.perf_counter() - flight.started) * 1e3
        self.steps.append(self._step(flight, draw, forward_ms))
        if draw.token == self.tokenizer.end_of_text:
            self._finish("end_of_text")
        elif len(self.steps) == self.options.max_new_tokens:
            self._finish("length")

    def _step(self, flight: _Flight, draw: Draw, forward_ms: float) -> StepRecord:
        temperature, text = self.options.temperature, self.tokenizer.token_text
        return StepRecord(
            index=flight.step,
            context_start=flight.plan.window_start,
            context_length=flight.plan.rows,
            token=draw.token,
            text=text(draw.token),
            logit=draw.logit,
            probability=draw.probability(draw.token, draw.logit, temperature),
            model_probability=draw.model_probability(draw.logit),
            rank=draw.rank,
            forward_ms=forward_ms,
            top=tuple(
                Candidate(
                    token=token,
                    text=text(token),
                    logit=logit,
                    scaled_delta=draw.scaled_delta(logit, temperature),
                    probability=draw.probability(token, logit, temperature),
                    model_probability=draw.model_probability(logit),
                )
                for token, logit in draw.candidates
            ),
        )

    def _finish(self, reason: str) -> None:
        if not self.done:
            self.done = True
            self.stop_reason = reason
            self._ended = time.perf_counter()

