"""GPU buffers that keep every activation of the context, one block of tensors per layer.

Kernels compute in small scratch buffers. When traced, they also store a copy here: tracing only adds stores.
"""

from __future__ import annotations

from dataclasses import dataclass

import wgpu

from compute.errors import MemoryBudgetError, option
from compute.models.description import Description
from compute.models.registry import Shard

_ALIGNMENT = 64  # elements, 256 bytes: the largest offset alignment that WebGPU allows


def kept_columns(description: Description) -> list[dict[str, int]]:
    """Columns of every activation with memory of its own, by name, in a dictionary per section."""
    return [{op.output: op.columns for op in section.computed()} for section in description.sections]


@dataclass(frozen=True)
class ActivationBlock:
    """A range of an arena that can be bound, with the element offset of each of its tensors."""

    arena: int
    buffer: wgpu.GPUBuffer
    offset: int  # bytes
    size: int  # bytes
    offsets: dict[str, int]  # elements from the start of the range

    @property
    def binding(self) -> tuple[wgpu.GPUBuffer, int, int]:
        """The range as a binding."""
        return (self.buffer, self.offset, self.size)


class Activations:
    """Activations of one context, in a block per section of the description.

    Blocks are packed into as few buffers ("arenas") as the binding limit allows, so that a view of all activations
    needs few dispatches.
    """

    def __init__(self, device: wgpu.GPUDevice, description: Description, context: int) -> None:
        groups = kept_columns(description)
        self.context = context
        limit = min(device.limits["max-storage-buffer-binding-size"], 1 << 30)
        plans: list[list[tuple[dict[str, int], int]]] = [[]]
        used = 0
        for group in groups:
            offsets: dict[str, int] = {}
            size = 0
            for name, columns in group.items():
                offsets[name] = size
                size += -(-columns * context // _ALIGNMENT) * _ALIGNMENT
            if size * 4 > limit:
                fit = int(context * limit / (size * 4))
                raise MemoryBudgetError(
                    f"a context of {context} tokens needs {size * 4 / 1e6:.0f} MB of activations in one binding,"
                    f" this adapter allows {limit / 1e6:.0f} MB: use {option('context', fit)} or less"
                )
            if used + size * 4 > limit:
                plans.append([])
                used = 0
            plans[-1].append((offsets, size))
            used += size * 4
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
        self.arenas: list[wgpu.GPUBuffer] = []
        self.blocks: list[ActivationBlock] = []
        for arena, plan in enumerate(plans):
            buffer = device.create_buffer(
                label=f"activations {arena}", size=4 * sum(size for _, size in plan), usage=usage
            )
            self.arenas.append(buffer)
            start = 0
            for offsets, size in plan:
                self.blocks.append(ActivationBlock(arena, buffer, start * 4, size * 4, offsets))
                start += size

    def shard(self, name: str, columns: int) -> Shard:
        """The location of the activation `name`, which has `columns` columns."""
        block = next(block for block in self.blocks if name in block.offsets)
        offset = block.offset + 4 * block.offsets[name]
        return Shard(block.buffer, offset, 4 * columns * self.context, 0, self.context)

    @property
    def nbytes(self) -> int:
        """GPU memory of all arenas, in bytes."""
        return sum(buffer.size for buffer in self.arenas)
