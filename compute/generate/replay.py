"""Runs a known text through the model again and reproduces the pass of any step. Draws do not affect the text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compute.edits.resolved import ResolvedEdit
from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.forward.pass_batch import PassBatch
from compute.gpu.wgpu_native import poll
from compute.sampling.options import GenerateOptions
from compute.sampling.sampler import RING, SampleResult, parse_draw


@dataclass(frozen=True)
class KnownText:
    """A finished run: the tokens of the prompt, the generated tokens, and the options they were drawn with.

    before: number of draws before the first of `tokens`; the sequence of random numbers continues after them.
    """

    prompt_tokens: Sequence[int]
    tokens: Sequence[int]
    options: GenerateOptions
    before: int = 0


class Replay:
    """Brings an engine to the pass that drew step k of a known text.

    Forward, step by step, the passes are those of a `Generation`, with the same numbers on the same adapter. Backward
    within the context, only the newest row is computed. `seek` and `advance` never block and are for the window; `go`
    blocks and is for the command line. Only one generation or replay may use an engine at any time.
    """

    def __init__(self, engine: Engine, text: KnownText, end_of_text: int, edits: Sequence[ResolvedEdit] = ()) -> None:
        """Raises `UsageError` for tokens that the model does not have or a context longer than the engine's.

        edits: what to change in every pass; no other edits stay in force.
        """
        text.options.checked(engine.context, engine.config.vocabulary)
        for token in (*text.prompt_tokens, *text.tokens):
            if not 0 <= token < engine.config.vocabulary:
                raise UsageError(f"token {token}: {engine.model_name} has {engine.config.vocabulary} tokens")
        self.engine, self.text = engine, text
        self.at: int | None = None  # the step whose pass the engine has computed completely
        self._tokens = [*text.prompt_tokens, *text.tokens]
        engine.set_edits(edits)
        self._valid_rows = engine.cached_prefix(self._tokens)
        self._wanted: int | None = None
        self._batch: PassBatch | None = None  # the one pass that is being submitted
        engine.sampler.set_options(text.options, end_of_text)

    @property
    def pass_complete(self) -> bool:
        """True when the engine's tensors all belong to one pass."""
        return self._batch is None

    def seek(self, step: int) -> None:
        """Request the pass of `step`, from 0 to the number of drawn tokens (the pass after the last). Never blocks."""
        if not 0 <= step <= len(self.text.tokens):
            raise IndexError(f"step {step}: must be from 0 to {len(self.text.tokens)}")
        self._wanted = step

    def advance(self, budget_s: float) -> bool:
        """Submit about `budget_s` seconds of GPU work. Returns True once the requested pass is completely submitted.

        A pass that has begun is finished first, so that views never see half of one.
        """
        spent = 0.0
        while spent < budget_s:
            if self._batch is None:
                if self._wanted is None or self._wanted == self.at:
                    return False
                self._batch = self._begin(self._wanted)
            spent += self._batch.submit(self.engine, budget_s - spent)
            if self._batch.encoded:
                self._end(self._batch)
                if self._wanted == self.at:
                    return True
        return False

    def go(self, step: int) -> SampleResult:
        """Bring the engine to the pass of `step` and return its draw, which does not change the text. Blocks."""
        self.seek(step)
        while self._wanted != self.at:
            self.advance(float("inf"))
        poll(self.engine.device, wait=True)
        flag = self.engine.decode.stall_flag
        if flag is not None and any(self.engine.device.queue.read_buffer(flag, 0, 4)):
            raise self.engine.stall_error()
        sampler, top = self.engine.sampler, self.text.options.top
        offset = ((self.text.before + step) % RING) * sampler.stride
        data = self.engine.device.queue.read_buffer(sampler.result, offset, sampler.result_size(top))
        return parse_draw(bytes(data), top)

    def logits(self) -> np.ndarray:
        """The logits of the engine's current pass, float32 [vocabulary]. Blocks."""
        return self.engine.read_logits()[: self.engine.config.vocabulary]

    def _begin(self, step: int) -> PassBatch:
        engine, context = self.engine, self.text.options.context
        total = len(self.text.prompt_tokens) + step
        rows = min(total, context)
        # Only the context is written as the history: the previous draw has appended its own token there.
        engine.write_history(self._tokens[total - rows : total], text_start=total - rows)
        drawn = self.text.before + step
        plan = engine.plan(total, context, drawn, self._valid_rows, base=total - rows, top=self.text.options.top)
        if plan.context_start:
            engine.mark_cached(self._tokens, 0)  # the pass rewrites every row
        # Cached rows alone do not make it the next pass: the views may be showing another text.
        follows = self.at is not None and plan.context_start == 0 and self._valid_rows == rows - 1 > 0
        self.at = None
        return PassBatch([dataclasses.replace(plan, cached=follows)], step)

    def _end(self, batch: PassBatch) -> None:
        (plan,) = batch.plans
        # Cached rows belong to positions in the context: once the context has slid, none can be used again.
        self._valid_rows = plan.rows if plan.context_start == 0 else 0
        self.engine.mark_cached(self._tokens, self._valid_rows)
        self.at, self._batch = batch.first_step, None
