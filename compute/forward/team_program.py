"""One token on a GPU, for any description: teams of threads multiply rows of matrices, with few dispatches per block.

Where nothing is edited, a norm is computed by the products that read it, products of the same row share a dispatch, a
gate is applied where it is computed, and queries and keys are rotated on their way to the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import wgpu

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.operations import Attention, Gated, LayerNorm, Linear, Norm, RmsNorm, Rope

from .edit_points import UNEDITED
from .product import Product
from .program import THREADS, resource
from .rotations import FINE
from .rows_program import RowsProgram
from .span_attention import Spans
from .stages import Stage

_MOST = 3  # products that share a dispatch
_SUMS = 4 * THREADS  # bytes of workgroup memory besides the row
_TYPES = ("f32", "bf16", "f16")


class TeamProgram(RowsProgram):
    """Decode on a GPU; matrices and caches are storage buffers."""

    _attention_threads = 256  # one row has few queries: more threads share the keys of each

    def _build(self) -> tuple[list[Dispatch], list[Dispatch]]:
        self._span_buffers: dict[tuple[str, int], wgpu.GPUBuffer] = {}  # by name and elements
        return super()._build()

    def _groups(self, made: list[Stage]) -> Iterator[tuple[Stage, ...]]:
        rest = list(made)
        while rest:
            size = 1 if self._points is not None else self._together(rest)
            yield tuple(rest[:size])
            del rest[:size]

    def _together(self, stages: Sequence[Stage]) -> int:
        """How many of the first stages share dispatches."""
        first = stages[0].first
        if isinstance(first, LayerNorm) or (isinstance(first, RmsNorm) and first.size == first.columns):
            return self._with_norm(first, stages)
        match [stage.first for stage in stages[:3]]:
            case [Rope() as query, Rope() as key, Attention() as attention]:
                same = query.frequencies == key.frequencies and not query.interleaved and not key.interleaved
                reads = (attention.query.source, attention.key.source) == (query.output, key.output)
                if same and reads and len(query.frequencies) % 4 == 0:
                    return 3 + self._merges(attention, stages[3:])
            case [Attention() as attention, *_]:
                return 1 + self._merges(attention, stages[1:])
        return 1

    def _merges(self, attention: Attention, stages: Sequence[Stage]) -> bool:
        """True when the first stage is a product that can merge the spans of the attention before it."""
        match [stage.first for stage in stages[:1]]:
            case [Linear(x=attention.output) as linear]:
                only = self._description.readers(attention.output) == (linear.output,)
                possible = self._alike([linear]) and self._fit(attention.columns)
                return only and possible and Spans(attention, self._context).fit(self._device)
        return False

    def _with_norm(self, norm: Norm, stages: Sequence[Stage]) -> int:
        """How many stages a norm and the products that read it are."""
        after: list[Stage] = []
        for stage in stages[1:]:
            if not isinstance(stage.first, Linear) or stage.first.x != norm.output:
                break
            after.append(stage)
        read = {stage.first.output for stage in after}
        if not 0 < len(after) <= _MOST or read != set(self._description.readers(norm.output)):
            return 1
        if not self._fit(norm.columns) or not self._alike([stage.first for stage in after]):
            return 1
        follows = stages[1 + len(after)].first if len(stages) > 1 + len(after) else None
        if self._is_gated(after, follows):
            return 2 + len(after)
        plain = all(len(stage.operations) == 1 for stage in after)
        return 1 + len(after) if plain or len(after) == 1 else 1

    @staticmethod
    def _is_gated(after: Sequence[Stage], follows: object) -> bool:
        outputs = [stage.output.output for stage in after]
        return isinstance(follows, Gated) and [follows.x, follows.up] == outputs

    def _fit(self, inputs: int) -> bool:
        """True when a row of so many values fits into workgroup memory."""
        return 4 * inputs + _SUMS <= int(self._device.limits["max-compute-workgroup-storage-size"])

    def _alike(self, linears: Sequence[object]) -> bool:
        """True for products that one kernel can compute."""
        kinds = set()
        for linear in linears:
            assert isinstance(linear, Linear)
            storage = self._storages[linear.weight.name]
            kinds.add((storage.dtype, linear.bias is None, len(storage.shards)))
        return len(kinds) == 1 and next(iter(kinds))[0] in _TYPES and next(iter(kinds))[2] == 1

    def _group(self, group: tuple[Stage, ...]) -> list[Dispatch]:
        match [stage.first for stage in group]:
            case [Rope() as query, Rope() as key, Attention() as attention, *_]:
                rotated = self._rotate(group[0].section, query, key, attention)
                return [rotated, *self._attended(group[2:], attention)]
            case [Attention() as attention, Linear()]:
                return [self._kv_store(attention), *self._attended(group, attention)]
            case [LayerNorm() | RmsNorm(), _, *_]:
                return [self._products(group)]
        return super()._group(group)

    def _attended(self, group: tuple[Stage, ...], attention: Attention) -> list[Dispatch]:
        """Attention, over spans if the group contains the product that merges them."""
        if len(group) == 1:
            return [self._attention(group[0], attention, UNEDITED)]
        linear, spans = group[1].first, Spans(attention, self._context)
        assert isinstance(linear, Linear)
        mixed = self._of_spans("mixed spans", spans.most * attention.columns)
        shares = self._of_spans("shares of spans", 2 * spans.most * attention.heads)
        kernel = self._kernels.get(
            "decode/attention_spans", **spans.values, **self._where("query", attention.query)
        )  # fmt: skip
        bound: dict[str, Resource] = {
            "state": self._shared.state,
            "query_rows": self._value(attention.query.source),
            "cache": self._shared.caches[self._description.attention.index(attention)],
            "mixed": mixed,
            "shares": shares,
        }
        cost = attention.columns * self._context
        attended = kernel.dispatch((attention.kv_heads, spans.most, 1), bound, cost=cost, label=attention.output)
        values = {"norm": "spans", "shared": True, "heads": attention.heads, "context": self._context, **spans.division}
        kept = self._offset(group[0].section, attention.output)
        read: dict[str, Resource] = {"mixed": mixed, "shares": shares}
        return [attended, *self._multiplied(self._product_of(group[1], linear), values, read, kept)]

    def _of_spans(self, label: str, elements: int) -> wgpu.GPUBuffer:
        """Memory that all layers share."""
        if (label, elements) not in self._span_buffers:
            self._span_buffers[label, elements] = self._buffer(label, elements)
        return self._span_buffers[label, elements]

    def _build_head(self) -> list[Dispatch]:
        head = self._description.head
        if head.bias is None and self._storages[head.weight.name].dtype in _TYPES:
            return self._gpu_head(self._shared.head_input, normed=False)
        return super()._build_head()

    def _product(self, product: Product) -> list[Dispatch]:
        if product.rows != 1 or self._storages[product.linear.weight.name].dtype not in _TYPES:
            return super()._product(product)
        shared = self._fit(product.linear.weight.shape[1])
        return self._multiplied(product, {"norm": "", "shared": shared}, {"source": product.x})

    def _multiplied(
        self, product: Product, values: dict[str, int | str | bool], source: dict[str, Resource], kept: int = 0
    ) -> list[Dispatch]:
        """A product of one row. values, source: how it is read, and bindings for that; kept: offset of what is made."""
        linear, storage = product.linear, self._storages[product.linear.weight.name]
        inputs = linear.weight.shape[1]
        offsets = (*product.offsets, 0, 0)[:2]
        run = []
        for shard in storage.shards:
            bound: dict[str, Resource] = {
                "state": product.state or self._shared.state,
                "params": self._slot(kept, 0, 0, 0, shard.rows, shard.first_row, *offsets),
                **source,
                "weight0": resource(shard),
                "y0": product.y,
                **({} if linear.bias is None else {"bias0": self._vector(linear.bias.name)}),
                **self._activation_binding(product.block),
            }
            kernel = self._kernels.get(
                "decode/products", **self._values_of([linear], trace=product.block is not None), **values, shift=False,
                gate=False, function="", epilogue=product.epilogue,
            )  # fmt: skip
            groups = (self._workgroups(shard.rows), 1, 1)
            run.append(kernel.dispatch(groups, bound, cost=inputs * shard.rows, label=product.label))
        return run

    def _values_of(self, linears: Sequence[Linear], *, trace: bool) -> dict[str, int | str | bool]:
        lanes, subgroups = self._team
        values: dict[str, int | str | bool] = {
            "inputs": linears[0].weight.shape[1], "dtype": self._storages[linears[0].weight.name].dtype,
            "parts": len(linears), "bias": linears[0].bias is not None, "lanes": lanes, "subgroups": subgroups,
            "threads": THREADS, "trace": trace,
        }  # fmt: skip
        return values | {f"outputs{i}": linear.columns for i, linear in enumerate(linears)}

    def _workgroups(self, rows: int) -> int:
        return -(-rows // (THREADS // self._team[0]))

    def _products(self, group: tuple[Stage, ...]) -> Dispatch:
        """A norm and the products that read it, with their gate or activation function."""
        norm, section = group[0].first, group[0].section
        assert isinstance(norm, LayerNorm | RmsNorm)
        gated = group[-1].first if isinstance(group[-1].first, Gated) else None
        products = group[1:-1] if gated is not None else group[1:]
        linears = [stage.first for stage in products if isinstance(stage.first, Linear)]
        after = gated.output if gated is not None else products[0].output.output
        block = self._block(section)
        params = [self._offset(section, norm.output), 0, 0, 0]
        bound: dict[str, Resource] = {
            "state": self._shared.state, "source": self._value(norm.x), "scale": self._vector(norm.scale.name),
            **self._activation_binding(block),
        }  # fmt: skip
        if norm.shift is not None:
            bound["shift"] = self._vector(norm.shift.name)
        for index, linear in enumerate(linears):
            params += [linear.columns, 0, self._offset(section, linear.output), self._offset(section, after)]
            bound[f"weight{index}"] = resource(self._storages[linear.weight.name].shards[0])
            if linear.bias is not None:
                bound[f"bias{index}"] = self._vector(linear.bias.name)
            if gated is None:
                bound[f"y{index}"] = self._value(products[index].output.output)
        if gated is not None:
            bound["y0"] = self._value(gated.output)
        operations = products[0].operations
        kernel = self._kernels.get(
            "decode/products", **self._values_of(linears, trace=block is not None),
            norm="rms" if isinstance(norm, RmsNorm) else "layer", shift=norm.shift is not None,
            epsilon=repr(norm.epsilon), offset=repr(norm.offset if isinstance(norm, RmsNorm) else 0.0),
            gate=gated is not None, function=gated.function if gated is not None else "", shared=True,
            epilogue=getattr(operations[-1], "function", "none") if gated is None else "none",
        )  # fmt: skip
        columns = [linears[0].columns] if gated is not None else [linear.columns for linear in linears]
        cost = sum(linear.columns * norm.columns for linear in linears)
        groups = (sum(map(self._workgroups, columns)), 1, 1)
        return kernel.dispatch(groups, {**bound, "params": self._slot(*params)}, cost=cost, label=after)

    def _rotate(self, section: int, query: Rope, key: Rope, attention: Attention) -> Dispatch:
        """Queries and keys by position, and keys and values to the cache."""
        cache = self._shared.caches[self._description.attention.index(attention)]
        assert isinstance(cache, wgpu.GPUBuffer)
        block = self._block(section)
        kernel = self._kernels.get(
            "decode/rotate", heads=attention.heads, kv_heads=attention.kv_heads, head_size=attention.head_size,
            pairs=len(query.frequencies), fine=FINE, context=self._context, trace=block is not None,
            **self._where("query", query.x), **self._where("key", key.x), **self._where("value", attention.value),
        )  # fmt: skip
        bound: dict[str, Resource] = {
            "state": self._shared.state,
            "params": self._slot(self._offset(section, query.output), self._offset(section, key.output)),
            "query_rows": self._value(query.x.source),
            "key_rows": self._value(key.x.source),
            "value_rows": self._value(attention.value.source),
            "rotations": self._shared.rotations[query.frequencies],
            "rotated": self._value(query.output),
            "cache": cache,
            **self._activation_binding(block),
        }
        threads = (query.columns + 2 * key.columns) // 4
        return kernel.dispatch((-(-threads // 64), 1, 1), bound, cost=10 * 4 * threads, label=query.output)
