"""Attention patterns, recomputed on the GPU from the kept queries and keys within a memory budget."""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np
import wgpu

from compute.forward.edit_points import NOWHERE
from compute.forward.pass_plan import ONE_SEQUENCE
from compute.forward.pass_tensors import PassTensors
from compute.gpu.kernels import Resource
from compute.gpu.uniform_slots import UniformSlots
from compute.gpu.wgpu_native import Dispatch
from compute.models.registry import Tensor

from .attention_inputs import head_values, query_and_key

_BUDGET = 1 << 30  # bytes


class PatternStore:
    """Buffers for the patterns of as many layers as the budget allows.

    Each is float32 [heads, context, `stride`], where `context` is the longest context that is shown. When not all
    layers fit, a requested layer replaces the least recently used one.
    """

    def __init__(self, engine: PassTensors, context: int, budget: int | None = None) -> None:
        """Allocates the buffers; computes nothing yet. budget: in bytes, by default 1 GiB."""
        self._engine, self._context = engine, context
        self.tensors = [tensor for tensor in engine.registry if tensor.heads]
        self.stride = row_of_keys(engine.context)
        count, size = pattern_buffers(engine, context, budget)
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
        self._buffers = [
            engine.device.create_buffer(label=f"attention patterns {slot}", size=size, usage=usage)
            for slot in range(count)
        ]
        self.nbytes = size * count
        self._held: dict[str, int] = {}  # slot by tensor, the most recently used last
        self._complete: set[str] = set()  # names of patterns whose buffer contains all rows
        self._works: dict[tuple[str, int], PatternWork] = {}  # by tensor and buffer
        self._params = UniformSlots(engine.device, "pattern rows", len(self.tensors))
        self._slots = {tensor.name: slot for slot, tensor in enumerate(self.tensors)}
        self._edit_changes = 0  # for which they were made

    def together(self) -> AbstractContextManager[None]:
        """Rows requested in the block may be submitted only after it, which is faster for many patterns."""
        return self._params.together()

    def invalidate(self) -> None:
        """Record that every row has changed."""
        self._complete.clear()

    def has_all_rows(self, tensor: Tensor) -> bool:
        """True when a buffer contains all rows of this pattern up to those requested last."""
        return tensor.name in self._complete

    def rows(self, tensor: Tensor, first: int, end: int) -> tuple[wgpu.GPUBuffer, list[Dispatch]]:
        """The buffer that contains rows `first` to `end` of a pattern after the dispatches, and the dispatches."""
        buffer = self._take(tensor)
        if first == 0:
            self._complete.add(tensor.name)
        params = pattern_params(first, self.stride)
        return buffer, self._work(tensor, params, end - first, buffer) if end > first else []

    def sequences(self, tensor: Tensor, first: int, end: int, sequence: int) -> tuple[wgpu.GPUBuffer, list[Dispatch]]:
        """As `rows` after a pass over sequences of `sequence` rows each, whose keys are counted from their own start.

        The buffer then is float32 [heads, context, `row_of_keys(sequence)`].
        """
        buffer = self._take(tensor)
        self._complete.discard(tensor.name)
        params = pattern_params(first, row_of_keys(sequence), sequence=sequence)
        return buffer, self._work(tensor, params, end - first, buffer)

    def _take(self, tensor: Tensor) -> wgpu.GPUBuffer:
        """The buffer of this pattern, which it gets from the least recently used one if it has none."""
        slot = self._held.pop(tensor.name, None)
        if slot is None:
            slot = len(self._held)
            if slot == len(self._buffers):
                oldest = next(iter(self._held))
                slot = self._held.pop(oldest)
                self._complete.discard(oldest)
        self._held[tensor.name] = slot
        return self._buffers[slot]

    def all_rows(self, tensor: Tensor) -> tuple[wgpu.GPUBuffer, list[Dispatch]]:
        """The buffer that contains all rows of a pattern after the dispatches, and the dispatches."""
        rows = min(self._engine.registry.rows, self._context)
        return self.rows(tensor, rows if tensor.name in self._complete else 0, rows)

    def _work(self, tensor: Tensor, values: np.ndarray, rows: int, target: wgpu.GPUBuffer) -> list[Dispatch]:
        """The dispatches that write `rows` rows of a pattern to `target`; values: see `pattern_params`."""
        if self._edit_changes != self._engine.edit_changes:
            self._works.clear()
            self._edit_changes = self._engine.edit_changes
        key = (tensor.name, id(target))
        if key not in self._works:
            params = self._params, self._slots[tensor.name]
            self._works[key] = PatternWork(self._engine, tensor, target, self._context, params)
        return self._works[key].rows(values, rows)


