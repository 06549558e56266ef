"""The forward pass of any description, a kernel per stage over a chunk of rows: the program for software adapters.

Every stage reads and writes scratch buffers of one chunk; with tracing it also stores into the activation buffers.
"""

from __future__ import annotations

from collections.abc import Iterator

import wgpu

from compute.gpu.kernels import Kernel, Resource
from compute.gpu.subgroups import subgroup_lanes
from compute.gpu.wgpu_native import Dispatch
from compute.models.operations import (
    Activation,
    Add,
    Attention,
    Gated,
    Gather,
    LayerNorm,
    Linear,
    RmsNorm,
    Rope,
    Scale,
)
from compute.models.registry import Shard, TensorStorage

from .edit_points import edited_slots
from .product import Product, ProductTile, lane_tile
from .program import resource
from .stage_kernels import StageKernels
from .stages import Stage, reads_after, stages

CHUNK = 16  # rows of a chunk: more loads fewer weights per row, but a slice must fit a frame
_UNIFORM_LIMIT = 65536  # bytes, the largest uniform binding that every adapter offers


class RowsProgram(StageKernels):
    """The pass over `rows` rows at a time (1 or CHUNK), on any weight layout."""

    def _build(self) -> tuple[list[Dispatch], list[Dispatch]]:
        self._values = {}
        free: list[tuple[int, wgpu.GPUBuffer]] = []  # columns, and the buffer
        made = stages(self._description, edited_slots(self._points))
        # The input of the head stays, for `head_of_rows`.
        left = frozenset({self._description.canonical(self._description.head.x)})
        later = [*reads_after(made, self._description), left][1:]
        body: list[Dispatch] = []
        done = 0
        for group in self._groups(made):
            for stage in group:
                self._values[stage.output.output] = self._result(stage, free)
            body += self._group(group)
            done += len(group)
            for name in self._values.keys() - later[done - 1]:
                buffer = self._values.pop(name)
                if buffer not in self._values.values():
                    free.append((buffer.size // 4 // self.rows, buffer))
        head = self._description.head
        edits = self._edit(head.output, self._shared.logits, head.columns, section=None, head=True)
        return body, [*self._head_row(), *self._build_head(), *self._soft_cap(self._shared.logits, 1), *edits]

    def _groups(self, made: list[Stage]) -> Iterator[tuple[Stage, ...]]:
        """The stages in order, those together that share dispatches. Results of a group have memory of their own."""
        return ((stage,) for stage in made)

    def _group(self, group: tuple[Stage, ...]) -> list[Dispatch]:
        """The dispatches of a group, with the edits of its results."""
        run: list[Dispatch] = []
        for stage in group:
            output = stage.output
            run += self._stage(stage)
            run += self._edit(output.output, self._value(output.output), output.columns, section=stage.section)
        return run

    def _result(self, stage: Stage, free: list[tuple[int, wgpu.GPUBuffer]]) -> wgpu.GPUBuffer:
        """The buffer for the stage's result: its input's, one that nothing reads any more, or a new one."""
        if stage.in_place is not None:
            return self._values[stage.in_place]
        columns = stage.output.columns
        for entry in free:
            if entry[0] == columns:
                free.remove(entry)
                return entry[1]
        return self._scratch(f"scratch of {stage.output.output}", columns)

    def _stage(self, stage: Stage) -> list[Dispatch]:
        match stage.operations:
            case (Gather() as tokens, Gather() as positions, Add() as total):
                return self._embed((tokens, positions, total), self._value(total.output))
            case (Gather() as gather,):
                return self._gather(stage, gather)
            case (LayerNorm() as norm,):
                return [self._layer_norm(stage, norm)]
            case (RmsNorm() as norm,):
                return [self._rms_norm(stage, norm)]
            case (Rope() as rope,):
                return [self._rope(stage, rope)]
            case (Linear() as linear, *_):
                return self._linear(stage, linear)
            case (Attention() as attention,):
                return [*self._kv_store(attention), self._attention(stage, attention, self._edited_points(attention))]
            case (Add() as add,):
                terms = {f"term{index}": self._value(name) for index, name in enumerate(add.terms)}
                return [self._elementwise(stage, "forward/add", terms, terms=len(terms))]
            case (Activation() as activation,):
                x: dict[str, Resource] = {"x": self._value(activation.x)}
                return [self._elementwise(stage, "forward/activation", x, function=activation.function)]
            case (Gated() as gated,):
                both: dict[str, Resource] = {"x": self._value(gated.x), "up": self._value(gated.up)}
                return [self._elementwise(stage, "forward/gated", both, function=gated.function)]
            case (Scale() as scale,):
                scaled: dict[str, Resource] = {"x": self._value(scale.x)}
                return [self._elementwise(stage, "forward/scale", scaled, factor=repr(scale.factor))]
        raise ValueError(f"{stage.output.output}: no kernel for {[op.kind for op in stage.operations]}")

    def _head_row(self) -> list[Dispatch]:
        """Copies the row that needs logits to the head's input, where no layer norm has written it."""
        if self._norm_writes_head_input():
            return []
        head = self._description.head
        columns = head.weight.shape[1]
        bound: dict[str, Resource] = {
            "state": self._shared.state, "x": self.head_rows, "head_input": self._shared.head_input
        }  # fmt: skip
        kernel = self._kernels.get("forward/head_row", columns=columns)
        return [kernel.dispatch((-(-columns // 64), 1, 1), bound, cost=columns, label=head.x)]

    def _build_head(self) -> list[Dispatch]:
        head = self._description.head
        return self._product(Product(head, self._shared.head_input, self._shared.logits, 1))

    @property
    def head_rows(self) -> wgpu.GPUBuffer:
        """The input of the head for every row of the chunk after `body`: float32 [rows, inputs of the head]."""
        return self._value(self._description.head.x)

    def head_of_rows(self, logits: wgpu.GPUBuffer) -> list[Dispatch]:
        """The logits of every row of the chunk into `logits`, float32 [rows, padded vocabulary]; to run after `body`.

        Cannot be part of every pass: for most rows nobody needs them, and they take as long as several blocks.
        """
        head = self._description.head
        run = self.head_of(self.head_rows, logits, self.rows)
        run += self._edit(head.output, logits, head.columns, section=None)
        self._write_params()
        return run

    def head_of(
        self, x: wgpu.GPUBuffer, logits: wgpu.GPUBuffer, rows: int, state: wgpu.GPUBuffer | None = None
    ) -> list[Dispatch]:
        """The logits, float32 [rows, padded vocabulary], of any inputs of the head, x [rows, inputs].

        rows: a multiple of CHUNK, or a smaller power of two; state: one of so many rows, by default that of the
        program.
        """
        run = self._product(Product(self._description.head, x, logits, rows, state=state))
        run += self._soft_cap(logits, rows, state)
        self._write_params()
        return run

    def _gather(self, stage: Stage, gather: Gather) -> list[Dispatch]:
        storage, block = self._storages[gather.table.name], self._block(stage.section)
        kernel = self._kernels.get(
            "forward/gather", columns=gather.columns, by=gather.by, storage=storage.kind, dtype=storage.dtype,
            tile=storage.tile, trace=block is not None,
        )  # fmt: skip
        offset, last = self._offset(stage.section, gather.output), gather.table.shape[0] - 1
        return [
            kernel.dispatch(
                (-(-gather.columns // 128), self.rows, 1),
                {
                    "state": self._shared.state,
                    "params": self._slot(shard.first_row, shard.rows, last, offset),
                    "weight": resource(shard),
                    "y": self._value(gather.output),
                    **({"history": self._shared.history} if gather.by == "token" else {}),
                    **self._activation_binding(block),
                },
                cost=self.rows * gather.columns,
                label=gather.output,
            )
            for shard in storage.shards
        ]

    def _linear(self, stage: Stage, linear: Linear) -> list[Dispatch]:
        return self._product(self._product_of(stage, linear))

    def _product_of(self, stage: Stage, linear: Linear) -> Product:
        """A product, and what is done to it before it is stored."""
        epilogue = "none"
        match stage.output:
            case Activation(function=function):
                epilogue = function
            case Add():
                epilogue = "residual"
        names = tuple(operation.output for operation in stage.operations)
        x, y = self._value(linear.x), self._value(stage.output.output)
        return Product(linear, x, y, self.rows, epilogue, self._block(stage.section), names)

    def _product(self, product: Product) -> list[Dispatch]:
        linear, x, storage = product.linear, product.x, self._storages[product.linear.weight.name]
        inputs = linear.weight.shape[1]
        at_once, space = self._rows_at_once(inputs, product.rows)
        kernel, tile = self._product_kernel(product, storage, at_once, space)
        run = []
        for first in range(0, product.rows, at_once):
            for shard in storage.shards:
                part: Resource = (x, first * inputs * 4, at_once * inputs * 4) if space == "uniform" else x
                bound = self._product_bindings(product, shard, part, first, shard.first_row, shard.rows)
                groups = tile.groups(at_once, shard.rows)
                run.append(kernel.dispatch(groups, bound, cost=at_once * inputs * shard.rows, label=product.label))
        return run

    def _product_kernel(
        self, product: Product, storage: TensorStorage, at_once: int, space: str
    ) -> tuple[Kernel, ProductTile]:
        """The kernel, and what a workgroup of it computes; the last two: see `_rows_at_once`."""
        outputs, inputs = product.linear.weight.shape
        common: dict[str, str | int | bool] = {
            "inputs": inputs, "outputs": outputs, "dtype": storage.dtype, "tile": storage.tile,
            "bias": product.linear.bias is not None, "epilogue": product.epilogue, "trace": product.block is not None,
            "uniform_rows": at_once if space == "uniform" else 0,
        }  # fmt: skip
        lanes = subgroup_lanes(self._kernels) if storage.kind == "texture" else 0
        if lanes:
            tile = lane_tile(lanes, at_once)
            kernel = self._kernels.get(
                "forward/matmul_lanes", **common, rows=tile.rows, outs=tile.outputs // lanes, lanes=lanes
            )  # fmt: skip
            return kernel, tile
        # Each value of x is loaded once for all outputs of a thread: with 4 of them the product was twice as fast. But
        # narrow matrices would leave cores idle, and in a pass of one row there is little of x to load.
        per_thread = 4 if product.linear is self._description.head and at_once > 1 else 1
        kernel = self._kernels.get(
            "forward/matmul_rows", **common, rows=at_once, storage=storage.kind, per_thread=per_thread
        )
        return kernel, ProductTile(at_once, 32 * per_thread)

    def _product_bindings(self, product: Product, shard: Shard, x: Resource, *params: int) -> dict[str, Resource]:
        """params: the first fields of the kernel's; the offsets of what is kept follow."""
        bias = product.linear.bias
        return {
            "state": product.state or self._shared.state,
            "params": self._slot(*params, *product.offsets),
            "x": x,
            "weight": resource(shard),
            "y": product.y,
            **({} if bias is None else {"bias": self._vector(bias.name)}),
            **self._activation_binding(product.block),
        }

    def _rows_at_once(self, inputs: int, rows: int) -> tuple[int, str]:
        """How many rows of x one dispatch takes, and the address space x is bound in."""
        alignment = self._device.limits["min-uniform-buffer-offset-alignment"]
        at_once = most = min(rows, CHUNK)
        while at_once * inputs * 4 > _UNIFORM_LIMIT:
            at_once //= 2
        if at_once == 0 or (at_once < rows and at_once * inputs * 4 % alignment):
            return most, "storage"
        return at_once, "uniform"
