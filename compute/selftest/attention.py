"""Checks of attention in chunks: storing keys and values in the cache, and attention over the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import wgpu

from compute.forward.attention_kernels import attention_values, heads_values, rows_per_group
from compute.gpu.device import is_software
from compute.gpu.kernels import Kernel, Resource
from compute.gpu.subgroups import subgroup_lanes
from compute.models.operations import Attention, Heads

from . import reference
from .check import KERNEL, Check, Errors, Skipped
from .gpu import Gpu
from .matmul import OFFSET
from .models import layouts, normal


def cache_of(gpu: Gpu, kind: str, context: int, channels: int) -> Resource:
    """An unwritten cache of `context` rows."""
    if kind == "buffer":
        return gpu.empty(2 * channels * context)
    usage = wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.TEXTURE_BINDING
    return gpu.device.create_texture(size=(context, channels // 2, 1), format="rgba32float", usage=usage)


def _columns(heads: int, kv_heads: int, size: int, *, by_head: bool) -> list[Heads]:
    """Queries, keys and values in one activation."""
    if by_head:
        return [Heads("x", heads, size, third * size, 3 * size) for third in range(3)]
    keys = heads * size
    values = keys + kv_heads * size
    return [Heads("x", heads, size), Heads("x", kv_heads, size, keys), Heads("x", kv_heads, size, values)]


def _store(gpu: Gpu, operation: Attention, width: int, context: int, kind: str) -> Kernel:
    """The kernel that stores keys and values."""
    return gpu.kernels.get(
        "forward/kv_store", kv_heads=operation.kv_heads, head_size=operation.head_size, context=context, storage=kind,
        **heads_values("key", operation.key, width), **heads_values("value", operation.value, width),
    )  # fmt: skip


def _mix(
    gpu: Gpu, operation: Attention, width: int, context: int, kind: str, rows: int, *, tiled: bool, lanes: int
) -> tuple[Kernel, int]:
    """The kernel that computes attention, and how many of `rows` rows a workgroup of it computes."""
    query = heads_values("query", operation.query, width)
    values: dict[str, int | str] = {**attention_values(operation), **query, "context": context}
    if tiled:
        return gpu.kernels.get("forward/attention_tiled", **values, trace=True), 16
    if lanes:
        at_once = rows_per_group(gpu.device, operation, context, rows)
        return gpu.kernels.get("forward/attention_lanes", **values, trace=True, lanes=lanes, rows=at_once), at_once
    mix = gpu.kernels.get("forward/attention_rows", **values, storage=kind, trace=True, scores=False, pattern=False)
    return mix, 1


def attention(
    gpu: Gpu,
    kind: str,
    heads: int,
    size: int,
    context: int,
    chunks: Sequence[tuple[int, int]],
    *,
    scale: float = 2.0,
    kv_heads: int = 0,
    window: int = 0,
    cap: float = 0.0,
    by_head: bool = False,
    tiled: bool = False,
    lanes: int = 0,
) -> Check:
    """All rows after chunks of (rows of the program, valid rows). scale: of queries, keys and values.

    kv_heads: 0 for as many as heads; by_head: queries, keys and values are side by side within each head; tiled: by the
    tiled program's kernel, which needs a buffer; lanes: threads of a subgroup for the kernel whose workgroups are
    subgroups, which needs a texture.
    """
    kv_heads, channels = kv_heads or heads, heads * size
    kv = kv_heads * size
    columns, width = _columns(heads, kv_heads, size, by_head=by_head), channels + 2 * kv
    qkv = normal(context, width) * np.float32(scale)
    cache, activations = cache_of(gpu, kind, context, kv), gpu.empty(OFFSET + context * channels)
    operation = Attention(
        "out", channels, "", query=columns[0], key=columns[1], value=columns[2], pattern="pattern", about_pattern="",
        cap=cap, window=window,
    )  # fmt: skip
    store = _store(gpu, operation, width, context, kind)
    errors = Errors()
    first = 0
    for rows, valid in chunks:
        # Rows after the valid ones contain whatever an earlier chunk left there.
        scratch = np.full((rows, width), 9, np.float32)
        scratch[:valid] = qkv[first : first + valid]
        y = gpu.empty(rows * channels)
        shared: dict[str, Resource] = {"state": gpu.state(first_row=first, rows=valid), "cache": cache}
        x = gpu.buffer(scratch)
        stored: dict[str, Resource] = {"key_rows": x, "value_rows": x}
        mixed: dict[str, Resource] = {
            "query_of_rows": x, "params": gpu.params(OFFSET), "y": y, "activations": activations
        }  # fmt: skip
        mix, at_once = _mix(gpu, operation, width, context, kind, rows, tiled=tiled, lanes=lanes)
        gpu.run(
            store.dispatch((-(-kv // 2 // 32), rows, 1), {**shared, **stored}),
            mix.dispatch((heads, -(-rows // at_once), 1), {**shared, **mixed}),
        )
        kept = gpu.read(activations, context, channels, offset=OFFSET)
        errors.same(gpu.read(y, rows, channels)[:valid], kept[first : first + valid], "kept rows")
        first += valid
    expected, _ = reference.attention_of(operation, {"x": qkv[:first].astype(np.float64)})
    errors.close(kept[:first], expected)
    # Float32 has fewer decimal places left for large scores.
    tolerance = KERNEL * max(1.0, (scale / 3) ** 2)
    kernel = "tiled" if tiled else "lanes" if lanes else "rows"
    return errors.check(f"forward/attention_{kernel}", _shape(operation, context, kind), tolerance)


def _shape(operation: Attention, context: int, kind: str) -> str:
    """The sizes as text."""
    shape = f"{operation.heads} heads of {operation.head_size}, {context} rows in a {kind}"
    shape += f", {operation.kv_heads} key-value heads" if operation.kv_heads < operation.heads else ""
    return shape + (f", window {operation.window}" if operation.window else "")


def chunks_of(context: int) -> list[tuple[int, int]]:
    """Chunks of 16, an incomplete one, and a single row at the end."""
    return [(16, 16)] * (context // 16) + [(16, context % 16 - 1), (1, 1)]


def checks(gpu: Gpu) -> Iterator[Check | Skipped]:
    """The checks of this group."""
    for kind in layouts(is_software(gpu.device.adapter)):
        yield attention(gpu, kind, 3, 20, 150, chunks_of(150))  # more keys than threads
        yield attention(gpu, kind, 3, 12, 37, chunks_of(37))
        yield attention(gpu, kind, 1, 256, 37, chunks_of(37))
        yield attention(gpu, kind, 6, 12, 37, chunks_of(37), kv_heads=2, window=7, cap=3.0)
        yield attention(gpu, kind, 3, 12, 37, chunks_of(37), by_head=True)
        yield attention(gpu, kind, 1, 16, 20, [(16, 16), (16, 4)], scale=60.0)  # scores that would overflow
    # Over several tiles of queries and keys; with sizes that are no multiple of what the threads of a query share.
    yield attention(gpu, "buffer", 3, 20, 150, chunks_of(150), tiled=True)
    yield attention(gpu, "buffer", 6, 36, 70, [(64, 50), (32, 20)], kv_heads=2, window=33, cap=3.0, tiled=True)
    yield attention(gpu, "buffer", 2, 64, 37, chunks_of(37), by_head=True, scale=60.0, tiled=True)
    lanes = subgroup_lanes(gpu.kernels)
    if not lanes:
        yield Skipped("forward/attention_lanes", "the size of subgroups is unknown")
        return
    for heads, size, context in ((3, 20, 150), (3, 12, 37), (1, 64, 37), (1, 256, 37)):
        yield attention(gpu, "texture", heads, size, context, chunks_of(context), lanes=lanes)
    yield attention(gpu, "texture", 6, 12, 37, chunks_of(37), kv_heads=2, window=7, cap=3.0, lanes=lanes)
    yield attention(gpu, "texture", 3, 12, 37, chunks_of(37), by_head=True, lanes=lanes)
    yield attention(gpu, "texture", 1, 16, 20, [(16, 16), (16, 4)], scale=60.0, lanes=lanes)