class PatternWork:
    """The work that writes rows of one pattern to a buffer, float32 [heads, kept, stride]."""

    def __init__(
        self,
        engine: PassTensors,
        tensor: Tensor,
        target: wgpu.GPUBuffer,
        kept: int,
        params: tuple[UniformSlots, int] | None = None,
    ) -> None:
        """params: where its parameters go, by default to a buffer of its own."""
        self._queue, self._heads, self._kept = engine.device.queue, tensor.heads, kept
        self._params, self._slot = params or (UniformSlots(engine.device, "pattern rows", 1), 0)
        bound_params = self._params.binding(self._slot, 4)
        self._subtraction = engine.subtraction
        if self._subtraction is None:
            self._patterns = [pattern_row(engine, tensor, bound_params, target, kept=kept)]
            return
        both = self._subtraction.scratch(target.size)
        self._patterns = [
            pattern_row(side, side.registry[tensor.name], bound_params, buffer, kept=kept)
            for side, buffer in zip((self._subtraction.a, self._subtraction.b), both, strict=True)
        ]
        stride = row_of_keys(engine.context)
        self._columns = stride
        usage = wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        self._rows = engine.device.create_buffer(label="compared rows", size=16, usage=usage)
        bound: dict[str, Resource] = {"params": self._rows, "a": both[0], "b": both[1], "result": target}
        self._difference = engine.kernels.get("compare/difference", columns=stride).dispatch((1, 1, 1), bound)

    def rows(self, params: np.ndarray, count: int) -> list[Dispatch]:
        """The dispatches for `count` rows. params: see `pattern_params`."""
        self._params.write(self._slot, params)
        work = [pattern.over((self._heads, count, 1)) for pattern in self._patterns]
        if self._subtraction is not None:
            first, base = params.tolist()[:2]
            words = [first - base, self._kept * self._columns, self._subtraction.relative, 0]
            self._queue.write_buffer(self._rows, 0, np.asarray(words, np.uint32))
            groups = (-(-self._columns // 64), count, self._heads)
            work.append(self._difference.over(groups))
        return work


def pattern_buffers(engine: PassTensors, context: int, budget: int | None = None) -> tuple[int, int]:
    """The number of buffers of a `PatternStore`, and the size of each in bytes."""
    heads = [tensor.heads for tensor in engine.registry if tensor.heads]
    size = 4 * max(heads, default=0) * context * row_of_keys(engine.context)
    count = max(1, min(len(heads), (_BUDGET if budget is None else budget) // size)) if heads else 0
    return count, size


def pattern_params(first: int, stride: int, *, base: int = 0, sequence: int = ONE_SEQUENCE) -> np.ndarray:
    """The parameters of `pattern_row`.

    first: the first row to compute; stride: elements between rows of the target; base: the pattern's row that is row 0
    of the target; sequence: rows of each sequence of a batch.
    """
    return np.asarray([first, base, sequence, stride], np.uint32)


def pattern_row(
    engine: PassTensors, tensor: Tensor, params: Resource, target: wgpu.GPUBuffer, *, kept: int
) -> Dispatch:
    """The dispatch that writes one row of a pattern, for all heads, to `target`: float32 [heads, kept, stride].

    It is the pattern that attention used, with the edits in force. params: see `pattern_params`.
    """
    attention = engine.description.patterns[tensor.name]
    bound: dict[str, Resource] = {"params": params, "result": target, **query_and_key(engine, attention)}
    edited, scores, pattern = engine.attention_points(attention) or (None, NOWHERE, NOWHERE)
    if edited is not None:
        numbers = np.asarray([scores, pattern, 0, 0], np.uint32)
        points = engine.device.create_buffer_with_data(data=numbers, usage=wgpu.BufferUsage.UNIFORM)
        bound |= {"points": points, "state": engine.state_buffer, **edited.edits.bindings}
    kernel = engine.kernels.get(
        "forward/attention_pattern", **head_values(engine, attention), rows=kept, scores=scores != NOWHERE,
        pattern=pattern != NOWHERE,
    )  # fmt: skip
    return kernel.dispatch((tensor.heads, 1, 1), bound, label=tensor.name)


def row_of_keys(keys: int) -> int:
    """Elements from one row of a recomputed pattern with that many keys to the next."""
    return -(-keys // 4) * 4
