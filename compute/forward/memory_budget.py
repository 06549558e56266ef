"""GPU memory: how much a model needs, how much the adapter has, and what fits instead."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import wgpu

from compute.errors import MemoryBudgetError, option
from compute.gpu.device import is_software
from compute.gpu.vulkan_memory import device_memory
from compute.models.description import Description
from compute.weights.weight_types import weight_bytes

from .activation_buffers import kept_columns

_OTHERS = 64 << 20  # bytes: staging, scratch of short chunks, pictures, pipelines
_SHORT_CHUNK, _LONG_CHUNK = 256, 1024  # rows
_SCRATCH_SHARE = 16  # of the free memory, as a divisor: that much may go to the scratch of a long chunk


def needed_bytes(description: Description, *, types: Mapping[str, str], context: int, trace: bool) -> int:
    """GPU memory of an engine in bytes: weights, key-value caches and, when traced, every activation.

    types: of the weights by name.
    """
    weights = 0
    for weight in description.weights.values():
        table = len(weight.shape) == 1 or weight.name in description.position_tables
        weights += weight_bytes(weight, "f32" if table else types[weight.name])
    return weights + context_bytes(description, context=context, trace=trace) + _OTHERS


def context_bytes(description: Description, *, context: int, trace: bool) -> int:
    """GPU memory of a context in bytes: key-value caches and, when traced, every activation."""
    caches = sum(8 * attention.key.columns for attention in description.attention) * context
    columns = sum(sum(section.values()) for section in kept_columns(description))
    return caches + (4 * context * columns if trace else 0)


def chunk_rows(description: Description, context: int, free: int | None) -> int:
    """Rows of the longest chunk of a prompt on a GPU: more than `_SHORT_CHUNK` only where memory is ample.

    free: bytes beside the model, None when it is unknown.
    """
    rows = min(_LONG_CHUNK, -(-context // 16) * 16)
    ample = free is not None and scratch_bytes(description, rows) <= free // _SCRATCH_SHARE
    return rows if ample else min(rows, _SHORT_CHUNK)


def scratch_bytes(description: Description, rows: int) -> int:
    """GPU memory in bytes of the buffers that passes over chunks of up to `rows` rows compute in, at most.

    Blocks follow one another in the same buffers. Those of short chunks are among the others.
    """
    columns = max(sum(section.values()) for section in kept_columns(description))
    return 4 * rows * columns if rows > _SHORT_CHUNK else 0


def available_bytes(adapter: wgpu.GPUAdapter) -> int | None:
    """Memory that the adapter can use, in bytes; None when it is unknown.

    Software adapters use the host's free memory (llvmpipe reports 2 GiB, which is no limit: 6 GB were allocated).
    For other adapters all of their own memory counts as free.
    """
    if is_software(adapter):
        return free_host_bytes()
    if adapter.info["backend_type"] == "Vulkan":
        return device_memory(int(adapter.info["vendor_id"]), int(adapter.info["device_id"]))
    return None


def free_bytes(adapter: wgpu.GPUAdapter, used: int) -> int | None:
    """Memory left for views beside an engine of `used` bytes, in bytes; None when it is unknown."""
    available = available_bytes(adapter)
    if available is None or is_software(adapter):  # the host's free memory already excludes the engine
        return available
    return max(0, available - used - _OTHERS)


def free_host_bytes() -> int | None:
    """Memory that the host can still give, in bytes; None when it is unknown."""
    if sys.platform != "linux":
        return None
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def check_budget(
    name: str,
    description: Description,
    *,
    dtype: str,
    types: Mapping[str, str],
    context: int,
    trace: bool,
    available: int | None,
) -> None:
    """Raise a `MemoryBudgetError` that says what would fit when the model does not fit into `available` bytes.

    dtype: what the types of the weights are called together.
    """
    needed = needed_bytes(description, types=types, context=context, trace=trace)
    if available is None or needed <= available:
        return
    options = []
    for other in ("f16", "bf16"):
        size = needed_bytes(description, types=dict.fromkeys(types, other), context=context, trace=trace)
        if size < needed and size <= available:
            options.append(f"{option('weights', other)} ({_gb(size)})")
    shorter = context // 2
    while shorter >= 16 and needed_bytes(description, types=types, context=shorter, trace=trace) > available:
        shorter //= 2
    if shorter >= 16:
        size = needed_bytes(description, types=types, context=shorter, trace=trace)
        options.append(f"{option('context', shorter)} ({_gb(size)})")
    fits = " or ".join(options) or "a smaller model, since no variant of this one fits"
    raise MemoryBudgetError(
        f"{name} with {dtype} weights and {option('context', context)} needs {_gb(needed)} of GPU memory,"
        f" {_gb(available)} are available: use {fits}"
    )


def check_map_budget(needed: int, free: int | None) -> None:
    """Raise `MemoryBudgetError` when a map of `needed` bytes does not fit into `free` bytes."""
    if free is not None and needed > free:
        raise MemoryBudgetError(
            f"the map needs {_gb(needed)} of GPU memory beside the model, {_gb(free)} are available:"
            f" use a shorter context ({option('context')}) or a smaller model"
        )


def _gb(size: int) -> str:
    """Two decimals of GB; below 0.1 GB, MB."""
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
