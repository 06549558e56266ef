"""The stages that share dispatches in the tiled program: norms, rotations and caches of keys and values.

A norm is computed by the products that read it where that takes less time than a dispatch; keys and values go to the
cache from the dispatch that computes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import wgpu

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.operations import Attention, LayerNorm, Linear, Norm, RmsNorm, Rope

from .edit_points import edited
from .product import Product, cache_values, norm_values
from .rows_program import RowsProgram
from .stages import Stage, products_of
from .tiling import FewRows, Limits, Tiling, tiling_of

_BUFFERS = 9  # storage buffers of a product with everything that it can do
# Multiply-adds after a norm: with more, to normalize in every workgroup takes longer than a dispatch.
_LAYER_NORM_WORK, _RMS_NORM_WORK = 2e8, 8e8


class TiledProducts(RowsProgram):
    """A program over many rows on a GPU; matrices and caches are storage buffers."""

    def _groups(self, made: list[Stage]) -> Iterator[tuple[Stage, ...]]:
        rest = list(made)
        while rest:
            size = self._together(rest)
            yield tuple(rest[:size])
            del rest[:size]

    def _together(self, rest: Sequence[Stage]) -> int:
        """How many of the first stages share dispatches."""
        match [stage.first for stage in rest[:3]]:
            case [LayerNorm() | RmsNorm() as norm, *_]:
                products = products_of(norm, rest[1:], self._description)
                return 1 + len(products) if self._includes(norm, products) else 1
            case [Rope() as query, Rope() as key, Attention() as attention]:
                # What an edit changes must be stored before it goes to the cache.
                same = not any(edited(self._points, rope.output) for rope in (query, key))
                return 3 if same and self._rotates(query, key, attention) else 1
        return 1

    def _includes(self, norm: Norm, products: Sequence[Stage]) -> bool:
        """True when these products compute the norm that they read."""
        if isinstance(norm, RmsNorm) and norm.size != norm.columns:
            return False
        stream = self._description.canonical(norm.x)
        work = 0
        for stage in products:
            linear = stage.first
            assert isinstance(linear, Linear)
            # Other workgroups would read what a result in the same memory has changed.
            if stage.in_place == stream or not isinstance(self._tiling(linear, self.rows), FewRows):
                return False
            work += self.rows * linear.columns * norm.columns
        limit = _RMS_NORM_WORK if isinstance(norm, RmsNorm) else _LAYER_NORM_WORK
        return 0 < work <= limit and self._has_buffers and not edited(self._points, norm.output)

    @property
    def _has_buffers(self) -> bool:
        """True when the adapter has enough bindings for a product with everything that it can do."""
        return int(self._device.limits["max-storage-buffers-per-shader-stage"]) >= _BUFFERS

    def _group(self, group: tuple[Stage, ...]) -> list[Dispatch]:
        match [stage.first for stage in group]:
            case [LayerNorm() | RmsNorm() as norm, Linear(), *_]:
                run: list[Dispatch] = []
                for index, stage in enumerate(group[1:]):
                    run += self._normed(norm, stage, first=index == 0)
                return run
            case [Rope() as query, Rope() as key, Attention() as attention]:
                rotated = self._rotate(group[0].section, query, key, attention)
                return [rotated, *self._attended(group[2], attention)]
        return super()._group(group)

    def _kv_store(self, attention: Attention) -> list[Dispatch]:
        return [] if self._stored_by_products(attention) else super()._kv_store(attention)

    def _attended(self, stage: Stage, attention: Attention) -> list[Dispatch]:
        """Attention whose keys and values are in the cache, and its edits."""
        edits = self._edit(attention.output, self._value(attention.output), attention.columns, section=stage.section)
        return [self._attention(stage, attention, self._edited_points(attention)), *edits]

    def _normed(self, norm: Norm, stage: Stage, *, first: bool) -> list[Dispatch]:
        """A product of the norm that it computes. first: it keeps the norm."""
        linear, output = stage.first, stage.output
        assert isinstance(linear, Linear)
        product = replace(self._product_of(stage, linear), x=self._value(norm.x), norm=norm, keeps_norm=first)
        edits = self._edit(output.output, self._value(output.output), output.columns, section=stage.section)
        return [*self._product(product), *edits]

    def _product_of(self, stage: Stage, linear: Linear) -> Product:
        product = super()._product_of(stage, linear)
        for attention in self._description.attention:
            if linear.output in _computed(attention) and self._stored_by_products(attention):
                return replace(product, attention=attention)
        return product

    def _stored_by_products(self, attention: Attention) -> bool:
        """True when the products that compute keys and values store them in the cache."""
        outputs = self._description.outputs
        for name in _computed(attention):
            plain = isinstance(outputs[name], Linear) and self._description.readers(name) == (attention.output,)
            if not plain or edited(self._points, name):
                return False
        return self._has_buffers

    def _tiling(self, linear: Linear, rows: int) -> Tiling:
        outputs, inputs = linear.weight.shape
        return tiling_of(rows, inputs, outputs, Limits.of(self._device))

    def _product(self, product: Product) -> list[Dispatch]:
        linear, storage = product.linear, self._storages[product.linear.weight.name]
        outputs, inputs = linear.weight.shape
        tiling, trace = self._tiling(linear, product.rows), product.block is not None
        kernel = self._kernels.get(
            tiling.kernel, inputs=inputs, outputs=outputs, dtype=storage.dtype, bias=linear.bias is not None,
            epilogue=product.epilogue, trace=trace, **tiling.values(self._team),
            **norm_values(product.norm, kept=trace and product.keeps_norm),
            **cache_values(product.attention, linear.output, self._context),
        )  # fmt: skip
        run = []
        for shard in storage.shards:
            bound = self._product_bindings(product, shard, product.x, shard.first_row, shard.rows)
            bound |= self._norm_vectors(product.norm) | self._cache_of(product.attention)
            groups = (-(-shard.rows // tiling.outs), -(-product.rows // tiling.rows), 1)
            cost = product.rows * inputs * shard.rows
            run.append(kernel.dispatch(groups, bound, cost=cost, label=product.label))
        return run

    def _norm_vectors(self, norm: Norm | None) -> dict[str, Resource]:
        if norm is None:
            return {}
        scale: dict[str, Resource] = {"scale": self._vector(norm.scale.name)}
        return scale if norm.shift is None else scale | {"shift": self._vector(norm.shift.name)}

    def _cache_of(self, attention: Attention | None) -> dict[str, Resource]:
        if attention is None:
            return {}
        cache = self._shared.caches[self._description.attention.index(attention)]
        assert isinstance(cache, wgpu.GPUBuffer)
        return {"cache": cache}


def _computed(attention: Attention) -> tuple[str, str]:
    """The activations that keys and values are part of."""
    return attention.key.source, attention.value.source
