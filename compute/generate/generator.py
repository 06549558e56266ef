"""A generation, advanced in slices that fit a frame without waiting for the GPU."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from compute.edits.resolved import ResolvedEdit
from compute.forward.engine import Engine
from compute.forward.pass_batch import PassBatch
from compute.forward.pass_plan import Pass
from compute.forward.program_buffers import HISTORY
from compute.gpu.wgpu_native import ComputeEncoder, Fence, Readback, poll, work_done
from compute.sampling.options import GenerateOptions
from compute.sampling.sampler import RING, SampleResult, parse_draw
from compute.text.tokenizer import Tokenizer

from .step_capture import StepCapturer
from .steps import StepRecord, step_record

_MAX_BATCHES = 3  # in flight: passes are encoded while the tokens of earlier ones are on their way back
_SLICES_IN_FLIGHT = 2
_BURST_S = 0.016  # seconds of GPU time that the passes of one batch may take: a frame
_NAP_S = 0.0001  # between two checks for results, where blocking is allowed
_READBACK_LIMIT = 65536  # bytes of results per batch
_FLAG_BYTES = 8  # of them for the word that reports a stalled pass


class Generation:
    """Continues a prompt token by token. Only one generation or replay may use an engine at any time."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        prompt: str,
        options: GenerateOptions,
        *,
        prompt_tokens: Sequence[int] | None = None,
        steps: Sequence[StepRecord] = (),
        token_text: Callable[[int], str] | None = None,
        capturer: StepCapturer | None = None,
        edits: Sequence[ResolvedEdit] = (),
    ) -> None:
        """Check the options and tokenize. Raises `UsageError`, `PromptError`.

        prompt_tokens: ids of the prompt, by default those that the tokenizer encodes it as.
        steps: earlier steps of any run of this prompt. The generation continues after them, `max_new_tokens` counts
        them, and context rows that the engine still has are not computed again.
        token_text: the text of a token in the records; by default `Tokenizer.token_text`.
        capturer: captures more of every pass than the token.
        edits: what to change in every pass; no other edits stay in force.
        """
        self.options = options = options.checked(engine.context, engine.config.vocabulary)
        self.engine = engine
        self.tokenizer = tokenizer
        self._token_text = token_text or tokenizer.token_text
        tokenizer.check_fits(engine.config.vocabulary)
        self.prompt = prompt
        self.prompt_tokens = tokenizer.encode(prompt) if prompt_tokens is None else list(prompt_tokens)
        self.tokens = [*self.prompt_tokens, *(step.token for step in steps)]
        self.steps = list(steps)
        self._earlier_count = len(steps)
        self.done = False
        self.stop_reason: str | None = None
        self._undrawn_nonfinite = 0  # nonfinite logits of a pass that drew no token
        self._total = len(self.tokens)  # tokens, including those that are planned but have not been read back
        self._base = max(0, self._total - engine.context)
        engine.set_edits(edits, fresh=not steps)
        self.edits = tuple(edits)
        # A new run computes every row itself, so that the same text and seed give the same bits.
        self._valid_rows = engine.cached_prefix(self.tokens) if steps else 0
        self._planned = len(steps)
        self.pass_seconds = 0.0  # predicted GPU time of the latest pass that has begun
        self._batches: deque[PassBatch] = deque()
        self._fences: deque[Fence] = deque()
        self._make_readbacks(capturer)
        self._began = time.perf_counter()
        self._ended = 0.0
        engine.sampler.set_options(options, tokenizer.end_of_text)
        engine.write_history(self.tokens[self._base :], text_start=self._base)
        engine.mark_cached(self.tokens, self._valid_rows)
        if steps and steps[-1].token in tokenizer.ends:
            self._finish("end_of_text")
        elif len(steps) >= options.max_new_tokens:
            self._finish("length")

    def _make_readbacks(self, capturer: StepCapturer | None) -> None:
        """Allocate the buffers that bring the results of a batch to the CPU, and decide how large a batch may be."""
        engine = self.engine
        self._result_size = engine.sampler.result_size(self.options.top)
        # The next pass overwrites what a capturer copies: with one, a batch is a single pass.
        self._max_burst = (
            1 if capturer and capturer.size else max(1, min(RING, (_READBACK_LIMIT - _FLAG_BYTES) // self._result_size))
        )
        self._flag_at = self._result_size * self._max_burst
        self._capturer, self._capture_at = capturer, self._flag_at + _FLAG_BYTES
        size = self._capture_at + (capturer.size if capturer else 0)
        self._free = [Readback(engine.device, size) for _ in range(_MAX_BATCHES)]

    @property
    def text(self) -> str:
        """Prompt and continuation."""
        return self.prompt + self.continuation

    @property
    def continuation(self) -> str:
        """The generated text, without tokens that end it."""
        generated = self.tokens[len(self.prompt_tokens) :]
        return self.tokenizer.decode([t for t in generated if t not in self.tokenizer.ends])

    @property
    def tokens_per_second(self) -> float:
        """Tokens that this object generated, divided by the time since its start, which includes the prompt's pass."""
        elapsed = (self._ended or time.perf_counter()) - self._began
        return (len(self.steps) - self._earlier_count) / elapsed if elapsed > 0 else 0.0

    @property
    def nonfinite_logits(self) -> int:
        """NaN and infinities among the logits of all passes, including a pass without any finite logit."""
        return sum(step.nonfinite_logits for step in self.steps) + self._undrawn_nonfinite

    @property
    def first_nonfinite_step(self) -> int | None:
        """Index of the first step with a nonfinite logit, whether it drew a token or not, or None."""
        first = next((step.index for step in self.steps if step.nonfinite_logits), None)
        return len(self.steps) if first is None and self._undrawn_nonfinite else first

    @property
    def progress(self) -> float:
        """The submitted fraction of the oldest batch in flight, 0 to 1."""
        return self._batches[0].progress if self._batches else 0.0

    @property
    def pass_complete(self) -> bool:
        """True when all the engine's tensors belong to one pass: no pass that rewrites all rows is partly submitted."""
        return not self._batches or self._batches[-1].pass_complete

    def stop(self) -> None:
        """End now. Results in flight are dropped."""
        self._finish("stopped")

    def advance(self, budget_s: float) -> bool:
        """Collect the results that have arrived and submit about `budget_s` seconds of GPU work. Never blocks.

        Returns True when a step arrived, the generation ended or a pass was submitted completely. Views that are
        encoded before the next call then see all activations of that pass.
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
            # Do not wait for the whole queue: the next batch is submitted while others are still running.
            self._submit(float("inf"))
            poll(self.engine.device)
            if not self._collect():
                time.sleep(_NAP_S)

    def step(self) -> None:
        """Run one pass and collect its token. Afterwards the engine's tensors are those of this step. Blocks."""
        count = len(self.steps)
        while not self.done and len(self.steps) == count:
            batch = None if self._batches else self._next_batch(0.0)
            if batch is not None:
                self._submit_slices(batch, float("inf"))
            poll(self.engine.device, wait=True)
            self._collect()

    # -- submitting

    def _next_batch(self, budget_s: float) -> PassBatch | None:
        """The batch that is still being submitted, otherwise a new one if one may begin."""
        if self._batches and self._batches[-1].readback is None:
            return self._batches[-1]
        if self._planned >= self.options.max_new_tokens or not self._free:
            return None
        if self._total + self._max_burst - self._base > self.engine.context + HISTORY:
            # The history on the GPU is full: write it again, once the CPU knows every token.
            if self._batches:
                return None
            self._base = max(0, self._total - self.engine.context)
            self.engine.write_history(self.tokens[self._base :], text_start=self._base)
        batch = PassBatch([self._plan()], self._planned - 1)
        self.pass_seconds = sum(segment.seconds for segment in batch.plans[0].segments)
        burst = int(min(budget_s, _BURST_S) / batch.plans[0].segments[-1].seconds)
        while len(batch.plans) < min(burst, self._max_burst) and self._continues():
            batch.plans.append(self._plan())
        self._batches.append(batch)
        return batch

    def _continues(self) -> bool:
        """True when the next pass only adds a row to the last planned one."""
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
            follows=self._planned > self._earlier_count,
        )
        self._planned += 1
        self._total += 1
        self._valid_rows = plan.rows if plan.context_start == 0 else 0
        if plan.context_start:
            self.engine.mark_cached(self.tokens, 0)  # the pass rewrites every row
        return plan

    def _submit(self, budget_s: float) -> bool:
        """Submit slices until the budget is spent. Returns True when a pass was submitted completely."""
        completed = False
        spent = 0.0
        while self._fences and self._fences[0].done:
            self._fences.popleft()
        while spent < budget_s:
            batch = self._next_batch(budget_s - spent)
            # A pass that rewrites every row must not begin after one that the views have yet to show.
            if batch is None or (completed and batch.started == 0.0 and not batch.plans[0].cached):
                break
            before = batch.submitted
            spent += self._submit_slices(batch, budget_s - spent)
            completed |= batch.submitted > before
        if spent:
            self._fences.append(work_done(self.engine.device))
        return completed

    def _submit_slices(self, batch: PassBatch, budget_s: float) -> float:
        """Submit a slice of the batch; after the last one, request the results. Returns the predicted seconds."""
        spent = batch.submit(self.engine, budget_s, lambda encoder: self._append_results(encoder, batch))
        if batch.readback is not None:
            batch.readback.request()
        return spent

    def _append_results(self, encoder: ComputeEncoder, batch: PassBatch) -> None:
        """Append commands that copy the batch's results to a free readback."""
        batch.readback = self._free.pop()
        target = batch.readback.buffer
        if self._capturer is not None:
            self._capturer.encode(encoder, batch.first_step, target, self._capture_at)
        sampler = self.engine.sampler
        for i in range(len(batch.plans)):
            slot = (batch.first_step + i) % RING
            encoder.copy(sampler.result, slot * sampler.stride, target, i * self._result_size, self._result_size)
        flag = self.engine.decode.stall_flag
        if flag is not None:
            encoder.copy(flag, 0, target, self._flag_at, 4)

    # -- collecting

    def _collect(self) -> bool:
        collected = False
        while self._batches and self._batches[0].readback is not None and self._batches[0].readback.ready:
            batch = self._batches.popleft()
            assert batch.readback is not None
            data = batch.readback.read()
            self._free.append(batch.readback)
            if any(data[self._flag_at : self._capture_at]):
                self._finish("stopped")
                raise self.engine.stall_error()
            per_step = (time.perf_counter() - batch.started) * 1e3 / len(batch.plans)
            for i, plan in enumerate(batch.plans):
                if not self.done:
                    draw = parse_draw(data[i * self._result_size : (i + 1) * self._result_size], self.options.top)
                    self._record(plan, draw, per_step)
                    if self._capturer is not None and draw.any_finite:
                        self._capturer.take(self.steps[-1], draw, memoryview(data)[self._capture_at :])
            collected = True
            if self.done:
                break
        return collected

    def _record(self, plan: Pass, draw: SampleResult, forward_ms: float) -> None:
        if not draw.any_finite:
            self._undrawn_nonfinite = draw.nonfinite
            self._finish("nonfinite")
            return
        if plan.context_start == 0:
            self.engine.mark_cached(self.tokens, plan.rows)  # later passes may never run
        self.tokens.append(draw.token)
        self.steps.append(
            step_record(draw, plan.context_start, plan.rows, self.options.temperature, self._token_text, forward_ms)
        )
        if draw.token in self.tokenizer.ends:
            self.engine.completed(plan)  # passes submitted after it add no row
            self._finish("end_of_text")
        elif len(self.steps) == self.options.max_new_tokens:
            self._finish("length")

    def _finish(self, reason: str) -> None:
        if not self.done:
            self.done = True
            self.stop_reason = reason
            self._ended = time.perf_counter()
