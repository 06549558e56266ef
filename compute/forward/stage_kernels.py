"""The dispatches of the generic programs for stages other than matrix products: norms, rotation, attention, sums."""

from __future__ import annotations

import wgpu

from compute.gpu.kernels import Resource
from compute.gpu.subgroups import subgroup_lanes
from compute.gpu.wgpu_native import Dispatch
from compute.models.operations import Attention, Heads, LayerNorm, RmsNorm, Rope

from .attention_kernels import attention_values, heads_values, rows_per_group, source_columns
from .edit_points import NOWHERE, UNEDITED, edited
from .program import Program
from .rotations import FINE
from .stages import Stage


class StageKernels(Program):
    """Computes in scratch buffers of a chunk of rows, and stores into the activation buffers when traced."""

    _attention_threads = 64  # per query and head
    _values: dict[str, wgpu.GPUBuffer]  # scratch buffers by the activation that is in them

    def _value(self, name: str) -> wgpu.GPUBuffer:
        return self._values[self._description.canonical(name)]

    def _norm_writes_head_input(self) -> bool:
        """True when the head reads a norm whose result nothing changes afterwards."""
        norm = self._description.final_norm
        return norm is not None and not edited(self._points, norm.output)

    def _elementwise(self, stage: Stage, name: str, inputs: dict[str, Resource], **values: int | str) -> Dispatch:
        """A kernel whose result depends on the same element of its inputs alone."""
        output, block = stage.output, self._block(stage.section)
        kernel = self._kernels.get(name, columns=output.columns, trace=block is not None, **values)
        return kernel.dispatch(
            (-(-output.columns // 128), self.rows, 1),
            {
                "state": self._shared.state,
                "params": self._slot(self._offset(stage.section, output.output)),
                "y": self._value(output.output),
                **inputs,
                **self._activation_binding(block),
            },
            cost=4 * self.rows * output.columns,
            label=output.output,
        )

    def _layer_norm(self, stage: Stage, norm: LayerNorm) -> Dispatch:
        block = self._block(stage.section)
        head = norm is self._description.final_norm and self._norm_writes_head_input()
        kernel = self._kernels.get(
            "forward/layer_norm", channels=norm.columns, epsilon=repr(norm.epsilon), shift=norm.shift is not None,
            trace=block is not None, head=head,
        )  # fmt: skip
        bound = self._norm_bindings(stage, norm, head=head)
        if norm.shift is not None:
            bound["shift"] = self._vector(norm.shift.name)
        return kernel.dispatch((self.rows, 1, 1), bound, cost=20 * self.rows * norm.columns, label=norm.output)

    def _rms_norm(self, stage: Stage, norm: RmsNorm) -> Dispatch:
        block = self._block(stage.section)
        head = norm is self._description.final_norm and self._norm_writes_head_input()
        kernel = self._kernels.get(
            "forward/rms_norm", columns=norm.columns, size=norm.size, epsilon=repr(norm.epsilon),
            offset=repr(norm.offset), trace=block is not None, head=head,
        )  # fmt: skip
        bound = self._norm_bindings(stage, norm, head=head)
        groups = (self.rows, norm.columns // norm.size, 1)
        return kernel.dispatch(groups, bound, cost=20 * self.rows * norm.columns, label=norm.output)

    def _norm_bindings(self, stage: Stage, norm: LayerNorm | RmsNorm, *, head: bool) -> dict[str, Resource]:
        bound: dict[str, Resource] = {
            "state": self._shared.state,
            "params": self._slot(self._offset(stage.section, norm.output)),
            "x": self._value(norm.x),
            "scale": self._vector(norm.scale.name),
            "y": self._value(norm.output),
            **self._activation_binding(self._block(stage.section)),
        }
        return bound | ({"head_input": self._shared.head_input} if head else {})

    def _rope(self, stage: Stage, rope: Rope) -> Dispatch:
        block = self._block(stage.section)
        kernel = self._kernels.get(
            "forward/rope", columns=rope.columns, size=rope.x.size, pairs=len(rope.frequencies), fine=FINE,
            interleaved=rope.interleaved, source_columns=source_columns(self._description, rope.x),
            first=rope.x.first, step=rope.x.step, trace=block is not None,
        )  # fmt: skip
        return kernel.dispatch(
            (-(-rope.columns // 64), self.rows, 1),
            {
                "state": self._shared.state,
                "params": self._slot(self._offset(stage.section, rope.output)),
                "x": self._value(rope.x.source),
                "rotations": self._shared.rotations[rope.frequencies],
                "y": self._value(rope.output),
                **self._activation_binding(block),
            },
            cost=10 * self.rows * rope.columns,
            label=rope.output,
        )

    def _rotates(self, query: Rope, key: Rope, attention: Attention) -> bool:
        """True when `_rotate` can rotate queries and keys. It writes the rotated keys to the cache alone."""
        quads = len(query.frequencies) % 4 == 0 and not query.interleaved
        return quads and alike(query, key, attention) and self._description.readers(key.output) == (attention.output,)

    def _rotate(self, section: int, query: Rope, key: Rope, attention: Attention) -> Dispatch:
        """Queries and keys by position, and keys and values to the cache, which is a buffer."""
        block = self._block(section)
        kernel = self._kernels.get(
            "forward/rotate", heads=attention.heads, kv_heads=attention.kv_heads, head_size=attention.head_size,
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
            "cache": self._shared.caches[self._description.attention.index(attention)],
            **self._activation_binding(block),
        }
        threads = (query.columns + 2 * key.columns) // 4
        cost = 10 * 4 * threads * self.rows
        return kernel.dispatch((-(-threads // 64), self.rows, 1), bound, cost=cost, label=query.output)

    def _soft_cap(self, logits: wgpu.GPUBuffer, rows: int, state: wgpu.GPUBuffer | None = None) -> list[Dispatch]:
        """The head's soft cap of `rows` rows of logits; nothing for a head without one."""
        head = self._description.head
        if not head.cap:
            return []
        kernel = self._kernels.get("forward/soft_cap", columns=head.columns, cap=repr(head.cap))
        bound: dict[str, Resource] = {"state": state or self._shared.state, "logits": logits}
        return [
            kernel.dispatch((-(-head.columns // 64), rows, 1), bound, cost=4 * rows * head.columns, label=head.output)
        ]

    def _kv_store(self, attention: Attention) -> list[Dispatch]:
        """Copies keys and values to the cache, where nothing else does."""
        layer = self._description.attention.index(attention)
        kernel = self._kernels.get(
            "forward/kv_store", kv_heads=attention.kv_heads, head_size=attention.head_size, context=self._context,
            storage=self._cache_kind(layer), **self._where("key", attention.key),
            **self._where("value", attention.value),
        )  # fmt: skip
        bound: dict[str, Resource] = {
            "state": self._shared.state,
            "key_rows": self._value(attention.key.source),
            "value_rows": self._value(attention.value.source),
            "cache": self._shared.caches[layer],
        }
        cost, groups = 4 * self.rows * attention.key.columns, (-(-attention.key.columns // 64), self.rows, 1)
        return [kernel.dispatch(groups, bound, cost=cost, label=attention.value.source)]

    def _where(self, name: str, heads: Heads) -> dict[str, int | str]:
        return heads_values(name, heads, source_columns(self._description, heads))

    def _edited_points(self, attention: Attention) -> tuple[int, int]:
        """The points at which scores and pattern are edited; `NOWHERE` for those that are not."""
        return self._points.attention(attention) if self._points else UNEDITED

    def _attention(self, stage: Stage, attention: Attention, points: tuple[int, int]) -> Dispatch:
        """Attention. points: see `_edited_points`."""
        layer, (scores, pattern) = self._description.attention.index(attention), points
        if points == UNEDITED and self._cache_kind(layer) == "texture" and (lanes := subgroup_lanes(self._kernels)):
            return self._attention_by_lanes(stage, attention, layer, lanes)
        kernel = self._kernels.get(
            "forward/attention_rows", **attention_values(attention, self._attention_threads),
            **self._where("query", attention.query),
            context=self._context, storage=self._cache_kind(layer), trace=self._block(stage.section) is not None,
            scores=scores != NOWHERE, pattern=pattern != NOWHERE,
        )  # fmt: skip
        bound = self._attention_bindings(stage, attention, layer)
        if points != UNEDITED:
            assert self._points is not None
            bound["params"] = self._slot(self._offset(stage.section, attention.output), *points)
            bound |= self._points.edits.bindings
        return kernel.dispatch(
            (attention.heads, self.rows, 1),
            bound,
            cost=2 * self.rows * attention.columns * self._context / 2,
            label=attention.output,
        )

    def _attention_by_lanes(self, stage: Stage, attention: Attention, layer: int, lanes: int) -> Dispatch:
        rows = rows_per_group(self._device, attention, self._context, self.rows)
        kernel = self._kernels.get(
            "forward/attention_lanes", **attention_values(attention, self._attention_threads),
            **self._where("query", attention.query),
            context=self._context, trace=self._block(stage.section) is not None, lanes=lanes, rows=rows,
        )  # fmt: skip
        return kernel.dispatch(
            (attention.heads, self.rows // rows, 1),
            self._attention_bindings(stage, attention, layer),
            cost=2 * self.rows * attention.columns * self._context / 2,
            label=attention.output,
        )

    def _attention_bindings(self, stage: Stage, attention: Attention, layer: int) -> dict[str, Resource]:
        return {
            "state": self._shared.state,
            "params": self._slot(self._offset(stage.section, attention.output)),
            "query_of_rows": self._value(attention.query.source),
            "cache": self._shared.caches[layer],
            "y": self._value(attention.output),
            **self._activation_binding(self._block(stage.section)),
        }


def alike(query: Rope, key: Rope, attention: Attention) -> bool:
    """True when queries and keys of the attention are rotated in the same way."""
    same = query.frequencies == key.frequencies and query.interleaved == key.interleaved
    return same and (attention.query.source, attention.key.source) == (query.output, key.output)
