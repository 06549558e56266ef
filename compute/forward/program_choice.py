"""Which programs run a model on its adapter, and how fast they are there."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from compute.errors import UsageError
from compute.gpu.device import adapter_name, is_software
from compute.gpu.loading import Loading
from compute.gpu.subgroups import NO_SUBGROUPS, team_size
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch, poll
from compute.sampling.sampler import Sampler

from .chain_program import ChainProgram
from .decode_program import DecodeProgram
from .fused_program import FusedProgram
from .load_options import LoadOptions
from .model_memory import ModelMemory
from .pass_plan import state_of
from .program import Program
from .rows_program import CHUNK, RowsProgram
from .tiled_program import CHUNK as TILED_CHUNK
from .tiled_program import TiledProgram

_COMPILING = "kernels"  # reported while programs are built, which compiles their shaders
_UNKNOWN = 1e-9  # seconds per unit of cost, where it was not measured


@dataclass(frozen=True)
class ProgramChoice:
    """The programs of an engine, and the seconds that a unit of cost takes in each."""

    path: str  # "chain", "fused" or "rows"
    decode: Program  # one row
    prefill: RowsProgram  # many rows
    decode_seconds: float
    prefill_seconds: float


def choose_programs(memory: ModelMemory, sampler: Sampler, options: LoadOptions) -> Loading[ProgramChoice]:
    """Build the programs that `options` select, and measure them. Raises `UsageError` when they cannot run here."""
    yield _COMPILING, 0.0
    path, decode, prefill = yield from _choose(memory, options.program)
    seconds = []
    for done, program in ((0.6, decode), (0.8, prefill)):
        yield _COMPILING, done
        seconds.append(_measure(memory, sampler, program) if options.measured else _UNKNOWN)
    yield _COMPILING, 1.0
    return ProgramChoice(path, decode, prefill, *seconds)


def _choose(memory: ModelMemory, wanted: str) -> Loading[tuple[str, Program, RowsProgram]]:
    """(name, program for one row, program for many rows)."""
    adapter = memory.device.adapter
    # The decode programs bind a block's matrices whole.
    around = (memory.description.token_table.name, memory.description.head.weight.name)
    split = any(len(storage.shards) > 1 for name, storage in memory.storages.items() if name not in around)
    replaces, tiled = DecodeProgram.replaces(memory.description), False
    if memory.layout == "texture" or split or not replaces:
        if wanted not in ("auto", "rows"):
            why = "software adapters keep weights in textures"
            if memory.layout != "texture":
                why = "a matrix is above its binding limit" if split else "the model's blocks are not GPT-2's"
            raise UsageError(f"--program {wanted}: does not run on {adapter_name(adapter)}: {why}; use --program rows")
        tiled = wanted == "auto" and memory.layout == "buffer" and not split
        wanted = "rows"
    if wanted == "rows":
        rows = memory.program(RowsProgram, 1)
        yield _COMPILING, 0.3
        return "rows", rows, _tiled(memory, NO_SUBGROUPS) if tiled else memory.program(RowsProgram, CHUNK)
    team = team_size(memory.kernels)
    prefill = _tiled(memory, team)
    yield _COMPILING, 0.2
    suits = ChainProgram.suits(memory.device, team[1])
    if wanted == "chain" and not suits:
        raise UsageError(f"--program chain: {adapter_name(adapter)} has no reliable subgroups; use --program fused")
    if wanted == "chain" or (wanted == "auto" and suits and not is_software(adapter)):
        chain = memory.program(ChainProgram, 1, team)
        if wanted == "chain" or _agree(memory, chain, prefill):
            return "chain", chain, prefill
    yield _COMPILING, 0.4
    for candidate in (team, NO_SUBGROUPS):
        fused = memory.program(FusedProgram, 1, candidate)
        if candidate == NO_SUBGROUPS or _agree(memory, fused, prefill):
            break
    return "fused", fused, prefill


def _tiled(memory: ModelMemory, team: tuple[int, bool]) -> RowsProgram:
    return memory.program(TiledProgram, min(TILED_CHUNK, -(-memory.context // CHUNK) * CHUNK), team)


def _agree(memory: ModelMemory, decode: Program, prefill: Program) -> bool:
    """True when both programs compute the same logits from three tokens on this device. Blocks."""
    rows = min(3, memory.context)
    memory.write_history([0, 1, 2])
    runs = []
    for passes in (((prefill, 0, rows),), tuple((decode, row, 1) for row in range(rows))):
        for program, first, count in passes:
            memory.write_state(state_of(0, first, count, first + count - 1, 0, rows, 0))
            _run(memory, [*program.body, *program.head])
        runs.append(memory.read_logits())
    scale = max(1.0, float(np.nanmax(np.abs(runs[0]), initial=0.0)))
    stalled = isinstance(decode, ChainProgram) and decode.stalled()
    return not stalled and bool(np.allclose(runs[0], runs[1], rtol=0, atol=1e-3 * scale, equal_nan=True))


def _measure(memory: ModelMemory, sampler: Sampler, program: Program) -> float:
    """Seconds per unit of cost: passes after a warm-up pass, in which the driver compiles every pipeline. Blocks."""
    rows = min(program.rows, memory.context)
    memory.write_state(state_of(0, 0, rows, rows - 1, 0, 1, 0))
    work = [*program.body, *program.head]
    _timed(memory, [*work, *sampler.dispatches(1)])
    passes, elapsed = 1, _timed(memory, work)
    if elapsed < 0.01:  # a GPU, so fast that submitting takes a share of the time: run several passes at once
        passes = 8
        elapsed = _timed(memory, work * passes)
    return elapsed / passes / program.cost


def _timed(memory: ModelMemory, work: list[Dispatch]) -> float:
    start = time.perf_counter()
    _run(memory, work)
    poll(memory.device, wait=True)
    return time.perf_counter() - start


def _run(memory: ModelMemory, work: list[Dispatch]) -> None:
    encoder = ComputeEncoder(memory.device)
    encoder.run(work)
    encoder.submit()
