"""Which programs run a model on its adapter, and how fast they are there."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from compute.errors import UsageError, option
from compute.gpu.device import adapter_name
from compute.gpu.loading import Loading
from compute.gpu.wgpu_native import Dispatch, poll
from compute.sampling.sampler import Sampler
from compute.weights.block_types import BLOCK_TYPES

from .load_options import LoadOptions
from .model_memory import ModelMemory
from .pass_plan import state_of
from .program import Program
from .rows_program import CHUNK, RowsProgram

_COMPILING = "kernels"  # reported while programs are built, which compiles their shaders
_OTHER_BLOCKS = "the model's blocks are not GPT-2's"
_QUANTIZED = "the model's weights are quantized"
_ALWAYS = 256  # rows of the longest chunk that runs however few of its rows are in use
_UNKNOWN = 1e-9  # seconds per unit of cost, where it was not measured


@dataclass(frozen=True)
class ProgramChoice:
    """The programs of an engine, and the seconds that a unit of cost takes in each."""

    path: str  # "chain", "fused" or "rows"
    decode: Program  # one row
    prefill: tuple[RowsProgram, ...]  # up to so many rows, the fewest first
    decode_seconds: float
    prefill_seconds: tuple[float, ...]

    def over(self, memory: ModelMemory) -> Loading[ProgramChoice]:
        """The same programs over other buffers of the same model."""
        one = self.decode
        yield _COMPILING, 0.0
        decode = memory.program(type(one), one.rows, one.team)
        yield _COMPILING, 0.5
        prefill = tuple(memory.program(type(many), many.rows, many.team) for many in self.prefill)
        return replace(self, decode=decode, prefill=prefill)

    def index(self, rows: int) -> int:
        """Which of `prefill` to use for the next of so many rows: the smallest for all, or else the largest.

        A long chunk that is not nearly full takes longer than several shorter ones: it leaves much of a GPU idle.
        """
        index = next((i for i, program in enumerate(self.prefill) if program.rows >= rows), len(self.prefill) - 1)
        emptier = self.prefill[index].rows > _ALWAYS and 4 * rows <= 3 * self.prefill[index].rows
        return index - 1 if emptier else index


def choose_programs(memory: ModelMemory, sampler: Sampler, options: LoadOptions) -> Loading[ProgramChoice]:
    """Build the programs that `options` select, and measure them. Raises `UsageError` when they cannot run here."""
    yield _COMPILING, 0.0
    path, decode, prefill = yield from _choose(memory, options.program)
    seconds = []
    for index, program in enumerate((decode, *prefill)):
        yield _COMPILING, 0.6 + 0.4 * index / (1 + len(prefill))
        seconds.append(_measure(memory, sampler, program) if options.measured else _UNKNOWN)
    yield _COMPILING, 1.0
    return ProgramChoice(path, decode, prefill, seconds[0], tuple(seconds[1:]))


def _choose(memory: ModelMemory, wanted: str) -> Loading[tuple[str, Program, tuple[RowsProgram, ...]]]:
    """(name, program for one row, programs for many rows)."""
    adapter = memory.device.adapter
    why = _why_rows(memory)
    if why is None and wanted != "rows":
        # Only here, because software adapters need none of these modules.
        from .gpu_programs import choose_gpu_programs

        return (yield from choose_gpu_programs(memory, wanted, _COMPILING))
    if why in (_OTHER_BLOCKS, _QUANTIZED) and wanted in ("auto", "fused"):
        # Only here, as above.
        from .gpu_programs import choose_team_programs

        return (yield from choose_team_programs(memory, _COMPILING))
    if wanted not in ("auto", "rows"):
        raise UsageError(
            f"{option('program', wanted)}: does not run on {adapter_name(adapter)}: {why};"
            f" use {option('program', 'rows')}"
        )
    rows = memory.program(RowsProgram, 1)
    yield _COMPILING, 0.3
    return "rows", rows, (memory.program(RowsProgram, CHUNK),)


def _why_rows(memory: ModelMemory) -> str | None:
    """The reason why only the rows program can run single tokens, None if the decode programs can."""
    if memory.layout == "texture":
        return "software adapters keep weights in textures"
    if any(storage.dtype in BLOCK_TYPES for storage in memory.storages.values()):
        return _QUANTIZED
    # The decode programs bind a block's matrices whole.
    around = (memory.description.token_table.name, memory.description.head.weight.name)
    if any(len(storage.shards) > 1 for name, storage in memory.storages.items() if name not in around):
        return "a matrix is above its binding limit"
    from .decode_block import decode_blocks

    return None if decode_blocks(memory.description) is not None else _OTHER_BLOCKS


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
    memory.run(work)
    poll(memory.device, wait=True)
    return time.perf_counter() - start
