"""A forward pass as it is submitted: segments of dispatches, each with the state that it runs with."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from compute.gpu.wgpu_native import Dispatch

ONE_SEQUENCE = 2**32 - 1  # all rows are one sequence
STATE_WORDS = 12  # see wgsl/common/state.wgsl
POSITION_BYTES = 32  # of the state: everything before the fields that draws write


@dataclass(frozen=True)
class Segment:
    """Part of a pass that runs with one state. `state` is None when the previous draw has already written it."""

    state: bytes | None
    dispatches: Sequence[Dispatch]
    cost: float  # of all dispatches
    seconds: float  # predicted GPU time


@dataclass(frozen=True)
class Pass:
    """A forward pass and the draw after it."""

    segments: tuple[Segment, ...]
    context_start: int  # index in the text of the first context token
    rows: int
    first_position: int
    cached: bool  # continues the previous pass: only the newest row is computed


def state_of(
    context_start: int,
    first: int,
    rows: int,
    last_row: int,
    position: int,
    total: int,
    step: int,
    *,
    sequence: int = ONE_SEQUENCE,
) -> bytes:
    """The state as in wgsl/common/state.wgsl."""
    fields = (context_start, first, rows, last_row, position, total, step, sequence)
    return struct.pack(f"<{STATE_WORDS}I", *fields, *[0] * (STATE_WORDS - len(fields)))
