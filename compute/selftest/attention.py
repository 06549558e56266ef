"""Checks of attention in chunks: storing keys and values in the cache, and attention over the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import wgpu

from compute.gpu.device import is_software
from compute.gpu.kernels import Resource

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


def attention(
    gpu: Gpu, kind: str, heads: int, size: int, context: int, chunks: Sequence[tuple[int, int]], *, scale: float = 2.0
) -> Check:
    """All rows after chunks of (rows of the program, valid rows). scale: of queries, keys and values."""
    channels = heads * size
    qkv = normal(context, 3 * channels) * np.float32(scale)
    cache, activations = cache_of(gpu, kind, context, channels), gpu.empty(OFFSET + context * channels)
    store = gpu.kernels.get("forward/kv_store", channels=channels, head_size=size, context=context, storage=kind)
    mix = gpu.kernels.get(
        "forward/attention_rows", channels=channels, head_size=size, scale=repr(float(1 / np.sqrt(size))),
        context=context, storage=kind, trace=True, scores=False, pattern=False,
    )  # fmt: skip
    errors = Errors()
    first = 0
    for rows, valid in chunks:
        # Rows after the valid ones contain whatever an earlier chunk left there.
        scratch = np.full((rows, 3 * channels), 9, np.float32)
        scratch[:valid] = qkv[first : first + valid]
        y = gpu.empty(rows * channels)
        shared: dict[str, Resource] = {
            "state": gpu.state(first_row=first, rows=valid), "qkv": gpu.buffer(scratch), "cache": cache
        }  # fmt: skip
        gpu.run(
            store.dispatch((-(-channels // 2 // 32), rows, 1), shared),
            mix.dispatch(
                (heads, rows, 1), {**shared, "params": gpu.params(OFFSET), "y": y, "activations": activations}
            ),
        )
        kept = gpu.read(activations, context, channels, offset=OFFSET)
        errors.same(gpu.read(y, rows, channels)[:valid], kept[first : first + valid], "kept rows")
        first += valid
    expected, _ = reference.attention(qkv[:first].astype(np.float64), heads)
    errors.close(kept[:first], expected)
    # Float32 has fewer decimal places left for large scores.
    tolerance = KERNEL * max(1.0, (scale / 3) ** 2)
    return errors.check("forward/attention_rows", f"{heads} heads of {size}, {context} rows in a {kind}", tolerance)


def chunks_of(context: int) -> list[tuple[int, int]]:
    """Chunks of 16, an incomplete one, and a single row at the end."""
    return [(16, 16)] * (context // 16) + [(16, context % 16 - 1), (1, 1)]


def checks(gpu: Gpu) -> Iterator[Check]:
    """The checks of this group."""
    for kind in layouts(is_software(gpu.device.adapter)):
        yield attention(gpu, kind, 3, 20, 150, chunks_of(150))  # more keys than threads
        yield attention(gpu, kind, 3, 12, 37, chunks_of(37))
        yield attention(gpu, kind, 1, 256, 37, chunks_of(37))
        yield attention(gpu, kind, 1, 16, 20, [(16, 16), (16, 4)], scale=60.0)  # scores that would overflow
