"""A generation: advanced in slices that fit a frame, without ever waiting for the GPU."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from .engine import HISTORY, Engine, Pass, Segment
from .errors import DeviceError
from .native import ComputeEncoder, Dispatch, Fence, Readback, poll, work_done
from .options import GenerateOptions
from .records import StepRecord, step_record
from .sampler import RING, Draw, parse_draw
from .tap import StepTap
from .tokenizer import Tokenizer

_FLIGHTS = 3  # passes are encoded while the tokens of those before are on their way back
_SLICES_IN_FLIGHT = 2
_BURST_S = 0.016  # seconds of GPU time that tokens of one flight may take: a frame
_NAP_S = 0.0001  # between two looks for results, where blocking is allowed
_READBACK_LIMIT = 65536  # bytes a flight brings back
_FLAG = 8  # of them for the word that tells of a stalled pass


@dataclass
class _Flight:
    """Passes on their way together: what is left to submit, and where their results will arrive."""

    plans: list[Pass]
    first_step: int
    segment: int = 0  # over all plans
    dispatch: int = 0
    started: float = 0.0
    submitted: int = 0  # whole passes
    readback: Readback | None = None

    @property
    def segments(self) -> list[tuple[Pass, Segment, bool]]:
        """(pass, segment, is it the pass's last) in order."""
        return [(plan, segment, segment is plan.segments[-1]) for plan in self.plans for segment in plan.segments]


class Generation:
    """Continues a prompt token by token on an engine. One generation at a time uses an engine."""

    def __init__(
        self, engine: Engine, tokenizer: Tokenizer, prompt: str, options: GenerateOptions, tap: StepTap | None = None
    ) -> None:
        """Check the options and tokenize; `tap` takes more of every pass. Raises `UsageError`, `PromptError`."""
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
        self._block = engine.sampler.result_size(options.top)
        # The next pass overwrites what a tap takes, so that then each flight is one pass.
        self._longest_burst = 1 if tap and tap.size else max(1, min(RING, (_READBACK_LIMIT - _FLAG) // self._block))
        self._flag_at = self._block * self._longest_burst
        self._tap, self._tap_at = tap, self._flag_at + _FLAG
        size = self._tap_at + (tap.size if tap else 0)
        self._free = [Readback(engine.device, size) for _ in range(_FLIGHTS)]
        self._began = time.perf_counter()
        self._ended = 0.0
        engine.sampler.set_options(options, tokenizer.end_of_text)
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
        segments = flight.segments
        if flight.segment >= len(segments):
            return 1.0
        inside = flight.dispatch / len(segments[flight.segment][1].dispatches)
        return (flight.segment + inside) / len(segments)

    @property
    def settled(self) -> bool:
        """True when the engine's tensors are of one pass: none that rewrites the window is partly submitted."""
        flight = self._flights[-1] if self._flights else None
        if flight is None or flight.submitted == len(flight.plans) or not (flight.segment or flight.dispatch):
            return True
        return flight.plans[flight.submitted].cached

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
        if self.done or sum(not fence.done for fence in self._fences) >= _SLICES_IN_FLIGHT:
            return changed
        completed = self._submit(budget_s)
        return changed or completed

    def run(self) -> None:
        """Generate to the end. Blocks."""
        while not self.done:
            # Not waiting for the whole queue: the next flight is submitted while others still run.
            self._submit(float("inf"))
            poll(self.engine.device)
            if not self._collect():
                time.sleep(_NAP_S)

    def step(self) -> None:
        """Run one pass and collect its token, so that what the engine holds afterwards is of that step. Blocks."""
        count = len(self.steps)
        while not self.done and len(self.steps) == count:
            flight = None if self._flights else self._next_flight(0.0)
            if flight is not None:
                self._submit_slices(flight, float("inf"))
            poll(self.engine.device, wait=True)
            self._collect()

    # -- submitting

    def _next_flight(self, budget_s: float) -> _Flight | None:
        """The flight that has something left to submit, a new one if one may begin."""
        if self._flights and self._flights[-1].readback is None:
            return self._flights[-1]
        if self._planned >= self.options.max_new_tokens or not self._free:
            return None
        if self._total + self._longest_burst - self._base > self.engine.context + HISTORY:
            # The history on the GPU is full: start it anew, once every token is known here.
            if self._flights:
                return None
            self._base = max(0, self._total - self.engine.context)
            self.engine.write_history(self.tokens[self._base :])
        flight = _Flight([self._plan()], self._planned - 1)
        burst = int(min(budget_s, _BURST_S) / flight.plans[0].segments[-1].seconds)
        while len(flight.plans) < min(burst, self._longest_burst) and self._continues():
            flight.plans.append(self._plan())
        self._flights.append(flight)
        return flight

    def _continues(self) -> bool:
        """True when the next pass only adds a row to the one planned last."""
        return (
            self._planned < self.options.max_new_tokens and self._valid_rows == self._total - 1 < self.options.context
        )

    def _plan(self) -> Pass:
        plan = self.engine.plan(
            self._total,
            self.options.context,
            self._planned,
            self._valid_rows,
            base=self._base,
            top=self.options.top,
            follows=self._planned > 0,
        )
        self._planned += 1
        self._total += 1
        self._valid_rows = plan.rows if plan.window_start == 0 else 0
        return plan

    def _submit(self, budget_s: float) -> bool:
        """Submit slices until the budget is spent; True when a whole pass was submitted."""
        completed = False
        spent = 0.0
        while self._fences and self._fences[0].done:
            self._fences.popleft()
        while spent < budget_s:
            flight = self._next_flight(budget_s - spent)
            # A pass that rewrites the whole window must not begin behind one that the views have yet to show.
            if flight is None or (completed and flight.started == 0.0 and not flight.plans[0].cached):
                break
            before = flight.submitted
            spent += self._submit_slices(flight, budget_s - spent)
            completed |= flight.submitted > before
        if spent:
            self._fences.append(work_done(self.engine.device))
        return completed

    def _submit_slices(self, flight: _Flight, budget_s: float) -> float:
        """Submit dispatches of the flight up to the budget, at least one; returns predicted seconds.

        One submit, but a new one wherever the host has to write the state in between.
        """
        engine, segments = self.engine, flight.segments
        if flight.started == 0.0:
            flight.started = time.perf_counter()
        spent = 0.0
        work: list[Dispatch] = []
        while flight.segment < len(segments) and (spent < budget_s or not spent):
            plan, segment, last = segments[flight.segment]
            if flight.dispatch == 0 and segment.state is not None:
                self._encode(work)
                work = []
                engine.write_state(segment.state)
            rate = segment.seconds / segment.cost
            first = flight.dispatch
            while flight.dispatch < len(segment.dispatches) and (spent < budget_s or not spent):
                spent += rate * segment.dispatches[flight.dispatch].cost
                flight.dispatch += 1
            work += segment.dispatches[first : flight.dispatch]
            if flight.dispatch == len(segment.dispatches):
                flight.segment, flight.dispatch = flight.segment + 1, 0
                if last:
                    flight.submitted += 1
                    engine.completed(plan)
        if flight.segment == len(segments):
            flight.readback = self._free.pop()
        self._encode(work, flight if flight.readback else None)
        return spent

    def _encode(self, work: list[Dispatch], landing: _Flight | None = None) -> None:
        """Submit dispatches, and behind them the fetching of the results of a flight that is complete with them."""
        if not work:
            return
        encoder = ComputeEncoder(self.engine.device)
        encoder.run(work)
        if landing is not None and landing.readback is not None:
            if self._tap is not None:
                self._tap.encode(encoder, landing.readback.buffer, self._tap_at)
            sampler = self.engine.sampler
            for i in range(len(landing.plans)):
                slot = (landing.first_step + i) % RING
                encoder.copy(
                    sampler.result, slot * sampler.stride, landing.readback.buffer, i * self._block, self._block
                )
            flag = self.engine.decode.stall_flag
            if flag is not None:
                encoder.copy(flag, 0, landing.readback.buffer, self._flag_at, 4)
        encoder.submit()
        if landing is not None and landing.readback is not None:
            landing.readback.request()

    # -- collecting

    def _collect(self) -> bool:
        arrived = False
        while self._flights and self._flights[0].readback is not None and self._flights[0].readback.ready:
            flight = self._flights.popleft()
            assert flight.readback is not None
            data = flight.readback.read()
            self._free.append(flight.readback)
            if any(data[self._flag_at : self._tap_at]):
                self._finish("stopped")
                raise DeviceError(
                    f"{self.engine.adapter_name}: workgroups that wait for each other got stuck;"
                    " choose other kernels with --program fused"
                )
            per_step = (time.perf_counter() - flight.started) * 1e3 / len(flight.plans)
            for i, plan in enumerate(flight.plans):
                if not self.done:
                    draw = parse_draw(data[i * self._block : (i + 1) * self._block], self.options.top)
                    self._record(plan, draw, per_step)
                    if self._tap is not None and draw.any_finite:
                        self._tap.take(self.steps[-1], draw, data[self._tap_at :])
            arrived = True
            if self.done:
                break
        return arrived

    def _record(self, plan: Pass, draw: Draw, forward_ms: float) -> None:
        if not draw.any_finite:
            self._finish("nonfinite")
            return
        self.tokens.append(draw.token)
        self.steps.append(
            step_record(draw, plan.window_start, plan.rows, self.options.temperature, self.tokenizer, forward_ms)
        )
        if draw.token == self.tokenizer.end_of_text:
            self.engine.completed(plan)  # what was submitted behind it adds no row
            self._finish("end_of_text")
        elif len(self.steps) == self.options.max_new_tokens:
            self._finish("length")

    def _finish(self, reason: str) -> None:
        if not self.done:
            self.done = True
            self.stop_reason = reason
            self._ended = time.perf_counter()
