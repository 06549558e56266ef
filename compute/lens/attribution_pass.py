"""Direct logit attribution on the GPU, for any row of the latest pass.

The direction in which a logit grows is pulled back through the final norm, whose scale is frozen, and from there
through the matrices that write to the residual stream. The rest are dot products with activations.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import wgpu

from compute.edits.targets import Kind
from compute.errors import UsageError
from compute.forward.attention_kernels import heads_values, source_columns
from compute.forward.engine import Engine
from compute.forward.program import resource
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch, poll
from compute.models.operations import LayerNorm, RmsNorm, Weight
from compute.views.patterns import pattern_params, pattern_row, row_of_keys

from .attribution import LogitParts
from .attribution_results import STREAM, ResultLayout
from .parts import Bias, Heads, Neurons, Whole
from .points import lens_points

_SLOT = 256  # bytes from the parameters of one dispatch to those of the next
_NO_TOKEN = 0xFFFFFFFF


class AttributionPass:
    """Splits logits of the engine's latest pass, with the edits that were in force when this was made.

    `request` never blocks; `take` returns the result once it has arrived.
    """

    def __init__(self, engine: Engine) -> None:
        """Raises `UsageError` for an engine without activations, or a model for which no lens is defined."""
        if engine.activations is None:
            raise UsageError("the model was loaded without activations: load it with LoadOptions(trace=True)")
        self._engine = engine
        self._stream = lens_points(engine.description)[-1]
        self._layout = ResultLayout.of(
            engine.description, edited=_edits_stream(engine), replaced=_edited_outputs(engine)
        )
        usage = wgpu.BufferUsage
        self._aim = self._buffer("aim", 4, usage.UNIFORM)
        self._pattern_params = self._buffer("pattern rows", 4, usage.UNIFORM)
        self._results = self._buffer("results", self._layout.words(engine.context))
        self._params: list[list[int]] = []
        self._slots = self._buffer("parameters", self._slot_count() * _SLOT // 4, usage.UNIFORM)
        columns = engine.description.head.weight.shape[1]
        self._direction = self._buffer("direction", columns)
        self._unembed = self._buffer("unembedding", columns)
        self._sources: list[Dispatch] = []  # those whose grid depends on the number of keys
        self._dispatches = self._build()
        words = np.zeros((len(self._params), _SLOT // 4), np.uint32)
        for row, values in zip(words, self._params, strict=True):
            row[: len(values)] = values
        engine.device.queue.write_buffer(self._slots, 0, words)
        self._readback: AsyncReadback[LogitParts] = AsyncReadback(engine.device, "attribution")

    def request(self, target: int, against: int | None = None, row: int | None = None) -> bool:
        """Request the parts of a logit, or of the difference to another, at a context row, by default the newest.

        False while a result is in flight. Raises `UsageError` for values out of range.
        """
        rows, vocabulary = self._engine.registry.rows, self._engine.config.vocabulary
        row = rows - 1 if row is None else row
        if not 0 <= row < rows:
            raise UsageError(f"row {row}: the latest pass has {rows} rows")
        for token in (target, target if against is None else against):
            if not 0 <= token < vocabulary:
                raise UsageError(f"token {token}: the model has {vocabulary} tokens")
        size = 4 * self._layout.words(row + 1)
        decode = partial(self._layout.parse, row=row, target=target, against=against)
        return self._readback.request_copy(partial(self._submit, row, target, against, size), size, decode)

    def take(self) -> LogitParts | None:
        """Return the result once after it has arrived, otherwise None."""
        return self._readback.take()

    @property
    def pending(self) -> bool:
        """True while a result is in flight."""
        return self._readback.in_flight

    def now(self, target: int, against: int | None = None, row: int | None = None) -> LogitParts:
        """As `request` and `take`. Blocks, so never call it inside a frame."""
        while not self.request(target, against, row):
            poll(self._engine.device, wait=True)
            self.take()
        poll(self._engine.device, wait=True)
        parts = self.take()
        assert parts is not None
        return parts

    def _submit(self, row: int, target: int, against: int | None, size: int, staging: wgpu.GPUBuffer) -> None:
        queue = self._engine.device.queue
        aim = [row, row + 1, target, _NO_TOKEN if against is None else against]
        queue.write_buffer(self._aim, 0, np.asarray(aim, np.uint32))
        queue.write_buffer(self._pattern_params, 0, pattern_params(row, row_of_keys(self._engine.context), base=row))
        keys = -(-(row + 1) // 64)
        sources = [d.over((keys, d.groups[1], 1)) for d in self._sources]
        encoder = ComputeEncoder(self._engine.device)
        encoder.run([*self._dispatches, *sources])
        encoder.copy(self._results, 0, staging, 0, size)
        encoder.submit()

    def _buffer(self, label: str, words: int, extra: int = 0) -> wgpu.GPUBuffer:
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST | extra
        return self._engine.device.create_buffer(label=f"attribution {label}", size=4 * words, usage=usage)

    def _slot_count(self) -> int:
        registry = self._engine.registry
        matrices = [self._engine.description.head.weight, *(weight for weight, _, _ in self._layout.pulled())]
        return sum(len(registry[matrix.name].storage.shards) for matrix in matrices) + 3 * len(self._layout.slots)

    def _slot(self, *values: int) -> Resource:
        """A range of the uniform buffer that contains `values` as u32."""
        self._params.append(list(values))
        return (self._slots, (len(self._params) - 1) * _SLOT, 16)

    def _activation(self, name: str) -> Resource:
        return resource(self._engine.registry[name].storage.shards[0])

    def _vector(self, weight: Weight) -> Resource:
        return resource(self._engine.registry[weight.name].storage.shards[0])

    def _build(self) -> list[Dispatch]:
        """The dispatches, ordered so that those that do not depend on each other follow one another."""
        head = self._engine.description.head
        columns = head.weight.shape[1]
        run = self._matrix("lens/unembed", head.weight, self._unembed, {"aim": self._aim})
        run.append(self._direction_dispatch())
        pulled: dict[str, wgpu.GPUBuffer] = {}
        for weight, label, norm in self._layout.pulled():
            pulled[weight.name] = self._buffer(f"direction at {label}", weight.shape[1])
            direction, through = self._before(norm)
            run += [*through, *self._matrix("lens/pull", weight, pulled[weight.name], {"direction": direction})]
        after: list[Dispatch] = []
        rows: dict[wgpu.GPUBuffer, list[tuple[int, int, int, int]]] = {}  # terms by buffer
        biases: dict[RmsNorm | None, list[tuple[Bias, int]]] = {}  # by the norm that they go through
        heads = 0
        for part, slot in self._layout.slots:
            match part:
                case Heads(attention=attention, writes=writes):
                    target = self._buffer("pattern", attention.heads * row_of_keys(self._engine.context))
                    run.append(self._pattern(part, target))
                    direction = pulled[writes.name]
                    after.append(self._heads(part, direction, slot))
                    self._sources.append(self._source(part, target, direction, heads))
                    heads += attention.heads
                case Whole(output=output):
                    shard = self._engine.registry[output].storage.shards[0]
                    rows.setdefault(shard.resource, []).append((shard.offset // 4, columns, slot, 0))
                    if part.hidden is not None:
                        after.append(self._neurons(part.hidden, pulled[part.hidden.writes.name]))
                case Bias(norm=norm):
                    biases.setdefault(norm, []).append((part, slot))
        # The whole stream, for what edits have changed in it.
        shard = self._engine.registry[self._stream].storage.shards[0]
        rows.setdefault(shard.resource, []).append((shard.offset // 4, columns, STREAM, 0))
        run += [self._terms(buffer, table, self._direction) for buffer, table in rows.items()]
        for norm, added in biases.items():
            table = [(index * columns, 0, slot, 0) for index, (_, slot) in enumerate(added)]
            direction, through = self._before(norm)
            run += [*through, self._terms(self._stacked([bias.weight for bias, _ in added]), table, direction)]
        return [*run, *after]

    def _before(self, norm: RmsNorm | None) -> tuple[wgpu.GPUBuffer, list[Dispatch]]:
        """The direction before a norm whose result is added to the stream, and the dispatches that compute it."""
        if norm is None:
            return self._direction, []
        direction = self._buffer(f"direction before {norm.output}", norm.columns)
        kernel = self._engine.kernels.get(
            "lens/through_norm", columns=norm.columns, epsilon=repr(norm.epsilon), offset=repr(norm.offset)
        )
        bound: dict[str, Resource] = {
            "aim": self._aim, "x": self._activation(norm.x), "scale": self._vector(norm.scale),
            "direction": self._direction, "y": direction,
        }  # fmt: skip
        return direction, [kernel.dispatch((1, 1, 1), bound)]

    def _matrix(self, kernel: str, weight: Weight, y: wgpu.GPUBuffer, others: dict[str, Resource]) -> list[Dispatch]:
        """A dispatch for each shard of a matrix."""
        storage, columns = self._engine.registry[weight.name].storage, weight.shape[1]
        made = self._engine.kernels.get(
            kernel, columns=columns, storage=storage.kind, dtype=storage.dtype, tile=storage.tile
        )
        run = []
        for index, shard in enumerate(storage.shards):
            slot = self._slot(shard.first_row, shard.rows, int(index == 0))
            bound = {"params": slot, "weight": resource(shard), "y": y, **others}
            run.append(made.dispatch((-(-columns // (64 if kernel == "lens/pull" else 256)), 1, 1), bound))
        return run

    def _direction_dispatch(self) -> Dispatch:
        description = self._engine.description
        head, norm = description.head, description.final_norm
        columns = head.weight.shape[1]
        values: dict[str, str | int | bool] = {}
        if norm is not None:
            offset = norm.offset if isinstance(norm, RmsNorm) else 0.0
            values = {"epsilon": repr(norm.epsilon), "offset": repr(offset), "centered": isinstance(norm, LayerNorm)}
        shift = norm.shift if norm else None
        kernel = self._engine.kernels.get(
            "lens/direction", columns=columns, norm=norm is not None, shift=shift is not None,
            bias=head.bias is not None, **values,
        )  # fmt: skip
        bound: dict[str, Resource] = {
            "aim": self._aim, "unembed": self._unembed, "head_input": self._activation(head.x),
            "direction": self._direction, "results": self._results,
        }  # fmt: skip
        if norm is not None:
            bound |= {"x": self._activation(self._stream), "scale": self._vector(norm.scale)}
        if shift is not None:
            bound["shift"] = self._vector(shift)
        if head.bias is not None:
            bound["bias"] = self._vector(head.bias)
        return kernel.dispatch((1, 1, 1), bound)

    def _stacked(self, vectors: list[Weight]) -> wgpu.GPUBuffer:
        """A copy of vectors of equal length, one after another."""
        size = 4 * vectors[0].count
        stack = self._buffer("biases", len(vectors) * vectors[0].count)
        encoder = ComputeEncoder(self._engine.device)
        for index, weight in enumerate(vectors):
            shard = self._engine.registry[weight.name].storage.shards[0]
            encoder.copy(shard.resource, shard.offset, stack, index * size, size)
        encoder.submit()
        return stack

    def _terms(self, x: wgpu.GPUBuffer, table: list[tuple[int, int, int, int]], direction: wgpu.GPUBuffer) -> Dispatch:
        """The dot products of rows or biases in one buffer with a direction; table: see wgsl/lens/terms.wgsl."""
        device, data = self._engine.device, np.asarray(table, np.uint32)
        terms = device.create_buffer_with_data(label="attribution terms", data=data, usage=wgpu.BufferUsage.STORAGE)
        bound: dict[str, Resource] = {
            "aim": self._aim, "terms": terms, "x": x, "direction": direction, "results": self._results,
        }  # fmt: skip
        kernel = self._engine.kernels.get("lens/terms", columns=self._direction.size // 4)
        return kernel.dispatch((len(table), 1, 1), bound)

    def _heads(self, part: Heads, direction: wgpu.GPUBuffer, slot: int) -> Dispatch:
        attention = part.attention
        kernel = self._engine.kernels.get("lens/heads", columns=attention.columns, size=attention.head_size)
        bound: dict[str, Resource] = {
            "aim": self._aim, "params": self._slot(slot), "x": self._activation(attention.output),
            "direction": direction, "results": self._results,
        }  # fmt: skip
        return kernel.dispatch((attention.heads, 1, 1), bound)

    def _neurons(self, hidden: Neurons, direction: wgpu.GPUBuffer) -> Dispatch:
        columns = hidden.activation.columns
        kernel = self._engine.kernels.get("lens/neurons", columns=columns)
        bound: dict[str, Resource] = {
            "aim": self._aim,
            "params": self._slot(self._layout.neurons[hidden.activation.output]),
            "x": self._activation(hidden.activation.output),
            "direction": direction,
            "results": self._results,
        }
        return kernel.dispatch((-(-columns // 64), 1, 1), bound)

    def _pattern(self, part: Heads, target: wgpu.GPUBuffer) -> Dispatch:
        tensor = self._engine.registry[part.attention.pattern]
        return pattern_row(self._engine, tensor, self._pattern_params, target, kept=1)

    def _source(self, part: Heads, pattern: wgpu.GPUBuffer, direction: wgpu.GPUBuffer, heads: int) -> Dispatch:
        attention = part.attention
        kernel = self._engine.kernels.get(
            "lens/sources", head_size=attention.head_size, group=attention.group,
            stride=row_of_keys(self._engine.context),
            **heads_values("value", attention.value, source_columns(self._engine.description, attention.value)),
        )  # fmt: skip
        bound: dict[str, Resource] = {
            "aim": self._aim, "params": self._slot(self._layout.sources, heads),
            "value_of_rows": self._activation(attention.value.source), "pattern": pattern, "direction": direction,
            "results": self._results,
        }  # fmt: skip
        return kernel.dispatch((1, attention.heads, 1), bound)


def _edits_stream(engine: Engine) -> bool:
    """True when an edit in force changes the residual stream, or what is added to it, other than through heads."""
    description = engine.description
    terms = {term for point in description.stream for term in (point, *description.contributors(point))}
    names = {description.canonical(term) for term in terms}
    return any(edit.target.kind is Kind.ACTIVATION and edit.target.point in names for edit in engine.edits)


def _edited_outputs(engine: Engine) -> frozenset[str]:
    """The outputs of attention that an edit in force changes."""
    outputs = {attention.output for attention in engine.description.attention}
    return frozenset(edit.target.point for edit in engine.edits if edit.target.point in outputs)
