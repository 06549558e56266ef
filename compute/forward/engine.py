"""The engine: one model on the shared device, with its registry, its programs and its context."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

import numpy as np
import wgpu

from compute.edits.differences import first_changed_row
from compute.edits.gpu_list import Effects, PendingEffects
from compute.edits.resolved import ResolvedEdit
from compute.edits.targets import Kind
from compute.errors import DeviceError, MemoryBudgetError, option
from compute.gpu.device import adapter_name
from compute.gpu.loading import Loading, finished
from compute.gpu.slices import Pace, Sliced
from compute.gpu.subgroups import NO_SUBGROUPS
from compute.gpu.wgpu_native import Dispatch
from compute.models.operations import Attention
from compute.sampling.sampler import Sampler
from compute.weights.checkpoint import WeightSource

from .edit_points import EditPoints
from .edited_programs import EditedPrograms
from .load_options import LoadOptions
from .model_memory import ModelMemory, load_memory
from .pass_plan import POSITION_BYTES, Pass, Segment, state_of
from .program import Program
from .program_choice import ProgramChoice, choose_programs
from .registry_build import build_registry
from .rows_program import RowsProgram


class Engine:
    """A model on the GPU. `context` is the longest context that it can run, in tokens."""

    subtraction = None  # see `PassTensors`

    def __init__(self, memory: ModelMemory, sampler: Sampler, programs: ProgramChoice) -> None:
        """Takes parts that are already on the GPU: `load` makes them."""
        self._memory, self._programs = memory, programs
        self.sampler = sampler
        self.description = memory.description
        self.config, self.model_name = memory.config, memory.model_name
        self.context, self.layout, self.dtype = memory.context, memory.layout, memory.dtype
        self.types = memory.types
        self.device, self.kernels = memory.device, memory.kernels
        self.adapter_name = adapter_name(memory.device.adapter)
        self.storages, self.activations = memory.storages, memory.activations
        self.gpu_bytes = memory.nbytes
        self.path, self._edited = programs.path, EditedPrograms(memory, programs)
        self.registry = build_registry(memory.description, memory.storages, memory.activations, memory.shared.logits)
        self.epoch = 0  # counts passes that computed more than the newest row
        self._cached: tuple[Sequence[int], int] = ((), 0)  # a text, and how many rows of its prefix are computed
        self._text_start = 0
        # Of each program: a draw, all dispatches that end with it, and their cost.
        self._latest_work: WeakKeyDictionary[Program, tuple[list[Dispatch], list[Dispatch], float]] = (
            WeakKeyDictionary()
        )
        self.edit_changes = 0  # counts changes of the edits, after which views bind weights and patterns again

    @classmethod
    def load(cls, source: WeightSource, options: LoadOptions) -> Engine:
        """Open the shared device, upload the weights and build the programs. Blocks. Raises `AtlasError`s."""
        return finished(cls.loading(source, options))

    @classmethod
    def loading(cls, source: WeightSource, options: LoadOptions) -> Loading[Engine]:
        """The same in steps, between which a window can draw."""
        with _out_of_memory_explained(source, options):
            memory = yield from load_memory(source, options)
            shared = memory.shared
            sampler = Sampler(memory.kernels, memory.config.vocabulary, shared.state, shared.logits, shared.history)
            programs = yield from choose_programs(memory, sampler, options)
        return cls(memory, sampler, programs)

    def program(self, kind: type[Program], rows: int, team: tuple[int, bool] = NO_SUBGROUPS) -> Program:
        """A program over the engine's weights and buffers for up to `rows` rows; team: see `team_size`."""
        return self._memory.program(kind, rows, team)

    def twin(self) -> Engine:
        """Another engine on the same weights, with activations, caches, a history and edits of its own.

        Raises `MemoryBudgetError` when they do not fit beside this one.
        """
        return finished(self.twinning())

    def twinning(self) -> Loading[Engine]:
        """The same in steps, between which a window can draw."""
        memory = self._memory.twin()
        shared = memory.shared
        sampler = Sampler(memory.kernels, memory.config.vocabulary, shared.state, shared.logits, shared.history)
        return Engine(memory, sampler, (yield from self._programs.over(memory)))

    def beside(self, context: int) -> Engine:
        """Another engine over the same weights, with activations and caches of its own; `context` is in tokens.

        It compiles nothing that this one has not compiled, and has no program for single tokens but the plain one.
        Raises `MemoryBudgetError`.
        """
        memory = self._memory.twin(context)
        shared, rates = memory.shared, self._programs.prefill_seconds
        sampler = Sampler(memory.kernels, memory.config.vocabulary, shared.state, shared.logits, shared.history)
        used = self._programs.prefill[: 1 + self._programs.index(context)]
        many = tuple(memory.program(type(one), one.rows, one.team) for one in used)
        one = memory.program(RowsProgram, 1)
        return Engine(memory, sampler, ProgramChoice(self._programs.path, one, many, rates[-1], rates[: len(many)]))

    def pace(self) -> Pace:
        """A pace that knows how fast programs for many rows are, without a limit yet."""
        return Pace(rate=self._programs.prefill_seconds[-1])

    @property
    def decode(self) -> Program:
        """The program for one row, with the edits in force."""
        return self._edited.decode

    @property
    def prefill(self) -> RowsProgram:
        """The program for the most rows, with the edits in force."""
        return self._edited.prefill(len(self._programs.prefill) - 1)

    def prefill_for(self, rows: int) -> RowsProgram:
        """The program for the next of so many rows, with the edits in force."""
        return self._edited.prefill(self._programs.index(rows))

    # -- edits

    @property
    def edits(self) -> tuple[ResolvedEdit, ...]:
        """The edits in force."""
        return self._edited.edits

    def set_edits(self, edits: Sequence[ResolvedEdit], *, fresh: bool = False, slots: Sequence[str] = ()) -> None:
        """Apply these edits, and no others, in passes that are planned from now on; no pass may be in flight.

        Cached rows from the first one on that the edits make different are computed again by the next pass. Edited
        weights have another storage in the registry. fresh: count from 0 what the edits change, otherwise edits that
        stay keep their counts. slots: see `EditedPrograms.set`. Raises `MemoryBudgetError`.
        """
        if not edits and not self.edits:
            return
        before = self.edits
        first = first_changed_row(before, edits)
        self._edited.set(edits, fresh=fresh, slots=slots)
        self._edited.set_text_start(self._text_start)
        self.edit_changes += 1
        for name in {edit.target.point for edit in (*before, *edits) if edit.target.kind is Kind.WEIGHT}:
            self.registry.store(name, self._edited.copies.get(name) or self.storages[name])
        if first is not None:
            text, rows = self._cached
            self._cached = (text, min(rows, first))

    def attention_points(self, attention: Attention) -> tuple[EditPoints, int, int] | None:
        """The points of scores and pattern in the list of edits; None when this attention is not edited."""
        return self._edited.attention_points(attention)

    def effects(self) -> Effects:
        """What the edits in force have changed since they were set. Blocks, so never call it inside a frame."""
        return self._edited.effects()

    def effects_sliced(self) -> Sliced[Effects]:
        """As `effects`, between frames."""
        pending = self._edited.request_effects()
        if pending is None:
            return Effects((), 0)
        yield pending.readback
        found = pending.take()
        assert found is not None
        return found

    def request_effects(self) -> PendingEffects | None:
        """As `effects`, but does not wait; None without edits."""
        return self._edited.request_effects()

    # -- running

    def write_history(self, tokens: Sequence[int], at: int = 0, *, text_start: int = 0) -> None:
        """Write token ids to the history, from index `at` on.

        text_start: index in the text of the first token of the history, from which edits count positions.
        """
        self._memory.write_history(tokens, at)
        self.set_text_start(text_start)

    def set_text_start(self, index: int) -> None:
        """Note the index in the text of the first token of the history."""
        self._text_start = index
        self._edited.set_text_start(index)

    def mark_cached(self, text: Sequence[int], rows: int) -> None:
        """Note that the caches and activations contain the first `rows` rows of `text`."""
        self._cached = (text, rows)

    def cached_prefix(self, text: Sequence[int]) -> int:
        """How many rows of the prefix of `text` need not be computed again."""
        cached, rows = self._cached
        same = 0
        for token, cached_token in zip(text, cached[:rows], strict=False):
            if token != cached_token:
                break
            same += 1
        return same

    def plan(
        self,
        total: int,
        context: int,
        step: int,
        valid_rows: int,
        *,
        base: int = 0,
        top: int = 8,
        follows: bool = False,
    ) -> Pass:
        """The pass that computes the logits after the first `total` tokens of the text and draws the next token.

        context: in tokens; step: draws made before; valid_rows: rows of the caches and activations, from row 0 on, that
        already are those of this context; base: index in the text of history word 0; top: candidates to report;
        follows: the previous pass was the one over `total - 1` tokens.
        """
        rows = min(total, context)
        start = total - rows
        first_position = min(start, self.config.positions - rows)
        first = min(valid_rows, rows - 1) if start == 0 else 0
        cached = follows and start == 0 and first == rows - 1 and first > 0
        segments = []
        while first < rows:
            program: Program
            if rows - first == 1:
                program, seconds = self.decode, self._programs.decode_seconds
            else:
                index = self._programs.index(rows - first)
                program, seconds = self._edited.prefill(index), self._programs.prefill_seconds[index]
            count = min(program.rows, rows - first)
            dispatches, cost = self._work(program, top if first + count == rows else None)
            state = state_of(start - base, first, count, rows - 1, first_position, total - base, step)
            if follows:
                # The previous draw may have ended the text. Only the GPU knows, so its flag is not overwritten.
                state = state[:POSITION_BYTES]
            segments.append(Segment(None if cached else state, dispatches, cost, seconds * cost))
            first += count
        return Pass(tuple(segments), start, rows, first_position, cached)

    def _work(self, program: Program, top: int | None) -> tuple[list[Dispatch], float]:
        """The dispatches of a program, and their cost. top: also of its head and a draw with so many candidates."""
        if top is None:
            return program.body, sum(dispatch.cost for dispatch in program.body)
        draw = self.sampler.dispatches(top)
        latest = self._latest_work.get(program)
        # Most passes repeat the one before: counting some hundred dispatches again would take as long as a few of them.
        if latest is None or latest[0] != draw:
            dispatches = [*program.body, *program.head, *draw]
            latest = draw, dispatches, sum(dispatch.cost for dispatch in dispatches)
            self._latest_work[program] = latest
        return latest[1], latest[2]

    def write_state(self, state: bytes) -> None:
        """Write the state that dispatches read that are submitted from now on."""
        self._memory.write_state(state)

    def completed(self, submitted: Pass) -> None:
        """Note that this pass was submitted completely: views submitted from now on see all of it."""
        if not submitted.cached:
            self.epoch += 1
        self.registry.passes += 1
        self.registry.rows = submitted.rows
        self.registry.first_position = submitted.first_position

    def stall_error(self) -> DeviceError:
        """The error to raise when a pass has set the stall flag of its program."""
        return DeviceError(
            f"{self.adapter_name}: workgroups that wait for each other stalled;"
            f" choose other kernels with {option('program', 'fused')}"
        )

    @property
    def logits_buffer(self) -> wgpu.GPUBuffer:
        """Logits of the latest pass, float32 [padded vocabulary, rounded up to a multiple of 4]."""
        return self._memory.shared.logits

    @property
    def state_buffer(self) -> wgpu.GPUBuffer:
        """The state of the latest pass, see wgsl/common/state.wgsl."""
        return self._memory.shared.state

    @property
    def history_buffer(self) -> wgpu.GPUBuffer:
        """The token ids of the text, u32."""
        return self._memory.shared.history

    def read_logits(self) -> np.ndarray:
        """The logits of the latest pass, float32 [padded vocabulary]. Blocks, so never call it inside a frame."""
        return self._memory.read_logits()


@contextlib.contextmanager
def _out_of_memory_explained(source: WeightSource, options: LoadOptions) -> Iterator[None]:
    """Turns the GPU's out-of-memory error into a `MemoryBudgetError` that says what to do."""
    try:
        yield
    except wgpu.GPUOutOfMemoryError as error:
        context = option("context", options.context_for(source))
        raise MemoryBudgetError(
            f"{source.name} with {options.dtype_for(source)} weights and {context}: the GPU has no memory left for it;"
            f" use {option('weights', 'bf16')}, a smaller {option('context')} or a smaller model,"
            " or close other programs"
        ) from error
