"""Checks of the layer norm, the head's input and the embedding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from compute.gpu.device import is_software
from compute.gpu.kernels import Resource
from compute.weights.dtypes import DTYPES

from . import reference
from .check import KERNEL, Check, Errors
from .gpu import UNTOUCHED, Gpu, bound
from .matmul import FIRST_ROW, OFFSET
from .models import layouts, normal


def layer_norm(
    gpu: Gpu,
    channels: int,
    rows: int,
    valid: int,
    *,
    head: bool = False,
    offset: float = 3.0,
    shifted: bool = True,
    epsilon: float = reference.EPSILON,
) -> Check:
    """A chunk of `rows` rows, `valid` of them in use.

    head: write the head's input; offset: mean of the first row; shifted: add a shift.
    """
    x = normal(rows, channels)
    x[0] += offset
    x[-1] *= 1e3 if rows > 1 else 1
    scale, shift = normal(channels, seed=1), normal(channels, seed=2) if shifted else None
    wanted = valid // 2
    y, activations = gpu.empty(rows * channels), gpu.empty(OFFSET + (FIRST_ROW + rows) * channels)
    head_input = gpu.empty(channels)
    resources: dict[str, Resource] = {
        "state": gpu.state(first_row=FIRST_ROW, rows=valid, last_row=FIRST_ROW + wanted),
        "params": gpu.params(OFFSET),
        "x": gpu.buffer(x), "scale": gpu.buffer(scale), "y": y, "activations": activations,
    }  # fmt: skip
    if head:
        resources["head_input"] = head_input
    if shift is not None:
        resources["shift"] = gpu.buffer(shift)
    kernel = gpu.kernels.get(
        "forward/layer_norm", channels=channels, epsilon=repr(epsilon), shift=shifted, trace=True, head=head
    )
    gpu.run(kernel.dispatch((rows, 1, 1), resources))
    expected = reference.layer_norm(x.astype(np.float64), scale, shift, epsilon)
    errors = Errors()
    errors.close(gpu.read(y, rows, channels)[:valid], expected[:valid], "result")
    kept = gpu.read(activations, FIRST_ROW + rows, channels, offset=OFFSET)
    errors.close(kept[FIRST_ROW : FIRST_ROW + valid], expected[:valid], "kept result")
    others = np.concatenate([kept[:FIRST_ROW], kept[FIRST_ROW + valid :]])
    errors.same(bool((others == UNTOUCHED).all()), True, "memory of other rows")
    if head:
        errors.close(gpu.read(head_input, channels), expected[wanted], "input of the head")
    # Float32 has fewer digits left for values near a large mean.
    shape = f"[{rows}, {channels}]" if shifted else f"[{rows}, {channels}] without a shift"
    return errors.check("forward/layer_norm", shape, KERNEL * max(1.0, abs(offset)))


def head_row(gpu: Gpu, columns: int, rows: int, valid: int, wanted: int) -> Check:
    """The row `wanted` of a chunk of `rows` rows, `valid` of them in use; nothing for a row outside the chunk."""
    x, head_input = normal(rows, columns), gpu.empty(columns)
    resources: dict[str, Resource] = {
        "state": gpu.state(first_row=FIRST_ROW, rows=valid, last_row=FIRST_ROW + wanted),
        "x": gpu.buffer(x),
        "head_input": head_input,
    }
    gpu.run(gpu.kernels.get("forward/head_row", columns=columns).dispatch((-(-columns // 64), 1, 1), resources))
    expected = x[wanted] if 0 <= wanted < valid else np.full(columns, UNTOUCHED)
    errors = Errors()
    errors.close(gpu.read(head_input, columns), expected, "input of the head")
    return errors.check("forward/head_row", f"row {wanted} of {valid} of {rows}, {columns} columns", 0.0)


def embed(
    gpu: Gpu, channels: int, rows: int, valid: int, kind: str, dtype: str, shards: Sequence[int] = (7, 16)
) -> Check:
    """Tokens from the start of the context, at positions from 1 on. A matrix in buffers has several shards."""
    start, position = (2, 1) if rows > 1 else (0, 0)
    storage, wte = gpu.weight(normal(23, channels), kind, dtype, shards=shards if kind == "buffer" else ())
    wpe = normal(20, channels, seed=1)
    history = np.array([(5 * i + 3) % 23 for i in range(40)])
    kernel = gpu.kernels.get(
        "forward/embed",
        channels=channels,
        storage=kind,
        dtype=dtype,
        tile=storage.tile,
        trace=True,
        edited="",
        clears=False,
    )
    size = (FIRST_ROW + rows) * channels
    resid, activations = gpu.empty(rows * channels), gpu.empty(OFFSET + 3 * size)
    state = gpu.state(context_start=start, first_row=FIRST_ROW, rows=valid, position=position)
    for shard in storage.shards:
        resources: dict[str, Resource] = {
            "state": state, "history": gpu.buffer(history), "weight": bound(shard), "position_table": gpu.buffer(wpe),
            "params": gpu.params(shard.first_row, shard.rows, 20, OFFSET, OFFSET + size, OFFSET + 2 * size),
            "resid": resid, "activations": activations,
        }  # fmt: skip
        gpu.run(kernel.dispatch((-(-channels // 4 // 32), rows, 1), resources))
    tokens = history[start + FIRST_ROW : start + FIRST_ROW + valid].tolist()
    positions = range(position + FIRST_ROW, position + FIRST_ROW + valid)
    of_tokens, of_positions = reference.gather(wte, tokens), reference.gather(wpe.astype(np.float64), positions)
    expected = (of_tokens, of_positions, reference.add(of_tokens, of_positions))
    errors = Errors()
    found = gpu.read(resid, rows, channels)
    errors.close(found[:valid], expected[2], "result")
    errors.same(bool((found[valid:] == UNTOUCHED).all()), True, "unused rows")
    kept = gpu.read(activations, 3, FIRST_ROW + rows, channels, offset=OFFSET)
    for actual, wanted, what in zip(kept, expected, ("tokens", "positions", "sum"), strict=True):
        errors.close(actual[FIRST_ROW : FIRST_ROW + valid], wanted, f"kept {what}")
        others = np.concatenate([actual[:FIRST_ROW], actual[FIRST_ROW + valid :]])
        errors.same(bool((others == UNTOUCHED).all()), True, "memory of other rows")
    return errors.check("forward/embed", f"[{rows}, {channels}] of [23, {channels}] {dtype} in a {kind}", 1e-6)


def checks(gpu: Gpu) -> Iterator[Check]:
    """The checks of this group."""
    for channels, rows, valid in ((4, 1, 1), (36, 16, 5), (100, 1, 1), (192, 16, 16)):
        yield layer_norm(gpu, channels, rows, valid, head=channels != 100)
    yield layer_norm(gpu, 36, 16, 5, shifted=False, epsilon=0.01)
    for columns, rows, valid, wanted in ((4, 1, 1, 0), (36, 16, 5, 4), (100, 16, 5, 5), (36, 16, 16, -1)):
        yield head_row(gpu, columns, rows, valid, wanted)
    for kind in layouts(is_software(gpu.device.adapter)):
        for dtype in DTYPES:
            yield embed(gpu, 20, 16, 5, kind, dtype)
        yield embed(gpu, 100, 1, 1, kind, "bf16")
