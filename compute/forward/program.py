"""The base of all programs: buffers, the parameters of dispatches, the embedding, and the head for GPUs."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import wgpu

from compute.gpu.kernels import Kernels, Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.description import Description
from compute.models.operations import Add, Gather
from compute.models.registry import Shard, TensorStorage

from .activation_buffers import ActivationBlock, Activations
from .edit_points import NOWHERE, EditPoints
from .program_buffers import ProgramBuffers

THREADS = 128  # per workgroup of the decode kernels
_HEAD_ROUNDS = 8  # per workgroup of the head, which computes the layer norm once for all rounds
_HEAD_ROWS = 2  # per team and round
_CLEARED = 16  # words per thread
_PARAMS_SLOT = 256  # bytes: the largest uniform offset alignment


class Program(ABC):
    """Dispatches that run the model over up to `rows` rows: `body` all blocks, `head` the logits of the last row."""

    # A buffer whose first word becomes nonzero when a pass has stalled; None for programs that cannot stall.
    stall_flag: wgpu.GPUBuffer | None = None

    def __init__(
        self,
        kernels: Kernels,
        description: Description,
        storages: dict[str, TensorStorage],
        shared: ProgramBuffers,
        activations: Activations | None,
        context: int,
        rows: int,
        team: tuple[int, bool],
        points: EditPoints | None = None,
    ) -> None:
        """Build the dispatches.

        activations: buffers for every activation, None to keep none; context: in tokens; team: see
        `subgroups.team_size`; points: the tensors to edit, None for a program without edits.
        """
        self.rows = rows
        self.team = self._team = team
        self._kernels = kernels
        self._device = kernels.device
        self._description, self._config = description, description.config
        self._storages = storages
        self._shared = shared
        self._blocks = activations.blocks if activations else None
        self._context = context
        self._points = points
        self._params: list[np.ndarray] = []
        # Matrices may be bound shard by shard and rows in parts: more slots than operations.
        self._slots = 64 * len(description.sections)
        self._params_buffer = self._buffer("params", self._slots * _PARAMS_SLOT // 4, wgpu.BufferUsage.UNIFORM)
        self.body, self.head = self._build()
        self._write_params()

    @abstractmethod
    def _build(self) -> tuple[list[Dispatch], list[Dispatch]]:
        """Create the scratch buffers and return body and head."""

    @property
    def cost(self) -> float:
        """Total cost of body and head."""
        return sum(dispatch.cost for dispatch in (*self.body, *self.head))

    def _buffer(self, label: str, elements: int, usage: int = 0) -> wgpu.GPUBuffer:
        usage |= wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC
        return self._device.create_buffer(label=label, size=4 * elements, usage=usage)

    def _scratch(self, label: str, columns: int) -> wgpu.GPUBuffer:
        return self._buffer(label, self.rows * columns, wgpu.BufferUsage.UNIFORM)

    def _slot(self, *values: int) -> tuple[wgpu.GPUBuffer, int, int]:
        """A range of the uniform buffer that contains `values` as u32."""
        index = len(self._params)
        if index == self._slots:
            raise ValueError("more dispatches than parameter slots")
        slot = np.zeros(_PARAMS_SLOT // 4, np.uint32)
        slot[: len(values)] = values
        self._params.append(slot)
        return (self._params_buffer, index * _PARAMS_SLOT, 64)

    def _write_params(self) -> None:
        """Copy all parameters to the GPU, for dispatches that are submitted from now on."""
        self._device.queue.write_buffer(self._params_buffer, 0, np.concatenate(self._params).tobytes())

    def _activation_binding(self, block: ActivationBlock | None) -> dict[str, Resource]:
        return {} if block is None else {"activations": block.binding}

    def _vector(self, name: str) -> Resource:
        """A one-dimensional parameter."""
        return resource(self._storages[name].shards[0])

    def _cache_kind(self, layer: int) -> str:
        return "texture" if isinstance(self._shared.caches[layer], wgpu.GPUTexture) else "buffer"

    def _block(self, section: int) -> ActivationBlock | None:
        """Where the activations of the description's section of that index are kept, if they are."""
        return self._blocks[section] if self._blocks else None

    def _offset(self, section: int, name: str) -> int:
        """Where the activation `name` of a section begins in its block, in elements; 0 when it is not kept."""
        return self._blocks[section].offsets[name] if self._blocks else 0

    def _edit(self, slot: str, y: Resource, columns: int, *, section: int | None, head: bool = False) -> list[Dispatch]:
        """The edits of the tensor that was just written to `y`; nothing when it has none.

        section: index of the section whose activation it is, None for logits. head: `y` is the row of logits alone.
        """
        if self._points is None or slot not in self._points.slots:
            return []
        block = None if section is None else self._block(section)
        kernel = self._kernels.get("edit/apply", columns=columns, trace=block is not None, head=head)
        offset = block.offsets[slot] if block else 0
        bound: dict[str, Resource] = {
            "state": self._shared.state,
            "params": self._slot(self._points.index(slot), offset),
            "y": y,
            **self._points.edits.bindings,
            **self._activation_binding(block),
        }
        rows = 1 if head else self.rows
        groups = (-(-columns // 64), rows, 1)
        return [kernel.dispatch(groups, bound, cost=4 * rows * columns, label=f"edits of {slot}")]

    def _edited_parts(self, **tensors: str) -> tuple[str, list[int], dict[str, Resource]]:
        """For a kernel that edits what it computes: the edited parts, the points of all parts, and bindings.

        tensors: the slot of each part, by the name that the kernel has for it.
        """
        points = self._points
        if points is None or not any(slot in points.slots for slot in tensors.values()):
            return "", [NOWHERE] * len(tensors), {}
        parts = " ".join(part for part, slot in tensors.items() if slot in points.slots)
        return parts, [points.index(slot) for slot in tensors.values()], points.edits.bindings

    def _embed(
        self,
        operations: tuple[Gather, Gather, Add],
        resid: Resource,
        *,
        edits: bool = False,
        cleared: wgpu.GPUBuffer | None = None,
    ) -> list[Dispatch]:
        """Rows of the tokens, rows of their positions, and their sum, which goes to `resid`.

        edits: edit all three here; otherwise the caller edits the sum, and nothing edits the others. cleared: a buffer
        that is filled with zeros as well.
        """
        tokens, positions, total = operations
        outputs = {"tokens": tokens.output, "positions": positions.output, "sum": total.output} if edits else {}
        edited, points, bindings = self._edited_parts(**outputs)
        storage, block = self._storages[tokens.table.name], self._block(0)
        kernel = self._kernels.get(
            "forward/embed", channels=total.columns, storage=storage.kind, dtype=storage.dtype, tile=storage.tile,
            trace=block is not None, edited=edited, clears=cleared is not None,
        )  # fmt: skip
        groups = -(-total.columns // 128)
        if cleared is not None:
            groups = max(groups, -(-cleared.size // (4 * 32 * _CLEARED)))
        offsets = [self._offset(0, operation.output) for operation in operations]
        return [
            kernel.dispatch(
                (groups, self.rows, 1),
                {
                    "state": self._shared.state,
                    "params": self._slot(shard.first_row, shard.rows, positions.table.shape[0], *offsets, *points),
                    "history": self._shared.history,
                    "weight": resource(shard),
                    "position_table": self._vector(positions.table.name),
                    "resid": resid,
                    **({} if cleared is None else {"cleared": cleared}),
                    **self._activation_binding(block),
                    **bindings,
                },
                cost=self.rows * total.columns,
                label=total.output,
            )
            for shard in storage.shards
        ]

    def _gpu_head(self, resid: Resource, *, normed: bool) -> list[Dispatch]:
        """Logits of the row in `resid`; normed: after the final norm, which is computed here.

        Needs the head's matrix in buffers, and a head without a bias.
        With `normed` the norm and the logits are edited here; otherwise the caller edits the logits.
        """
        head, norm, last = self._description.head, self._description.final_norm, len(self._description.sections) - 1
        storage, inputs = self._storages[head.weight.name], head.weight.shape[1]
        lanes, subgroups = self._team
        block = self._block(last) if normed else None
        outputs = {"norm": norm.output if norm else "", "mixed": "", "value": head.output, "after": ""}
        edited, points, bindings = self._edited_parts(**(outputs if normed else {}))
        kernel = self._kernels.get(
            "decode/head", inputs=inputs, dtype=storage.dtype, lanes=lanes, subgroups=subgroups,
            team_rows=_HEAD_ROWS, threads=THREADS, trace=block is not None, rounds=_HEAD_ROUNDS,
            normed=normed, edited=edited,
        )  # fmt: skip
        run = []
        for shard in storage.shards:
            bound: dict[str, Resource] = {
                "state": self._shared.state,
                "params": self._slot(
                    self._offset(last, norm.output) if block and norm else 0, shard.first_row, shard.rows, *points
                ),
                "weight": resource(shard),
                "logits": self._shared.logits,
                "resid": resid,
                **self._activation_binding(block),
                **bindings,
            }
            if normed:
                assert norm is not None
                assert norm.shift is not None
                bound |= {"scale": self._vector(norm.scale.name), "shift": self._vector(norm.shift.name)}
            groups = (-(-shard.rows // (THREADS // lanes * _HEAD_ROWS * _HEAD_ROUNDS)), 1, 1)
            run.append(kernel.dispatch(groups, bound, cost=inputs * shard.rows, label=head.output))
        return run


def resource(shard: Shard) -> Resource:
    """A shard as a binding."""
    if isinstance(shard.resource, wgpu.GPUBuffer):
        return (shard.resource, shard.offset, shard.size)
    return shard.resource
