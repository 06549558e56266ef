"""The programs for GPUs: tiled prefill, and the fastest decode program that computes the same."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from compute.errors import UsageError, option
from compute.gpu.device import adapter_name, is_software
from compute.gpu.loading import Loading
from compute.gpu.subgroups import NO_SUBGROUPS, team_size

from .chain_program import ChainProgram
from .fused_program import FusedProgram
from .model_memory import ModelMemory
from .pass_plan import state_of
from .program import Program
from .rows_program import RowsProgram
from .team_program import TeamProgram
from .tiled_program import CHUNKS, TiledProgram

Found: TypeAlias = "tuple[str, Program, tuple[RowsProgram, ...]]"


def choose_gpu_programs(memory: ModelMemory, wanted: str, stage: str) -> Loading[Found]:
    """(name, program for one row, programs for many rows). wanted: "auto", "chain" or "fused"; stage: to report.

    Raises `UsageError` when the wanted program cannot run on this adapter.
    """
    adapter = memory.device.adapter
    team = team_size(memory.kernels)
    prefill = _prefill(memory, team)
    yield stage, 0.2
    suits = ChainProgram.suits(memory.device, team[1])
    if wanted == "chain" and not suits:
        raise UsageError(
            f"{option('program', 'chain')}: {adapter_name(adapter)} has no reliable subgroups;"
            f" use {option('program', 'fused')}"
        )
    fits = ChainProgram.fits(memory.device, memory.config, memory.context)
    if wanted == "chain" and not fits:
        raise UsageError(
            f"{option('program', 'chain')}: {adapter_name(adapter)} has too little workgroup memory for this model;"
            f" use {option('program', 'fused')}"
        )
    suits = suits and fits
    if wanted == "chain" or (wanted == "auto" and suits and not is_software(adapter)):
        chain = memory.program(ChainProgram, 1, team)
        if wanted == "chain" or _agree(memory, chain, prefill[-1]):
            return "chain", chain, prefill
    yield stage, 0.4
    for candidate in (team, NO_SUBGROUPS):
        fused = memory.program(FusedProgram, 1, candidate)
        if candidate == NO_SUBGROUPS or _agree(memory, fused, prefill[-1]):
            break
    return "fused", fused, prefill


def choose_team_programs(memory: ModelMemory, stage: str) -> Loading[Found]:
    """As `choose_gpu_programs`, for descriptions that the fused and chain programs do not match."""
    team = team_size(memory.kernels)
    prefill = _prefill(memory, team)
    yield stage, 0.2
    for candidate in dict.fromkeys((team, NO_SUBGROUPS)):
        decode = memory.program(TeamProgram, 1, candidate)
        if _agree(memory, decode, prefill[-1]):
            return "fused", decode, prefill
        yield stage, 0.4
    return "rows", memory.program(RowsProgram, 1), prefill


def _prefill(memory: ModelMemory, team: tuple[int, bool]) -> tuple[RowsProgram, ...]:
    """For short prompts, which are divided differently, and for long ones."""
    sizes = sorted({min(rows, memory.chunk) for rows in CHUNKS})
    return tuple(memory.program(TiledProgram, rows, team) for rows in sizes)


def _agree(memory: ModelMemory, decode: Program, prefill: Program) -> bool:
    """True when both programs compute the same logits from three tokens on this device. Blocks."""
    rows = min(3, memory.context)
    memory.write_history([0, 1, 2])
    runs = []
    for passes in (((prefill, 0, rows),), tuple((decode, row, 1) for row in range(rows))):
        for program, first, count in passes:
            memory.write_state(state_of(0, first, count, first + count - 1, 0, rows, 0))
            memory.run([*program.body, *program.head])
        runs.append(memory.read_logits())
    scale = max(1.0, float(np.nanmax(np.abs(runs[0]), initial=0.0)))
    stalled = isinstance(decode, ChainProgram) and decode.stalled()
    return not stalled and bool(np.allclose(runs[0], runs[1], rtol=0, atol=1e-3 * scale, equal_nan=True))
