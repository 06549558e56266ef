"""Checks of attention in chunks: storing keys and values in the cache, and attention over the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import wgpu

from compute.forward.attention_kernels import attention_values, heads_values
from compute.gpu.device import is_software
from compute.gpu.kernels import Kernel, Resource
from compute.models.operations import Attention, Heads

from . import reference
from .check import KERNEL, Check, Errors
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


def _kernels(
    gpu: Gpu, operation: Attention, width: int, context: int, kind: str, *, tiled: bool
) -> tuple[Kernel, Kernel]:
    """Those that store keys and values, and that compute attention."""
    query = heads_values("query", operation.query, width)
    key, value = heads_values("key", operation.key, width), heads_values("value", operation.value, width)
    store = gpu.kernels.get(
        "forward/kv_store", kv_heads=operation.kv_heads, head_size=operation.head_size, context=context, storage=kind,
        **key, **value,
    )  # fmt: skip
    values: dict[str, int | str] = {**attention_values(operation), **query, "context": context}
    if tiled:
        return store, gpu.kernels.get("forward/attention_tiled", **values, trace=True)
    mix = gpu.kernels.get("forward/attention_rows", **values, storage=kind, trace=True, scores=False, pattern=False)
    return store, mix


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
) -> Check:
    """All rows after chunks of (rows of the program, valid rows). scale: of queries, keys and values.

    kv_heads: 0 for as many as heads; by_head: queries, keys and values are side by side within each head; tiled: by the
    tiled program's kernel, which needs a buffer.
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
    store, mix = _kernels(gpu, operation, width, context, kind, tiled=tiled)
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
        gpu.run(
            store.dispatch((-(-kv // 2 // 32), rows, 1), {**shared, **stored}),
            mix.dispatch((heads, -(-rows // 16) if tiled else rows, 1), {**shared, **mixed}),
        )
        kept = gpu.read(activations, context, channels, offset=OFFSET)
        errors.same(gpu.read(y, rows, channels)[:valid], kept[first : first + valid], "kept rows")
        first += valid
    expected, _ = reference.attention_of(operation, {"x": qkv[:first].astype(np.float64)})
    errors.close(kept[:first], expected)
    # Float32 has fewer decimal places left for large scores.
    tolerance = KERNEL * max(1.0, (scale / 3) ** 2)
    shape = f"{heads} heads of {size}, {context} rows in a {kind}"
    shape += f", {kv_heads} key-value heads" if kv_heads < heads else ""
    shape += f", window {window}" if window else ""
    return errors.check("forward/attention_tiled" if tiled else "forward/attention_rows", shape, tolerance)


def chunks_of(context: int) -> list[tuple[int, int]]:
    """Chunks of 16, an incomplete one, and a single row at the end."""
    return [(16, 16)] * (context // 16) + [(16, context % 16 - 1), (1, 1)]


def checks(gpu: Gpu) -> Iterator[Check]:
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
