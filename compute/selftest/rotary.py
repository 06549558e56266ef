"""Checks of the kernels that only models with RMS norms and rotary positions use."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compute.forward.rotations import FINE, rotation_table
from compute.gpu.kernels import Resource
from compute.models.operations import Heads

from . import reference
from .check import KERNEL, Check, Errors
from .elementwise import Chunk
from .gpu import Gpu
from .matmul import FIRST_ROW, OFFSET
from .models import normal


def rms_norm(gpu: Gpu, columns: int, size: int, rows: int, valid: int, *, offset: float = 0.0, head: bool) -> Check:
    """Rows in groups of `size` columns. head: write the head's input."""
    x, scale = normal(rows, columns) + np.float32(3), normal(size, seed=1)
    chunk, head_input, wanted = Chunk(gpu, columns, rows, valid), gpu.empty(columns), valid // 2
    resources: dict[str, Resource] = {
        **chunk.resources,
        "state": gpu.state(first_row=FIRST_ROW, rows=valid, last_row=FIRST_ROW + wanted),
        "params": gpu.params(OFFSET), "x": gpu.buffer(x), "scale": gpu.buffer(scale),
        **({"head_input": head_input} if head else {}),
    }  # fmt: skip
    kernel = gpu.kernels.get(
        "forward/rms_norm", columns=columns, size=size, epsilon=repr(0.01), offset=repr(offset), trace=True, head=head
    )
    gpu.run(kernel.dispatch((rows, columns // size, 1), resources))
    expected = reference.rms_norm(x.astype(np.float64), scale, 0.01, offset)
    errors = Errors()
    # The norm writes every row of the chunk, the kept ones alone are checked to be the valid ones.
    errors.close(gpu.read(chunk.y, rows, columns), expected, "result")
    chunk.compare_kept(expected[:valid], errors)
    if head:
        errors.close(gpu.read(head_input, columns), expected[wanted], "input of the head")
    return errors.check("forward/rms_norm", f"[{rows}, {columns}] in groups of {size}, offset {offset:g}", KERNEL)


def rope(
    gpu: Gpu, heads: Heads, columns: int, pairs: int, rows: int, valid: int, *, position: int, interleaved: bool
) -> Check:
    """Heads of an activation with `columns` columns, from `position` on."""
    frequencies = tuple(500.0 ** (-pair / pairs) for pair in range(pairs))
    x, chunk = normal(rows, columns), Chunk(gpu, heads.columns, rows, valid)
    kernel = gpu.kernels.get(
        "forward/rope", columns=heads.columns, size=heads.size, pairs=pairs, fine=FINE, interleaved=interleaved,
        source_columns=columns, first=heads.first, step=heads.step, trace=True,
    )  # fmt: skip
    resources: dict[str, Resource] = {
        **chunk.resources,
        "state": gpu.state(first_row=FIRST_ROW, rows=valid, position=position),
        "params": gpu.params(OFFSET), "x": gpu.buffer(x),
        "rotations": gpu.buffer(rotation_table(frequencies, position + FIRST_ROW + rows)),
    }  # fmt: skip
    gpu.run(kernel.dispatch((-(-heads.columns // 64), rows, 1), resources))
    positions = range(position + FIRST_ROW, position + FIRST_ROW + valid)
    of_heads = reference.by_head(x[:valid].astype(np.float64), heads)
    expected = reference.rope(of_heads, frequencies, positions, interleaved=interleaved)
    errors = Errors()
    chunk.compare(expected.reshape(valid, heads.columns), errors)
    shape = f"{heads.heads} heads of {heads.size}, {pairs} pairs{', interleaved' if interleaved else ''}, {position}"
    return errors.check("forward/rope", shape, KERNEL)


def gated(gpu: Gpu, function: str, columns: int, rows: int, valid: int) -> Check:
    """`function` of normal values times others."""
    x, up = normal(rows, columns) * np.float32(3), normal(rows, columns, seed=1)
    chunk = Chunk(gpu, columns, rows, valid)
    resources: dict[str, Resource] = {
        "state": gpu.state(first_row=FIRST_ROW, rows=valid), "params": gpu.params(OFFSET), "x": gpu.buffer(x),
        "up": gpu.buffer(up),
    }  # fmt: skip
    chunk.run(gpu.kernels.get("forward/gated", columns=columns, function=function, trace=True), resources)
    errors = Errors()
    chunk.compare(reference.ACTIVATIONS[function](x[:valid].astype(np.float64)) * up[:valid], errors)
    return errors.check("forward/gated", f"{function} of [{rows}, {columns}]", KERNEL)


def scale(gpu: Gpu, columns: int, rows: int, valid: int) -> Check:
    """Values times a constant."""
    x, factor, chunk = normal(rows, columns), 25.298221, Chunk(gpu, columns, rows, valid)
    resources: dict[str, Resource] = {
        "state": gpu.state(first_row=FIRST_ROW, rows=valid), "params": gpu.params(OFFSET), "x": gpu.buffer(x)
    }  # fmt: skip
    chunk.run(gpu.kernels.get("forward/scale", columns=columns, factor=repr(factor), trace=True), resources)
    errors = Errors()
    chunk.compare(x[:valid].astype(np.float64) * factor, errors)
    return errors.check("forward/scale", f"[{rows}, {columns}]", KERNEL)


def soft_cap(gpu: Gpu, columns: int, rows: int, cap: float) -> Check:
    """Logits up to many times the cap."""
    x = normal(rows, columns) * np.float32(2 * cap)
    x[:, 0], x[:, 1] = 100 * cap, -1e4 * cap
    logits = gpu.buffer(x)
    kernel = gpu.kernels.get("forward/soft_cap", columns=columns, cap=repr(cap))
    gpu.run(kernel.dispatch((-(-columns // 64), rows, 1), {"state": gpu.state(rows=rows), "logits": logits}))
    errors = Errors()
    errors.close(gpu.read(logits, rows, columns), reference.soft_cap(x.astype(np.float64), cap))
    return errors.check("forward/soft_cap", f"[{rows}, {columns}], cap {cap:g}", KERNEL)


def checks(gpu: Gpu) -> Iterator[Check]:
    """The checks of this group."""
    yield rms_norm(gpu, 36, 36, 16, 5, head=True)
    yield rms_norm(gpu, 192, 192, 1, 1, offset=1.0, head=False)
    yield rms_norm(gpu, 36, 12, 16, 5, offset=1.0, head=False)
    yield rope(gpu, Heads("x", 3, 12), 36, 6, 16, 5, position=0, interleaved=False)
    yield rope(gpu, Heads("x", 2, 20, 20, 60), 120, 5, 16, 7, position=700, interleaved=False)
    yield rope(gpu, Heads("x", 3, 12, 4), 44, 4, 16, 16, position=30, interleaved=True)
    for function in ("silu", "gelu", "gelu_exact"):
        yield gated(gpu, function, 36, 16, 5)
    yield scale(gpu, 36, 16, 5)
    yield soft_cap(gpu, 100, 3, 30.0)
