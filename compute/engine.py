"""The engine: one model on the shared device, with its registry, its programs and its window."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import wgpu

from .activations import Activations, embed_columns, layer_columns
from .checkpoint import WeightSource
from .config import layer_parameter_shapes, parameter_shapes
from .device import adapter_name, shared_device
from .errors import UsageError
from .kernels import Kernels
from .native import ComputeEncoder, Dispatch, poll
from .registry import Piece, Registry, Storage, Tensor
from .rows_program import CHUNK, ProgramBuffers, RowsProgram
from .sampler import Sampler
from .sentences import sentence
from .weights import WeightUpload, weight_layout

HISTORY = 1 << 16  # tokens kept on the GPU besides the window, before the host writes them anew


@dataclass(frozen=True)
class Segment:
    """Part of a pass that runs with one state: what the host writes first, then dispatches in order."""

    state: bytes
    dispatches: Sequence[Dispatch]
    seconds: float  # predicted GPU time


@dataclass(frozen=True)
class Pass:
    """One forward pass and the draw after it."""

    segments: tuple[Segment, ...]
    window_start: int  # index in the text of the first context token
    rows: int
    first_position: int
    cached: bool  # only the newest row is computed


class Engine:
    """GPT-2 on the GPU. `context` is the longest window it can run; `trace` keeps every activation."""

    def __init__(
        self,
        source: WeightSource,
        *,
        context: int,
        weights: str = "native",
        adapter: str | None = None,
        layout: str | None = None,
        trace: bool = True,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Open the shared device, upload the weights, build the programs. Blocks.

        weights: "native" (as in the file), "f32", "f16" or "bf16"; adapter: text in the adapter's name; layout:
        "texture" or "buffer" instead of what suits the adapter. Raises `AtlasError`s.
        """
        self.config = source.config
        self.model_name = source.name
        if not 1 <= context <= self.config.positions:
            raise UsageError(f"--context {context}: must be from 1 to {self.config.positions}, the model's positions")
        self.context = context
        self.device = shared_device(adapter)
        self.adapter_name = adapter_name(self.device.adapter)
        self.layout = layout or weight_layout(self.device.adapter)
        self.dtype = source.dtype if weights == "native" else weights
        upload = WeightUpload(self.device, source, layout=self.layout, dtype=self.dtype)
        self.storages = upload.run(progress)
        self.kernels = Kernels(self.device)
        self.activations = Activations(self.device, self.config, context) if trace else None
        self._shared = self._make_shared_buffers()
        self.sampler = Sampler(
            self.kernels, self.config.vocabulary, self._shared.state, self._shared.logits, self._shared.history
        )
        programs = [
            RowsProgram(self.kernels, self.config, self.storages, self._shared, self.activations, context, rows)
            for rows in (1, CHUNK)
        ]
        self._decode, self._chunk = programs
        self.registry = self._make_registry()
        self.epoch = 0  # counts passes that computed more than the newest row
        self.gpu_bytes = upload.nbytes + self._cache_bytes() + (self.activations.nbytes if self.activations else 0)
        self._seconds = {id(program): self._measure(program) for program in programs}

    # -- construction

    def _make_shared_buffers(self) -> ProgramBuffers:
        config = self.config
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC

        def buffer(label: str, elements: int, extra: int = 0) -> wgpu.GPUBuffer:
            return self.device.create_buffer(label=label, size=4 * elements, usage=usage | extra)

        caches: list[wgpu.GPUBuffer | wgpu.GPUTexture] = []
        for layer in range(config.layers):
            label = f"h.{layer} keys and values"
            if self.layout == "texture":
                caches.append(
                    self.device.create_texture(
                        label=label,
                        size=(self.context, config.channels // 2, 1),
                        format="rgba32float",
                        usage=wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.TEXTURE_BINDING,
                    )
                )
            else:
                caches.append(buffer(label, 2 * config.channels * self.context))
        return ProgramBuffers(
            state=buffer("state", 8),
            history=buffer("history", self.context + HISTORY),
            head_input=buffer("head input", config.channels, wgpu.BufferUsage.UNIFORM),
            logits=buffer("logits", config.padded_vocabulary),
            caches=tuple(caches),
        )

    def _cache_bytes(self) -> int:
        return 8 * self.config.layers * self.config.channels * self.context

    def _make_registry(self) -> Registry:
        config, registry = self.config, Registry(self.config)

        def parameter(name: str, strip: bool) -> None:
            shape = parameter_shapes(config)[name]
            rows, columns = (1, shape[0]) if len(shape) == 1 else shape
            storage = self.storages[name]
            registry.add(Tensor(name, "weight", rows, columns, len(shape) == 1, sentence(name), storage, strip))

        def activation(name: str, columns: int, stored_as: str, family: str = "activation", strip: bool = True) -> None:
            if self.activations is None:
                return
            block = next(b for b in self.activations.blocks if stored_as in b.offsets)
            offset = block.offset + 4 * block.offsets[stored_as]
            size = 4 * columns * self.context
            storage = Storage("buffer", "f32", 0, (Piece(block.buffer, offset, size, 0, self.context),))
            registry.add(Tensor(name, family, None, columns, False, sentence(name), storage, strip))

        parameter("wte", False)
        parameter("wpe", False)
        for name, columns in embed_columns(config).items():
            activation(name, columns, name, "embedding")
        for layer in range(config.layers):
            h = f"h.{layer}."
            before = "embed.sum" if layer == 0 else f"h.{layer - 1}.resid_post"
            activation(h + "resid_pre", config.channels, before, strip=layer == 0)
            for name in layer_parameter_shapes(config):
                parameter(h + name, True)
            for name, columns in layer_columns(config).items():
                activation(h + name, columns, h + name)
        parameter("ln_f.weight", False)
        parameter("ln_f.bias", False)
        activation("ln_f", config.channels, "ln_f")
        logits = self._shared.logits
        storage = Storage("buffer", "f32", 0, (Piece(logits, 0, logits.size, 0, 1),))
        registry.add(Tensor("logits", "logits", 1, config.padded_vocabulary, True, sentence("logits"), storage))
        return registry

    def _measure(self, program: RowsProgram) -> float:
        """Seconds a unit of cost takes: one warm pass, timed. It also makes the driver compile every pipeline."""
        work = [*program.body, *program.head]
        self.device.queue.write_buffer(self._shared.state, 0, struct.pack("<8I", 0, 0, program.rows, 0, 0, 1, 0, 0))
        elapsed = 0.0
        for _ in range(2):
            start = time.perf_counter()
            encoder = ComputeEncoder(self.device)
            encoder.run(work)
            encoder.submit()
            poll(self.device, wait=True)
            elapsed = time.perf_counter() - start
        return elapsed / sum(dispatch.cost for dispatch in work)

    # -- running

    def write_history(self, tokens: Sequence[int], at: int = 0) -> None:
        """Put token ids into the history from index `at` on."""
        self.device.queue.write_buffer(self._shared.history, 4 * at, np.asarray(tokens, np.uint32).tobytes())

    def plan(self, total: int, window: int, step: int, valid_rows: int, base: int = 0) -> Pass:
        """The pass that computes the logits after the first `total` tokens of the text.

        window: context in tokens; step: draws made before; valid_rows: rows 0.. of the caches and sinks that are those
        of this window already; base: index in the text of history word 0.
        """
        rows = min(total, window)
        start = total - rows
        first_position = min(start, self.config.positions - rows)
        first = valid_rows if start == 0 and valid_rows < rows else 0
        segments = []
        while first < rows:
            program = self._decode if rows - first == 1 else self._chunk
            count = min(program.rows, rows - first)
            last = first + count == rows
            state = struct.pack("<8I", start - base, first, count, rows - 1, first_position, total - base, step, 0)
            dispatches = [*program.body, *program.head, *self.sampler.run] if last else program.body
            seconds = self._seconds[id(program)] * sum(dispatch.cost for dispatch in dispatches)
            segments.append(Segment(state, dispatches, seconds))
            first += count
        return Pass(tuple(segments), start, rows, first_position, rows > 1 and valid_rows == rows - 1 and start == 0)

    def write_state(self, segment: Segment) -> None:
        """Set the state that the segment's dispatches read; submits before it keep theirs."""
        self.device.queue.write_buffer(self._shared.state, 0, segment.state)

    def seconds_of(self, segment: Segment, dispatch: Dispatch) -> float:
        """Predicted GPU time of one dispatch of a segment."""
        total = sum(d.cost for d in segment.dispatches)
        return segment.seconds * dispatch.cost / total

    def completed(self, done: Pass) -> None:
        """Everything of this pass was submitted: what views submit from now on sees it, whole."""
        if not done.cached:
            self.epoch += 1
        self.registry.rows = done.rows
        self.registry.first_position = done.first_position

    def read_logits(self) -> np.ndarray:
        """The logits of the latest pass, float32 [padded vocabulary]. Blocks: never inside a frame."""
        data = self.device.queue.read_buffer(self._shared.logits)
        return np.frombuffer(data, np.float32).copy()  # [padded vocabulary]
