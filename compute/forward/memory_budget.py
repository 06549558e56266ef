"""GPU memory: what a model needs, what the adapter has, and what would fit instead."""

from __future__ import annotations

import sys
from pathlib import Path

import wgpu

from compute.errors import MemoryBudgetError
from compute.gpu.device import is_software
from compute.gpu.vulkan_memory import device_memory
from compute.models.config import ModelConfig, parameter_shapes

from .activation_buffers import embed_columns, layer_columns

_OTHERS = 64 << 20  # bytes: staging, scratch, atlas, pipelines
_WIDTH = {"f32": 4, "bf16": 2, "f16": 2}  # bytes of a weight


def needed_bytes(config: ModelConfig, *, dtype: str, context: int, trace: bool) -> int:
    """GPU memory of an engine, in bytes: weights, key-value caches and, when traced, every activation."""
    weights = 0
    for name, shape in parameter_shapes(config).items():
        if len(shape) == 1 or name == "wpe":
            weights += 4 * shape[0] * (shape[1] if len(shape) == 2 else 1)
        else:
            weights += _WIDTH[dtype] * shape[0] * shape[1]
    caches = 8 * config.layers * config.channels * context
    columns = sum(embed_columns(config).values()) + config.layers * sum(layer_columns(config).values())
    activations = 4 * context * (columns + config.channels) if trace else 0
    return weights + caches + activations + _OTHERS


def available_bytes(adapter: wgpu.GPUAdapter) -> int | None:
    """Memory that the adapter can use, in bytes; None when nobody can tell.

    Software adapters take the host's free memory (the size that llvmpipe reports, 2 GiB, is no limit: 6 GB were
    allocated); others have their own, all of it counted as free.
    """
    if is_software(adapter):
        return _free_host_bytes()
    if adapter.info["backend_type"] == "Vulkan":
        return device_memory(int(adapter.info["vendor_id"]), int(adapter.info["device_id"]))
    return None


def free_bytes(adapter: wgpu.GPUAdapter, used: int) -> int | None:
    """What is left for views of an engine that takes `used` bytes of GPU memory; None when nobody can tell."""
    available = available_bytes(adapter)
    if available is None or is_software(adapter):  # the host's free memory is without the engine's
        return available
    return max(0, available - used - _OTHERS)


def _free_host_bytes() -> int | None:
    if sys.platform != "linux":
        return None
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def check_budget(
    name: str, config: ModelConfig, *, dtype: str, context: int, trace: bool, available: int | None
) -> None:
    """Raise `MemoryBudgetError` when the model does not fit into `available` bytes, naming what would."""
    needed = needed_bytes(config, dtype=dtype, context=context, trace=trace)
    if available is None or needed <= available:
        return
    ways = []
    for other in ("f16", "bf16"):
        size = needed_bytes(config, dtype=other, context=context, trace=trace)
        if _WIDTH[other] < _WIDTH[dtype] and size <= available:
            ways.append(f"--weights {other} ({_gb(size)})")
    shorter = context // 2
    while shorter >= 16 and needed_bytes(config, dtype=dtype, context=shorter, trace=trace) > available:
        shorter //= 2
    if shorter >= 16:
        size = needed_bytes(config, dtype=dtype, context=shorter, trace=trace)
        ways.append(f"--context {shorter} ({_gb(size)})")
    fits = " or ".join(ways) or "a smaller model, nothing of this one fits"
    raise MemoryBudgetError(
        f"{name} with {dtype} weights and --context {context} needs {_gb(needed)} of GPU memory,"
        f" there are {_gb(available)}: use {fits}"
    )


def check_map_budget(needed: int, free: int | None) -> None:
    """Raise `MemoryBudgetError` when a map that takes `needed` bytes does not fit into `free` bytes."""
    if free is not None and needed > free:
        raise MemoryBudgetError(
            f"the map needs {_gb(needed)} of GPU memory beside the model, there are {_gb(free)}:"
            " use a shorter window (--context) or a smaller model"
        )


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
