"""Checks of products that compute the norm that they read, or store keys and values in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from compute.forward.product import cache_values, norm_values
from compute.forward.tiling import FewRows, Tiles, Tiling
from compute.gpu.kernels import Resource
from compute.gpu.subgroups import NO_SUBGROUPS, team_size
from compute.models.operations import Attention, Heads, LayerNorm, Norm, RmsNorm, Weight

from . import reference
from .check import KERNEL, Check, Errors
from .gpu import UNTOUCHED, Gpu, bound
from .matmul import FIRST_ROW, OFFSET
from .models import normal

_CONTEXT = 29  # rows of a cache


def norms(inputs: int) -> dict[str, Norm]:
    """One of each kind over rows of so many columns."""
    scale, shift = Weight("scale", (inputs,), ""), Weight("shift", (inputs,), "")
    return {
        "layer": LayerNorm("norm", inputs, "", "x", scale, shift),
        "layer without shift": LayerNorm("norm", inputs, "", "x", scale, None, epsilon=0.01),
        "rms": RmsNorm("norm", inputs, "", "x", scale),
        "rms with offset": RmsNorm("norm", inputs, "", "x", scale, epsilon=0.01, offset=1.0),
    }


def normed(
    gpu: Gpu,
    kind: str,
    inputs: int,
    outputs: int,
    tiling: FewRows,
    *,
    rows: int = 18,
    valid: int = 17,
    dtype: str = "f16",
    shards: Sequence[int] = (),
    subgroups: bool = True,
    kept: bool = True,
) -> Check:
    """A product of the norm of `kind` in `norms`. kept: it keeps the norm."""
    norm = norms(inputs)[kind]
    x, scale = normal(rows, inputs), normal(inputs, seed=1)
    x[0] += 3
    x[valid - 1] *= 1e3
    shift = normal(inputs, seed=4) if norm.shift is not None else None
    storage, weight = gpu.weight(normal(outputs, inputs, seed=2) / np.sqrt(inputs), "buffer", dtype, shards=shards)
    y, activations = gpu.empty(rows * outputs), gpu.empty(OFFSET + (FIRST_ROW + rows) * (inputs + outputs))
    after = OFFSET + (FIRST_ROW + rows) * inputs  # where the product is kept
    kernel = gpu.kernels.get(
        tiling.kernel, inputs=inputs, outputs=outputs, dtype=dtype, bias=False, epilogue="none", trace=True, stored="",
        **tiling.values(team_size(gpu.kernels) if subgroups else NO_SUBGROUPS), **norm_values(norm, kept=kept),
    )  # fmt: skip
    resources: dict[str, Resource] = {
        "state": gpu.state(first_row=FIRST_ROW, rows=valid), "x": gpu.buffer(x), "y": y, "activations": activations,
        "scale": gpu.buffer(scale), **({} if shift is None else {"shift": gpu.buffer(shift)}),
    }  # fmt: skip
    for shard in storage.shards:
        params = gpu.params(shard.first_row, shard.rows, OFFSET, after)
        groups = (-(-shard.rows // tiling.outs), -(-rows // tiling.rows), 1)
        gpu.run(kernel.dispatch(groups, {**resources, "params": params, "weight": bound(shard)}))
    exact = x[:valid].astype(np.float64)
    if isinstance(norm, RmsNorm):
        expected = reference.rms_norm(exact, scale, norm.epsilon, norm.offset)
    else:
        expected = reference.layer_norm(exact, scale, shift, norm.epsilon)
    errors, product = Errors(), expected @ weight.T
    errors.close(gpu.read(y, rows, outputs)[:valid], product, "result")
    used = slice(FIRST_ROW, FIRST_ROW + valid)
    found = gpu.read(activations, FIRST_ROW + rows, outputs, offset=after)
    errors.close(found[used], product, "kept product")
    found = gpu.read(activations, FIRST_ROW + rows, inputs, offset=OFFSET)
    if kept:
        errors.close(found[used], expected, "kept norm")
    others = np.delete(found, used, axis=0) if kept else found
    errors.same(bool((others == UNTOUCHED).all()), True, "memory of other rows")
    return errors.check(f"{tiling.kernel}, {kind} norm", f"[{valid}, {inputs}] x [{outputs}, {inputs}] {dtype}", KERNEL)


def packed(heads: int, kv_heads: int, size: int, *, by_head: bool = False) -> Attention:
    """Attention whose queries, keys and values are one activation, by_head: those of each head side by side."""
    if by_head:
        query, key, value = (Heads("x", heads, size, third * size, 3 * size) for third in range(3))
    else:
        query, key = Heads("x", heads, size), Heads("x", kv_heads, size, heads * size)
        value = replace(key, first=key.first + key.columns)
    return Attention("out", heads * size, "", query, key, value, "pattern", "")


def stored(gpu: Gpu, attention: Attention, tiling: Tiling, *, rows: int = 18, valid: int = 17) -> Check:
    """A product that stores the keys and values among its outputs in the cache."""
    inputs, columns = 36, attention.query.columns + attention.key.columns + attention.value.columns
    x = normal(rows, inputs)
    storage, weight = gpu.weight(normal(columns, inputs, seed=2), "buffer", "f32", shards=(columns // 2,))
    kv, y = attention.key.columns, gpu.empty(rows * columns)
    cache = gpu.empty(2 * kv * _CONTEXT)
    kernel = gpu.kernels.get(
        tiling.kernel, inputs=inputs, outputs=columns, dtype="f32", bias=False, epilogue="none", trace=False, norm="",
        **tiling.values(team_size(gpu.kernels)), **cache_values(attention, "x", _CONTEXT),
    )  # fmt: skip
    for shard in storage.shards:
        resources: dict[str, Resource] = {
            "state": gpu.state(first_row=FIRST_ROW, rows=valid), "params": gpu.params(shard.first_row, shard.rows),
            "x": gpu.buffer(x), "y": y, "weight": bound(shard), "cache": cache,
        }  # fmt: skip
        groups = (-(-shard.rows // tiling.outs), -(-rows // tiling.rows), 1)
        gpu.run(kernel.dispatch(groups, resources))
    expected, errors = x.astype(np.float64) @ weight.T, Errors()
    errors.close(gpu.read(y, rows, columns)[:valid], expected[:valid], "result")
    size, half = attention.head_size, kv * _CONTEXT
    keys = gpu.read(cache, kv // 4, _CONTEXT, 4).transpose(1, 0, 2).reshape(_CONTEXT, kv)
    by_head = gpu.read(cache, attention.kv_heads, _CONTEXT, size, offset=half)
    found = {
        "keys": (keys, attention.key),
        "values": (by_head.transpose(1, 0, 2).reshape(_CONTEXT, kv), attention.value),
    }
    used = slice(FIRST_ROW, FIRST_ROW + valid)
    for what, (cached, heads) in found.items():
        errors.close(cached[used], reference.by_head(expected[:valid], heads).reshape(valid, kv), what)
        errors.same(bool((np.delete(cached, used, axis=0) == UNTOUCHED).all()), True, f"{what} of other rows")
    return errors.check(f"{tiling.kernel}, cache", f"{attention.kv_heads} heads of {size}", KERNEL)


def checks(gpu: Gpu) -> Iterator[Check]:
    """The checks of this group."""
    tiling = FewRows(16, 3, 32, 2)
    for kind in norms(36):
        yield normed(gpu, kind, 300, 21, tiling, shards=(9,), subgroups=kind != "layer without shift")
    yield normed(gpu, "layer", 264, 20, replace(tiling, wide=True), dtype="bf16", kept=False)
    yield stored(gpu, packed(3, 3, 12, by_head=True), tiling)
    yield stored(gpu, packed(6, 2, 12), Tiles(2, 4, 8, 5))
