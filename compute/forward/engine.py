"""The engine: one model on the shared device, with its registry, its programs and its window."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import wgpu

from compute.errors import CheckpointError, MemoryBudgetError, UsageError
from compute.gpu.device import adapter_name, is_software, shared_device
from compute.gpu.kernels import shared_kernels
from compute.gpu.loading import Loading, finished
from compute.gpu.subgroups import NO_SUBGROUPS, team_size
from compute.gpu.wgpu_native import ComputeEncoder, poll
from compute.sampling.sampler import Sampler
from compute.weights.checkpoint import WeightSource
from compute.weights.limits import why_it_cannot_run
from compute.weights.upload import WeightUpload, weight_layout

from .activation_buffers import Activations
from .chain_program import ChainProgram
from .fused_program import FusedProgram
from .memory_budget import available_bytes, check_budget
from .pass_plan import POSITION_BYTES, Pass, Segment, state_of
from .program import Program
from .program_buffers import ProgramBuffers
from .registry_build import build_registry
from .rows_program import CHUNK, RowsProgram
from .tiled_program import CHUNK as TILED_CHUNK
from .tiled_program import TiledProgram

_COMPILING = "kernels"  # what is told while programs are made: their shaders are compiled
_UNKNOWN = 1e-9  # seconds that a unit of cost takes, where it was not measured


class Engine:
    """GPT-2 on the GPU. `context` is the longest window it can run."""

    def __init__(
        self,
        source: WeightSource,
        *,
        context: int,
        weights: str = "native",
        adapter: str | None = None,
        layout: str | None = None,
        program: str = "auto",
        trace: bool = True,
        measured: bool = True,
    ) -> None:
        """Open the shared device, upload the weights, build the programs. Blocks.

        weights: "native" (as in the file), "f32", "f16" or "bf16"; adapter: text in the adapter's name; layout:
        "texture" or "buffer" instead of what suits the adapter; program: "chain", "fused" or "rows"
        instead of the fastest that proves right here; trace: keep every activation; measured: without it the engine
        is there sooner, but does not know how long a pass takes, which only `Generation.step` can do without. Raises
        `AtlasError`s. `opening` does the same in steps.
        """
        finished(self._open(source, context, weights, adapter, layout, program, trace, measured))

    @classmethod
    def opening(
        cls,
        source: WeightSource,
        *,
        context: int,
        weights: str = "native",
        adapter: str | None = None,
        program: str = "auto",
    ) -> Loading[Engine]:
        """An engine that keeps every activation, made in steps: between them a window can draw."""
        engine = cls.__new__(cls)
        yield from engine._open(source, context, weights, adapter, None, program, True, True)
        return engine

    # -- construction

    def _open(
        self,
        source: WeightSource,
        context: int,
        weights: str,
        adapter: str | None,
        layout: str | None,
        program: str,
        trace: bool,
        measured: bool,
    ) -> Loading[None]:
        self.config = source.config
        self.model_name = source.name
        if not 1 <= context <= self.config.positions:
            raise UsageError(f"--context {context}: must be from 1 to {self.config.positions}, the model's positions")
        reason = why_it_cannot_run(self.config)
        if reason is not None:
            raise CheckpointError(f"{source.name}: {reason}; such a model cannot run here, use another")
        self.context = context
        self.device = shared_device(adapter)
        self.adapter_name = adapter_name(self.device.adapter)
        self.layout = layout or weight_layout(self.device.adapter)
        self.dtype = source.dtype if weights == "native" else weights
        check_budget(
            source.name, self.config, dtype=self.dtype, context=context, trace=trace,
            available=available_bytes(self.device.adapter),
        )  # fmt: skip
        try:
            yield from self._build(source, program, trace, measured)
        except wgpu.GPUOutOfMemoryError as error:
            raise MemoryBudgetError(
                f"{source.name} with {self.dtype} weights and --context {context}: the GPU has no memory left for it;"
                " use --weights bf16, a smaller --context or a smaller model, or close other programs"
            ) from error

    def _build(self, source: WeightSource, program: str, trace: bool, measured: bool) -> Loading[None]:
        context = self.context
        upload = WeightUpload(self.device, source, layout=self.layout, dtype=self.dtype)
        self.storages = yield from upload.run()
        self.kernels = shared_kernels(self.device)
        self.activations = Activations(self.device, self.config, context) if trace else None
        self._shared = ProgramBuffers.made(self.device, self.config, context, textures=self.layout == "texture")
        self.sampler = Sampler(
            self.kernels, self.config.vocabulary, self._shared.state, self._shared.logits, self._shared.history
        )
        yield _COMPILING, 0.0
        self.path, self.decode, self.prefill = yield from self._choose(program)
        self.registry = build_registry(self.config, self.storages, self.activations, self._shared.logits)
        self.epoch = 0  # counts passes that computed more than the newest row
        self._held: tuple[Sequence[int], int] = ((), 0)  # a text, and how many rows of its beginning are computed
        self.gpu_bytes = upload.nbytes + self._cache_bytes() + (self.activations.nbytes if self.activations else 0)
        self._seconds = {}
        for done, made in ((0.6, self.decode), (0.8, self.prefill)):
            yield _COMPILING, done
            self._seconds[id(made)] = self._measure(made) if measured else _UNKNOWN
        yield _COMPILING, 1.0

    def program(self, kind: type[Program], rows: int, team: tuple[int, bool] = NO_SUBGROUPS) -> Program:
        """A program over the engine's weights and buffers that takes up to `rows` rows; team: see `team_size`."""
        shared, activations = self._shared, self.activations
        return kind(self.kernels, self.config, self.storages, shared, activations, self.context, rows, team)

    def _choose(self, wanted: str) -> Loading[tuple[str, Program, Program]]:
        """(what it is called, program for one row, program for many)."""
        # The fused programs bind a layer's matrices whole.
        split = any(len(storage.shards) > 1 for name, storage in self.storages.items() if name != "wte")
        if self.layout == "texture" or split:
            if wanted not in ("auto", "rows"):
                why = "a matrix is above its binding limit" if split else "software adapters keep weights in textures"
                raise UsageError(f"--program {wanted}: does not run on {self.adapter_name}: {why}; use --program rows")
            wanted = "rows"
        if wanted == "rows":
            decode = self.program(RowsProgram, 1)
            yield _COMPILING, 0.3
            return "rows", decode, self.program(RowsProgram, CHUNK)
        team = team_size(self.kernels)
        prefill = self.program(TiledProgram, min(TILED_CHUNK, -(-self.context // CHUNK) * CHUNK), team)
        yield _COMPILING, 0.2
        suits = ChainProgram.suits(self.device, team[1])
        if wanted == "chain" and not suits:
            raise UsageError(f"--program chain: {self.adapter_name} has no subgroups to rely on; use --program fused")
        if wanted == "chain" or (wanted == "auto" and suits and not is_software(self.device.adapter)):
            chain = self.program(ChainProgram, 1, team)
            if wanted == "chain" or self._agree(chain, prefill):
                return "chain", chain, prefill
        yield _COMPILING, 0.4
        for candidate in (team, NO_SUBGROUPS):
            fused = self.program(FusedProgram, 1, candidate)
            if candidate == NO_SUBGROUPS or self._agree(fused, prefill):
                break
        return "fused", fused, prefill

    def _agree(self, decode: Program, prefill: Program) -> bool:
        """True when `decode` computes on this device what `prefill` does: three tokens both ways. Blocks."""
        rows = min(3, self.context)
        self.write_history([0, 1, 2])
        runs = []
        for steps in (((prefill, 0, rows),), tuple((decode, row, 1) for row in range(rows))):
            for program, first, count in steps:
                self.write_state(state_of(0, first, count, first + count - 1, 0, rows, 0))
                encoder = ComputeEncoder(self.device)
                encoder.run([*program.body, *program.head])
                encoder.submit()
            runs.append(self.read_logits())
        scale = max(1.0, float(np.nanmax(np.abs(runs[0]), initial=0.0)))
        stalled = isinstance(decode, ChainProgram) and decode.stalled()
        return not stalled and bool(np.allclose(runs[0], runs[1], rtol=0, atol=1e-3 * scale, equal_nan=True))

    def _cache_bytes(self) -> int:
        return 8 * self.config.layers * self.config.channels * self.context

    def _measure(self, program: Program) -> float:
        """Seconds that a unit of cost takes: passes after a warm one, which makes the driver compile every pipeline."""
        rows = min(program.rows, self.context)
        self.device.queue.write_buffer(self._shared.state, 0, state_of(0, 0, rows, rows - 1, 0, 1, 0))
        passes, elapsed = 1, 0.0
        for work in ([*program.body, *program.head, *self.sampler.dispatches(1)], [*program.body, *program.head]):
            start = time.perf_counter()
            encoder = ComputeEncoder(self.device)
            encoder.run(work)
            encoder.submit()
            poll(self.device, wait=True)
            elapsed = time.perf_counter() - start
        if elapsed < 0.01:  # a GPU: so short that submitting counts; take several at once
            passes = 8
            start = time.perf_counter()
            encoder = ComputeEncoder(self.device)
            encoder.run([*program.body, *program.head] * passes)
            encoder.submit()
            poll(self.device, wait=True)
            elapsed = time.perf_counter() - start
        return elapsed / passes / program.cost

    # -- running

    def write_history(self, tokens: Sequence[int], at: int = 0) -> None:
        """Put token ids into the history from index `at` on."""
        self.device.queue.write_buffer(self._shared.history, 4 * at, np.asarray(tokens, np.uint32).tobytes())

    def mark_cached(self, text: Sequence[int], rows: int) -> None:
        """Caches and activations have the first `rows` rows of `text`."""
        self._held = (text, rows)

    def cached_prefix(self, text: Sequence[int]) -> int:
        """How many rows from the beginning of `text` need not be computed again."""
        known, rows = self._held
        same = 0
        for mine, theirs in zip(text, known[:rows], strict=False):
            if mine != theirs:
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
        """The pass that computes the logits after the first `total` tokens of the text, and draws the next.

        window: context in tokens; step: draws made before; valid_rows: rows 0.. of the caches and sinks that are those
        of this window already; base: index in the text of history word 0; top: candidates to report; follows: the pass
        before was the one of `total - 1` tokens.
        """
        rows = min(total, context)
        start = total - rows
        first_position = min(start, self.config.positions - rows)
        first = min(valid_rows, rows - 1) if start == 0 else 0
        cached = follows and start == 0 and first == rows - 1 and first > 0
        segments = []
        while first < rows:
            program = self.decode if rows - first == 1 else self.prefill
            count = min(program.rows, rows - first)
            dispatches = list(program.body)
            if first + count == rows:
                dispatches += [*program.head, *self.sampler.dispatches(top)]
            state = state_of(start - base, first, count, rows - 1, first_position, total - base, step)
            if follows:
                # The draw before may have ended the text: whether it did is only known on the GPU, and stays.
                state = state[:POSITION_BYTES]
            cost = sum(dispatch.cost for dispatch in dispatches)
            segments.append(Segment(None if cached else state, dispatches, cost, self._seconds[id(program)] * cost))
            first += count
        return Pass(tuple(segments), start, rows, first_position, cached)

    def write_state(self, state: bytes) -> None:
        """Set the state that dispatches submitted from now on read."""
        self.device.queue.write_buffer(self._shared.state, 0, state)

    def completed(self, done: Pass) -> None:
        """Everything of this pass was submitted: what views submit from now on sees it, whole."""
        if not done.cached:
            self.epoch += 1
        self.registry.rows = done.rows
        self.registry.first_position = done.first_position

    @property
    def logits_buffer(self) -> wgpu.GPUBuffer:
        """Logits of the latest pass, float32 [padded vocabulary, in fours]."""
        return self._shared.logits

    def read_logits(self) -> np.ndarray:
        """The logits of the latest pass, float32 [padded vocabulary]. Blocks: never inside a frame."""
        data = self.device.queue.read_buffer(self._shared.logits)
        return np.frombuffer(data, np.float32)[: self.config.padded_vocabulary].copy()  # [padded vocabulary]
