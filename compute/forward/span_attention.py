"""Attention of one token over spans of keys, which the product that reads it merges."""

from __future__ import annotations

from dataclasses import dataclass

import wgpu

from compute.models.operations import Attention

from .attention_kernels import attention_values

BLOCK = 64  # keys that a workgroup reads at once; a span is some of them
MOST_SPANS = 64  # of the longest context: every workgroup of the product reads them all
THREADS = 256  # per workgroup, a multiple of BLOCK
_SUMS = 8192  # bytes of workgroup memory in which values are summed


@dataclass(frozen=True)
class Spans:
    """How attention over up to `context` keys is divided into spans."""

    attention: Attention
    context: int

    @property
    def most(self) -> int:
        """The most spans."""
        keys = min(self.attention.window or self.context, self.context)
        return min(MOST_SPANS, -(-keys // BLOCK))

    @property
    def heads_at_once(self) -> int:
        """Heads whose values are summed in workgroup memory at once."""
        return max(1, min(self.attention.group, _SUMS // (16 * THREADS)))

    @property
    def division(self) -> dict[str, int | str]:
        """The values of wgsl/decode/common/spans.wgsl."""
        return {"block": BLOCK, "most_spans": self.most, "window": self.attention.window}

    @property
    def values(self) -> dict[str, int | str]:
        """The values of wgsl/decode/attention_spans.wgsl, except for where queries are."""
        return {
            **attention_values(self.attention, THREADS), **self.division, "context": self.context,
            "sum_heads": self.heads_at_once,
        }  # fmt: skip

    def fit(self, device: wgpu.GPUDevice) -> bool:
        """True when the kernel has enough threads and memory for these heads."""
        attention, quads = self.attention, self.attention.head_size // 4
        scores = (THREADS // BLOCK + 2) * BLOCK * attention.group + 9 * attention.group
        needed = 16 * quads * attention.group + 4 * scores + 16 * THREADS * self.heads_at_once
        return quads <= THREADS and needed <= int(device.limits["max-compute-workgroup-storage-size"])
