"""Runs the self-test: all groups of checks on one device, and their results."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import wgpu

from compute.errors import AtlasError
from compute.io.system_errors import first_line

from . import (
    architectures,
    attention,
    differences,
    draws,
    edits,
    elementwise,
    joined_products,
    lens,
    matmul,
    norm,
    passes,
    rotary,
    transpose,
    views,
)
from .check import Check, Skipped
from .gpu import Gpu

Group: TypeAlias = "Callable[[Gpu], Iterator[Check | Skipped]]"

GROUPS: dict[str, Group] = {
    "matrix products": matmul.checks,
    "products with norms and caches": joined_products.checks,
    "layer norm and embedding": norm.checks,
    "gather, add and activation": elementwise.checks,
    "RMS norm, rotary positions, gates": rotary.checks,
    "attention": attention.checks,
    "weights that are turned": transpose.checks,
    "draws": draws.checks,
    "views": views.checks,
    "passes": passes.checks,
    "lens and attribution": lens.checks,
    "architectures": architectures.checks,
    "edits": edits.checks,
    "differences": differences.checks,
}


@dataclass(frozen=True)
class Result:
    """The checks with one name over all `shapes`: the values of the one with the largest error for its tolerance."""

    name: str
    shapes: tuple[str, ...]
    error: float
    tolerance: float
    ok: bool
    worst: str
    seconds: float
    numbers: bool


@dataclass(frozen=True)
class Proof:
    """The result of a self-test. seconds: elapsed time."""

    results: tuple[Result, ...]
    skipped: tuple[Skipped, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """True when there are results and none exceeds its tolerance."""
        return bool(self.results) and all(result.ok for result in self.results)

    @property
    def largest_error(self) -> float:
        """The largest error, without colors; NaN or infinite if any error is."""
        return max((r.error for r in self.results if r.numbers), key=_badness, default=0.0)


def prove(
    device: wgpu.GPUDevice,
    report: Callable[[Result | Skipped], None] = lambda _: None,
    groups: Sequence[str] = (),
) -> Proof:
    """Run every check on `device` and report each result as it arrives. Blocks for up to a minute.

    groups: names in `GROUPS`, by default all. A group in which the driver fails counts as a failed result.
    """
    gpu, began = Gpu(device), time.perf_counter()
    results: list[Result] = []
    skipped: list[Skipped] = []
    for name in groups or GROUPS:
        found, omitted = _run(gpu, name)
        outcomes: list[Result | Skipped] = [*found, *omitted]
        for outcome in outcomes:
            report(outcome)
        results += found
        skipped += omitted
    return Proof(tuple(results), tuple(skipped), time.perf_counter() - began)


def _run(gpu: Gpu, name: str) -> tuple[list[Result], list[Skipped]]:
    """The results of one group, one per check name, and its skipped checks."""
    made: dict[str, tuple[list[Check], float]] = {}
    skipped: list[Skipped] = []
    start = time.perf_counter()
    try:
        for check in GROUPS[name](gpu):
            now = time.perf_counter()
            if isinstance(check, Skipped):
                skipped.append(check)
            else:
                same, seconds = made.get(check.name, ([], 0.0))
                made[check.name] = ([*same, check], seconds + now - start)
            start = now
    except (wgpu.GPUError, AtlasError) as error:
        why = first_line(error)
        made[name] = ([Check(name, "", math.nan, 0.0, why)], time.perf_counter() - start)
    return [_joined(checks, seconds) for checks, seconds in made.values()], skipped


def _joined(checks: list[Check], seconds: float) -> Result:
    worst = max(checks, key=lambda check: _badness(check.error / (check.tolerance or 1.0)))
    where = ", ".join(part for part in (worst.shapes, worst.worst) if part)
    return Result(
        name=worst.name,
        shapes=tuple(check.shapes for check in checks),
        error=worst.error,
        tolerance=worst.tolerance,
        ok=all(check.ok for check in checks),
        worst=where,
        seconds=seconds,
        numbers=worst.numbers,
    )


def _badness(error: float) -> float:
    """A key that sorts errors, with NaN as the largest."""
    return math.inf if math.isnan(error) else error
