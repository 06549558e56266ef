"""The difference of two passes, tensor by tensor, computed on the GPU and read by views like a pass."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import wgpu

from compute.errors import MemoryBudgetError, UsageError, option
from compute.forward.activation_buffers import Activations
from compute.forward.edit_points import EditPoints
from compute.forward.engine import Engine
from compute.forward.memory_budget import free_bytes
from compute.forward.pass_tensors import Subtraction
from compute.forward.program import resource
from compute.forward.registry_build import build_registry
from compute.gpu.device import is_software
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch
from compute.io.size_text import size_text
from compute.models.operations import Attention
from compute.models.registry import Registry, Tensor

from .weight_difference import WeightDifferences, changed_weights, difference_bytes

# Values that are subtracted between two frames.
_SLICE_SOFTWARE, _SLICE = 2_000_000, 100_000_000


class FirstRows:
    """The first rows of an engine's latest pass: those that a difference has."""

    subtraction = None

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.description, self.config = engine.description, engine.config
        self.device, self.kernels = engine.device, engine.kernels
        self.context, self.layout, self.gpu_bytes = engine.context, engine.layout, engine.gpu_bytes
        self.state_buffer, self.history_buffer = engine.state_buffer, engine.history_buffer
        self.logits_buffer = engine.logits_buffer
        self.registry, self.epoch = Registry(engine.description), 0
        for tensor in engine.registry:
            self.registry.add(tensor)

    @property
    def edit_changes(self) -> int:
        """That of the engine."""
        return self._engine.edit_changes

    def attention_points(self, attention: Attention) -> tuple[EditPoints, int, int] | None:
        """Those of the engine."""
        return self._engine.attention_points(attention)


