"""Products of one row on a GPU, of which teams of threads compute the outputs."""

from __future__ import annotations

from collections.abc import Sequence

import wgpu

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.operations import Attention, Gated, Heads, LayerNorm, Linear, Norm, RmsNorm, Rope

from .product import Product
from .program import THREADS, resource
from .rotations import FINE
from .rows_program import RowsProgram
from .span_attention import Spans
from .stages import Stage

TEAM_ROWS = 2  # rows of matrices per team, where that leaves enough workgroups
WORKGROUPS = 256  # that a GPU needs to have all of its processors busy
AHEAD = 16  # loads of weights per thread before the prologue; the others follow in a loop
TYPES = ("f32", "bf16", "f16")
_SUMS = 4 * THREADS  # bytes of workgroup memory besides the row

Values = dict[str, int | str | bool]


class TeamProducts(RowsProgram):
    """A program over one row; matrices and caches are storage buffers."""

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
        return len(kinds) == 1 and next(iter(kinds))[0] in TYPES and next(iter(kinds))[2] == 1

    def _team_rows(self, outputs: int, matrices: int = 1) -> int:
        """Rows of each matrix that a team computes. outputs: of a matrix; matrices: that a team multiplies."""
        rows = max(1, TEAM_ROWS // matrices)
        while rows > 1 and self._workgroups(outputs, rows) < WORKGROUPS:
            rows //= 2
        return rows

    def _workgroups(self, rows: int, team_rows: int) -> int:
        return -(-rows // (THREADS // self._team[0] * team_rows))

    def _values_of(self, linears: Sequence[Linear], rows: int, *, trace: bool) -> Values:
        """rows: of matrices that a team multiplies by the row."""
        lanes, subgroups = self._team
        inputs, dtype = linears[0].weight.shape[1], self._storages[linears[0].weight.name].dtype
        packed = 8 if dtype != "f32" and inputs % 8 == 0 else 4
        values: Values = {
            "inputs": inputs, "dtype": dtype, "parts": len(linears), "bias": linears[0].bias is not None,
            "lanes": lanes, "subgroups": subgroups, "threads": THREADS, "trace": trace,
            "ahead": max(1, min(-(-inputs // (packed * lanes)), AHEAD // rows)),
        }  # fmt: skip
        return values | {f"outputs{i}": linear.columns for i, linear in enumerate(linears)}

    def _product(self, product: Product) -> list[Dispatch]:
        if product.rows != 1 or self._storages[product.linear.weight.name].dtype not in TYPES:
            return super()._product(product)
        shared = self._fit(product.linear.weight.shape[1])
        return self._multiplied(product, {"norm": "", "shared": shared}, {"source": product.x})

    def _merged(self, product: Product, spans: Spans, read: dict[str, Resource], kept: int) -> list[Dispatch]:
        """The product of attention over spans. read: the spans; kept: where the attention output is kept."""
        heads = {"heads": spans.attention.heads, "context": spans.context}
        return self._multiplied(product, {"norm": "spans", "shared": True, **heads, **spans.division}, read, kept)

    def _multiplied(
        self, product: Product, values: Values, source: dict[str, Resource], kept: int = 0
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
            rows = self._team_rows(shard.rows)
            kernel = self._kernels.get(
                "decode/products", **self._values_of([linear], rows, trace=product.block is not None), **values,
                team_rows=rows, shift=False, gate=False, qkv=False, function="", epilogue=product.epilogue,
            )  # fmt: skip
            groups = (self._workgroups(shard.rows, rows), 1, 1)
            run.append(kernel.dispatch(groups, bound, cost=inputs * shard.rows, label=product.label))
        return run

    def _products(self, group: tuple[Stage, ...]) -> Dispatch:
        """A norm and the products that read it, with their gate or activation function, or stored for attention."""
        norm, section, last = group[0].first, group[0].section, group[-1].first
        assert isinstance(norm, LayerNorm | RmsNorm)
        products = [stage for stage in group[1:] if isinstance(stage.first, Linear)]
        linears = [stage.first for stage in products if isinstance(stage.first, Linear)]
        ropes = [stage.first for stage in group if isinstance(stage.first, Rope)]
        after = last.output if isinstance(last, Gated) else products[0].output.output
        rotated = [self._offset(section, rope.output) for rope in ropes] or [0, 0]
        params, bound = [self._offset(section, norm.output), *rotated, 0], self._read_norm(norm)
        for index, linear in enumerate(linears):
            params += [linear.columns, 0, self._offset(section, linear.output), self._offset(section, after)]
            bound[f"weight{index}"] = resource(self._storages[linear.weight.name].shards[0])
            if linear.bias is not None:
                bound[f"bias{index}"] = self._vector(linear.bias.name)
        columns, at_once = [linear.columns for linear in linears], 1  # matrices that a team multiplies
        values: Values = {"qkv": False, "gate": False, "function": "", "epilogue": "none"}
        match last:
            case Attention():
                stored, buffers = self._stored(last, ropes, linears)
                values |= stored
                bound |= buffers
            case Gated():
                columns, at_once = columns[:1], 2
                values |= {"gate": True, "function": last.function}
                bound["y0"] = self._value(after)
            case _:
                values["epilogue"] = getattr(products[0].output, "function", "none")
                bound |= {f"y{i}": self._value(stage.output.output) for i, stage in enumerate(products)}
        rows = 2 if isinstance(last, Attention) else self._team_rows(sum(columns), at_once)
        block = self._block(section)
        kernel = self._kernels.get(
            "decode/products", **self._values_of(linears, rows * at_once, trace=block is not None),
            norm="rms" if isinstance(norm, RmsNorm) else "layer", shift=norm.shift is not None,
            epsilon=repr(norm.epsilon), offset=repr(norm.offset if isinstance(norm, RmsNorm) else 0.0),
            team_rows=rows, shared=True, **values,
        )  # fmt: skip
        bound |= {"state": self._shared.state, "params": self._slot(*params), **self._activation_binding(block)}
        cost = sum(linear.columns * norm.columns for linear in linears)
        groups = (sum(self._workgroups(count, rows) for count in columns), 1, 1)
        return kernel.dispatch(groups, bound, cost=cost, label=after)

    def _read_norm(self, norm: Norm) -> dict[str, Resource]:
        bound: dict[str, Resource] = {"source": self._value(norm.x), "scale": self._vector(norm.scale.name)}
        return bound if norm.shift is None else {**bound, "shift": self._vector(norm.shift.name)}

    def _stored(
        self, attention: Attention, ropes: Sequence[Rope], linears: Sequence[Linear]
    ) -> tuple[Values, dict[str, Resource]]:
        """Values and bindings of wgsl/decode/common/qkv.wgsl. ropes: of queries and keys, or none."""
        cache = self._shared.caches[self._description.attention.index(attention)]
        assert isinstance(cache, wgpu.GPUBuffer)
        outputs, size = [linear.output for linear in linears], attention.head_size
        values: Values = {
            "qkv": True, "heads": attention.heads, "kv_heads": attention.kv_heads, "head_size": size,
            "context": self._context,
            "pairs": len(ropes[0].frequencies) if ropes else 0, "interleaved": bool(ropes) and ropes[0].interleaved,
            "fine": FINE, "queries_first": attention.query.first, "queries_step": attention.query.step,
        }  # fmt: skip
        for name, heads in zip(("query", "key", "value"), heads_before(attention, ropes), strict=True):
            at = {"part": outputs.index(heads.source), "block": heads.first // size, "step": heads.step // size}
            values |= {f"{name}_{key}": value for key, value in at.items()}
        bound: dict[str, Resource] = {"queries": self._value(attention.query.source), "cache": cache}
        if ropes:
            bound["rotations"] = self._shared.rotations[ropes[0].frequencies]
        return values, bound


def heads_before(attention: Attention, ropes: Sequence[Rope]) -> tuple[Heads, Heads, Heads]:
    """Queries, keys and values before their rotation. ropes: of queries and keys, or none."""
    query, key = (rope.x for rope in ropes) if ropes else (attention.query, attention.key)
    return query, key, attention.value
