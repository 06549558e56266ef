"""The values that kernels of attention are made for: sizes, the score, and where heads are."""

from __future__ import annotations

import wgpu

from compute.models.description import Description
from compute.models.operations import Attention, Heads

_BESIDES = 6144  # bytes of workgroup memory that kernels of attention use besides the scores


def longest_context(device: wgpu.GPUDevice) -> int:
    """The most keys whose scores fit into the memory of a workgroup."""
    return (int(device.limits["max-compute-workgroup-storage-size"]) - _BESIDES) // 4


def attention_values(attention: Attention, threads: int = 64) -> dict[str, int | str]:
    """Heads and their size, what makes a score of query times key, and threads per query."""
    return {
        "threads": threads,
        "heads": attention.heads,
        "kv_heads": attention.kv_heads,
        "head_size": attention.head_size,
        "scale": repr(attention.score_scale),
        "cap": repr(attention.cap) if attention.cap else "",
        "window": attention.window,
    }


def rows_per_group(device: wgpu.GPUDevice, attention: Attention, context: int, rows: int) -> int:
    """How many of `rows` rows a workgroup of forward/attention_lanes computes: their scores must fit into its memory.

    With 2 rows, their sums still fit into a processor's registers.
    """
    keys = min(attention.window or context, context)
    return 2 if rows % 2 == 0 and 8 * keys <= int(device.limits["max-compute-workgroup-storage-size"]) else 1


def heads_values(name: str, heads: Heads, columns: int) -> dict[str, int | str]:
    """Where the heads are in the rows of their activation, which has `columns` columns; see wgsl/common/heads.wgsl."""
    return {f"{name}_columns": columns, f"{name}_first": heads.first, f"{name}_step": heads.step}


def source_columns(description: Description, heads: Heads) -> int:
    """Columns of the activation that the heads are part of."""
    return description.outputs[heads.source].columns