class DifferencePass:
    """a - b of every tensor, as views read an engine's values; `begin` and `advance` fill the buffers.

    There are the rows that both passes have. Both engines must be of the same shapes and capacity, and the passes must
    begin at the same position of their texts.
    """

    layout = "buffer"  # of the differences of weights

    def __init__(self, a: Engine, b: Engine) -> None:
        """Allocates. Raises `UsageError` for models of other shapes, and `MemoryBudgetError`."""
        if a.activations is None or b.activations is None:
            raise UsageError("the models were loaded without activations, so there is nothing to compare")
        self.a, self.b = FirstRows(a), FirstRows(b)
        self._engines = a, b
        self.description, self.config = a.description, a.config
        self.device, self.kernels, self.context = a.device, a.kernels, a.context
        _check(a, b)
        self.subtraction = Subtraction(self.a, self.b)
        self.activations = Activations(self.device, self.description, self.context)
        self.state_buffer, self.history_buffer = a.state_buffer, a.history_buffer
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
        size = a.logits_buffer.size
        self.logits_buffer = self.device.create_buffer(label="compared logits", size=size, usage=usage)
        self._weights = WeightDifferences(a, b)
        self.gpu_bytes = a.gpu_bytes + self.activations.nbytes + self._weights.nbytes
        self.registry = build_registry(self.description, self._weights.storages, self.activations, self.logits_buffer)
        self.epoch, self.edit_changes = 0, 0
        self._slice = _SLICE_SOFTWARE if is_software(self.device.adapter) else _SLICE
        self._rows = self._uniform()
        self._one = self._uniform()
        self._subtractions = list(self._dispatches())
        self._work: Iterator[list[Dispatch]] | None = None

    def attention_points(self, attention: Attention) -> None:
        """None: the patterns of both passes are made with the edits of each."""
        return

    @property
    def weights_changed(self) -> bool:
        """True when edits have changed weights since, so that another difference is needed."""
        return self._weights.known != changed_weights(*self._engines)

    @property
    def complete(self) -> bool:
        """True when the values are those of the passes for which `begin` was called."""
        return self._work is None and self.epoch > 0

    def begin(self, *, relative: bool = False) -> None:
        """Subtract the latest passes of both engines. relative: divide by the larger magnitude of the two values.

        Raises `UsageError` for passes that begin at other positions.
        """
        one, other = (engine.registry for engine in self._engines)
        if one.first_position != other.first_position:
            raise UsageError(
                f"A begins at position {one.first_position} of its text and B at {other.first_position}:"
                f" compare steps within the first {option('context', self.context)} tokens"
            )
        rows = min(one.rows, other.rows)
        for registry in (self.a.registry, self.b.registry, self.registry):
            registry.rows, registry.first_position = rows, one.first_position
        self.subtraction.relative = relative
        pitches = [0, 0, int(relative), 0]
        for buffer in (self._rows, self._one):
            self.device.queue.write_buffer(buffer, 0, np.asarray(pitches, np.uint32))
        self._work = self._slices(rows, relative)

    def advance(self) -> bool:
        """Submit the next slice of the work; true once all is submitted. Does not wait."""
        if self._work is None:
            return False
        work = next(self._work, None)
        if work is not None:
            encoder = ComputeEncoder(self.device)
            encoder.run(work)
            encoder.submit()
            return False
        self._work = None
        self.registry.passes += 1
        for values in (self, self.a, self.b):
            values.epoch += 1
        return True

    def run(self, *, relative: bool = False) -> None:
        """`begin`, and all of `advance`. Does not wait for the GPU."""
        self.begin(relative=relative)
        while not self.advance():
            pass

    # -- work

    def _uniform(self) -> wgpu.GPUBuffer:
        usage = wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        return self.device.create_buffer(label="compared rows", size=16, usage=usage)

    def _dispatches(self) -> Iterator[tuple[Tensor, Dispatch]]:
        """The subtraction of every tensor that has memory of its own, but the weights."""
        seen: set[tuple[int, int]] = set()
        for tensor in self.registry:
            if tensor.kind == "weight" or not tensor.kept:
                continue
            (shard,) = tensor.storage.shards
            where = (id(shard.resource), shard.offset)
            if where in seen:
                continue  # another name of the same tensor
            seen.add(where)
            bound: dict[str, Resource] = {
                "params": self._one if tensor.is_logits else self._rows,
                "a": resource(self.a.registry[tensor.name].storage.shards[0]),
                "b": resource(self.b.registry[tensor.name].storage.shards[0]),
                "result": resource(shard),
            }
            kernel = self.kernels.get("compare/difference", columns=tensor.columns)
            yield tensor, kernel.dispatch((-(-tensor.columns // 64), 1, 1), bound, label=tensor.name)

    def _slices(self, rows: int, relative: bool) -> Iterator[list[Dispatch]]:
        work, values = [], 0
        for dispatch, cost in self._weights.work(relative=relative):
            work.append(dispatch)
            values += cost
            if values >= self._slice:
                yield work
                work, values = [], 0
        for tensor, dispatch in self._subtractions:
            count = 1 if tensor.is_logits else rows
            if count:
                work.append(dispatch.over((dispatch.groups[0], count, 1)))
                values += count * tensor.columns
            if values >= self._slice:
                yield work
                work, values = [], 0
        yield work


def _check(a: Engine, b: Engine) -> None:
    """Raise an error for models of other shapes or when the memory does not suffice."""
    shapes = [{t.name: (t.rows, t.columns, t.heads) for t in engine.registry} for engine in (a, b)]
    if shapes[0] != shapes[1] or a.context != b.context:
        raise UsageError(f"{a.model_name} and {b.model_name} have different shapes: compare models of the same shape")
    assert a.activations is not None
    needed = a.activations.nbytes + difference_bytes(a, b)
    free = free_bytes(a.device.adapter, a.gpu_bytes + b.gpu_bytes)
    if free is not None and needed > free:
        raise MemoryBudgetError(
            f"the difference needs {size_text(needed)} of GPU memory beside both passes, {size_text(free)} are free:"
            f" use a shorter context ({option('context')}) or a smaller model"
        )
