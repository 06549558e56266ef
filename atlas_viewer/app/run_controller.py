"""Carries out requests from panels and keys, such as running, pausing and branching. Never waits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from atlas_viewer.state.protocols import GenerationLike, GenerationSource, ModelLike
from atlas_viewer.state.requests import (
    ApplyEdits,
    Branch,
    Continue,
    FetchModel,
    Generate,
    LookUpModel,
    MeasureEdit,
    OpenModel,
    PatchFrom,
    Pause,
    Request,
    ResumeWith,
    SaveTrace,
    ShowRun,
    Stop,
    Undo,
    Use,
)
from atlas_viewer.state.runs import Run, drawing, with_token
from atlas_viewer.state.state import State
from compute.errors import AtlasError, RecordingError, UsageError
from compute.io.output_files import write_output
from compute.sampling.options import GenerateOptions
from compute.text.chat import Turn

from .edit_control import EditControl
from .pending_work import PendingWork
from .prompt_tokenizer import PromptTokenizer, sent_prompt
from .step_replayer import StepReplayer

if TYPE_CHECKING:
    from compute.generate.steps import StepRecord

# Seconds without a change before a run in progress adopts new options: dragging a slider produces many values.
_OPTIONS_SETTLE = 0.15


class RunController:
    """Owns the generation in progress. When a run is paused or finished, a `StepReplayer` uses the engine instead."""

    def __init__(self, model: ModelLike, state: State) -> None:
        self.model, self.state = model, state
        self.generation: GenerationLike | None = None
        self._replayer = StepReplayer(model, state)
        self._work = PendingWork(state)
        self.held = False  # the engine keeps its pass for a reader, and the run waits
        self._applied = state.options
        self._changed_at: float | None = None  # time of the latest change of options that is not yet applied
        self._latest = state.options  # after the latest change
        self._prompt = PromptTokenizer(model.tokenizer, state)
        self._edits = EditControl(state, model)
        state.model = model.summary

    @property
    def _generations(self) -> GenerationSource:
        """The model's source of generations. Raises `RecordingError` if only a recording of the model is available."""
        if self.model.generations is None:
            raise RecordingError(self.model.unavailable)
        return self.model.generations

    # -- runs

    @property
    def pass_complete(self) -> bool:
        """True if the engine's tensors belong to one whole pass."""
        complete = self.generation is None or self.generation.pass_complete
        return complete and self._replayer.pass_complete and not self._edits.measures

    @property
    def step_in_engine(self) -> int | None:
        """The step of the run shown whose pass the engine's tensors are; None if they may be of another pass."""
        run = self.state.run
        if run is None or self.state.busy or not self.pass_complete:
            return None
        # A pass without finite logits draws no token, so its step is not among those of the run.
        undrawn = self.generation is not None and run.stop_reason == "nonfinite"
        return len(run.steps) if undrawn else self._replayer.at

    @property
    def settling(self) -> bool:
        """True while a pass is computed, or has to be repeated for the step shown."""
        return self.state.busy or self._work.pending or self._replayer.pending

    @property
    def pending(self) -> bool:
        """True while there is work to do, so that more frames are drawn."""
        return self.settling or self._prompt.pending

    def adopt(self, generation: GenerationLike, prompt: str, turns: tuple[Turn, ...] = ()) -> None:
        """Show `generation`, which may already have ended, as a new run. turns: of the chat that `prompt` is."""
        texts = {token: self.model.tokenizer.token_label(token) for token in set(generation.prompt_tokens)}
        tokens = [(token, texts[token]) for token in generation.prompt_tokens]
        run = Run(prompt, generation.options, tokens, changes={0: generation.options}, turns=turns)
        run.set_edits(0, generation.edits)
        self._show(self.state.runs.add(run))
        self._start(generation)
        self._report()

    def do(self, request: Request) -> None:
        """Carry out a request. Raises `AtlasError`s."""
        run = self.state.run
        match request:
            case Generate(options=options) | ResumeWith(options) if not self._generations.fits(options):
                self._grow(options, request)
            case ResumeWith(options, until) if run is not None:
                self._resume(run, options, until)
            case Generate(prompt, options, turns):
                self._halt("paused")
                text, tokens = sent_prompt(self.model.tokenizer, prompt, turns)
                self.adopt(self._started(text, options, tokens), text, turns)
                self.state.ui.remember(prompt)
            case Pause():
                self._halt("paused")
            case Stop():
                self._halt("stopped")
            case Continue(tokens) if run is not None:
                self._continue(run, tokens)
            case Undo() if run is not None and run.steps:
                self._halt("paused")
                self._set_steps(run, run.steps[:-1])
                self._mark_paused(run)
            case Branch(index, token) if run is not None:
                self._branch(run, index, token)
            case ShowRun(number) if number in self.state.runs.all:
                self._halt("paused")
                self._show(self.state.runs.all[number])
            case Use(index) if run is not None:
                ids = [*run.prompt_ids, *(step.token for step in run.steps[: index + 1])]
                self.state.prompt = self.model.tokenizer.decode(ids)
            case ApplyEdits(_, reruns) if run is not None:
                self._apply_edits(run, reruns=reruns)
            case MeasureEdit(number) if run is not None and not self._work.pending:
                self._halt("paused")
                self._replayer.forget()
                self._work.begin(self._edits.measuring(run, number), None)
            case PatchFrom(target, number, step):
                busy = self.state.busy
                self._halt("paused")
                self._replayer.forget()
                self._edits.patch(target, number, step)
                if busy and run is not None:
                    self._resume(run, run.options, run.until)
            case SaveTrace(path, lines):
                write_output(path, "".join(f"{line}\n" for line in lines).encode())
                self.state.inspection.note = f"saved {path}"
            case OpenModel() | LookUpModel() | FetchModel():
                self.state.ui.dialog = ""
                raise UsageError("this window only shows a recording; open a model with `atlas-viewer view --model`")
            case _:
                pass  # the run or step that the request applies to does not exist

    def _grow(self, options: GenerateOptions, request: Request) -> None:
        """Grow the context in steps, then carry out the request."""
        self._halt("paused")
        options.checked(self.model.summary.positions, self.model.summary.vocabulary)
        self._replayer.forget()
        shown = f"growing the context to {options.context} tokens"
        self._work.begin(self._generations.grow_context(options.context), request, shown)

    def fail(self, error: AtlasError) -> None:
        """Show the error, and stop the run in progress where it is."""
        self.state.messages.append(str(error))
        self._replayer.leave()
        self._halt("stopped")

    def _halt(self, reason: str) -> None:
        """Stop the generation in progress; its run can continue later."""
        self._edits.cancel()
        if self.generation is None:
            return
        running = not self.generation.done
        self.generation.stop()
        self._report()
        if running and self.state.run is not None:
            self.state.run.stop_reason = reason
            self._replayer.set_step(None)  # the engine may already be working on later tokens
        self.generation = None

    def _show(self, run: Run) -> None:
        state = self.state
        state.run, state.chosen, state.compared = run, None, None
        state.distribution = state.comparison = None
        state.messages.clear()
        state.inspection.forget()
        self._replayer.forget()

    def _start(self, generation: GenerationLike) -> None:
        self.generation = generation
        self._replayer.leave()
        self._applied, self._changed_at = self.state.options, None
        self.state.distribution = self.state.comparison = None

    def _continue(self, run: Run, tokens: int) -> None:
        """Continue after the current steps, up to the run's target, or by `tokens` tokens unless that is 0."""
        if self.state.busy:
            return
        done = len(run.steps)
        target = self._target(run) or done + (tokens or self.state.options.max_new_tokens)
        until = done + tokens if tokens else 0
        self._resume(run, dataclasses.replace(self.state.options, max_new_tokens=max(target, until)), until)

    def _target(self, run: Run) -> int:
        """The number of tokens at which `run` ends; 0 if it already has that many.

        It stays the same however the run gets there, until New tokens is changed.
        """
        asked = self.state.options.max_new_tokens
        target = asked if asked != run.new_tokens else run.options.max_new_tokens
        return target if target > len(run.steps) else 0

    def _resume(self, run: Run, options: GenerateOptions, until: int = 0) -> None:
        """Continue with `options`, whose `max_new_tokens` becomes the run's target; pause at `until` tokens if set."""
        if not self._generations.fits(options):
            self._grow(options, ResumeWith(options, until))
            return
        ending = dataclasses.replace(options, max_new_tokens=until or options.max_new_tokens)
        generation = self._started(run.prompt, ending, run.prompt_ids, run.steps)
        run.set_edits(len(run.steps), generation.edits)
        if drawing(options) != drawing(run.options_at(len(run.steps))):
            run.changes[len(run.steps)] = options
        run.options, run.until, run.done, run.stop_reason = options, until, False, None
        run.new_tokens = self.state.options.max_new_tokens
        self.state.chosen = None
        self._start(generation)
        self._report()

    def _started(
        self, prompt: str, options: GenerateOptions, tokens: Sequence[int], steps: Sequence[StepRecord] = ()
    ) -> GenerationLike:
        """A generation with the edits in force. tokens: ids of the prompt."""
        self._edits.cancel()
        source = self._generations
        self._edits.sync(tokens, len(tokens) + options.max_new_tokens)
        return source.start(prompt, options, steps, tokens)

    def _apply_edits(self, run: Run, *, reruns: bool) -> None:
        """Continue `run` with the edits in force, or compute what they change again."""
        busy, prompt = self.state.busy, run.prompt_ids
        self._halt("paused")
        self._edits.sync(prompt, len(prompt) + run.options.max_new_tokens)
        wanted = self._edits.rerun(run, busy=busy) if reruns else None
        if wanted is None:
            if busy:
                self._resume(run, run.options, run.until)
            return
        again, messages = wanted.run, list(self.state.messages)
        if again is not run:
            self._show(again)
            self.state.messages += messages
        if not wanted.finished:
            self._set_steps(again, again.steps[: wanted.keep])
            self._resume(again, again.options, wanted.until)

    def _branch(self, run: Run, index: int, token: int) -> None:
        """Show a branch; it continues unless `run` is paused."""
        step = run.steps[index]
        if token == step.token:
            return
        paused = run.done and run.stop_reason in ("paused", "stopped")
        self._halt("paused")
        child = self.state.runs.branch(run, index)
        self._set_steps(child, [*run.steps[:index], with_token(step, token, self.model.tokenizer.token_label(token))])
        self._show(child)
        asked, done = self.state.options.max_new_tokens, len(child.steps)
        child.new_tokens = asked
        target = asked if asked > done else self._target(child) or done + asked
        if paused:
            child.options = dataclasses.replace(child.options, max_new_tokens=target)
            self._mark_paused(child)
        else:
            self._resume(child, dataclasses.replace(self.state.options, max_new_tokens=target))

    def _set_steps(self, run: Run, steps: Sequence[StepRecord]) -> None:
        run.steps = list(steps)
        run.fork = min(run.fork, len(run.steps))
        run.continuation = self.model.tokenizer.decode([step.token for step in run.steps])

    def _mark_paused(self, run: Run) -> None:
        run.done, run.stop_reason, run.progress = True, "paused", 0.0
        self.state.chosen = self.state.distribution = None
        self._replayer.set_step(None)

    # -- frames

    def advance(self, now: float, budget_s: float) -> bool:
        """Do about `budget_s` seconds of GPU work; return True if there is something new to show.

        Raises `AtlasError`s.
        """
        self._prompt.follow(now)
        if self.held:
            return False
        if self._work.pending:
            follows = self._work.advance()
            if follows is not None:
                self.do(follows)
            return False
        if self.generation is not None and not self.generation.done:
            self._apply_options(now)
        if self.generation is not None and not self.generation.done:
            changed = self.generation.advance(budget_s)
            self._report()
            return changed
        return self._replayer.advance(budget_s)

    def _apply_options(self, now: float) -> None:
        """Apply changed options to the next token, once they have stayed the same for a moment."""
        state, run = self.state, self.state.run
        if state.options == self._applied or run is None:
            self._changed_at = None
            return
        if self._changed_at is None or state.options != self._latest:
            self._changed_at, self._latest = now, state.options
        if now - self._changed_at < _OPTIONS_SETTLE:
            return
        target = run.options.max_new_tokens
        if state.options.max_new_tokens != self._applied.max_new_tokens:
            target = max(state.options.max_new_tokens, len(run.steps) + 1)
        until = run.until
        self._halt("paused")
        self._resume(run, dataclasses.replace(state.options, max_new_tokens=target), until)

    def _report(self) -> None:
        run, generation = self.state.run, self.generation
        if run is None or generation is None:
            return
        if len(generation.steps) != len(run.steps):
            run.continuation = generation.continuation
            run.steps = list(generation.steps)
        if generation.done and not run.done and generation.stop_reason != "stopped" and run.steps:
            self._replayer.set_step(len(run.steps) - 1)
        run.done, run.stop_reason = generation.done, generation.stop_reason
        if run.stop_reason == "length" and len(run.steps) < run.options.max_new_tokens:
            run.stop_reason = "paused"  # after a single step, for example
        run.tokens_per_second, run.progress = generation.tokens_per_second, generation.progress
        run.pass_seconds = generation.pass_seconds
