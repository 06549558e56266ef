"""`doctor --prove`: the self-test, line by line or as JSON. The window and `bench` show its latest result."""

from __future__ import annotations

import datetime
import json
import math
import platform
from typing import TYPE_CHECKING, Any

import numpy as np
import wgpu

from atlas_viewer import __version__
from atlas_viewer.state import proof
from compute.errors import OutputError
from compute.gpu.device import shared_device

from .streams import complain

if TYPE_CHECKING:
    from compute.selftest.check import Skipped
    from compute.selftest.run import Proof, Result

_NAME_WIDTH = 38  # characters


def run(adapter: str | None, *, in_json: bool) -> int:
    """Run the self-test and print its checks; return 0 if all are within tolerance. Raises `DeviceError`."""
    from compute.selftest.run import prove  # here, because it loads the reference, which nothing else needs

    device = shared_device(adapter)
    subject = proof.Subject.of(device.adapter)
    if not in_json:
        print(f"{subject.adapter}, driver {subject.driver}\n{subject.program}, shaders {subject.shader_hash[:12]}\n")
        print(f"{'':7}{'check':<{_NAME_WIDTH}}{'error':>9}{'tolerance':>11}{'s':>7}  shapes", flush=True)
    outcome = prove(device, (lambda _: None) if in_json else _print_line)
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    proved = proof.Proved(_finite(outcome.largest_error), outcome.ok, date)
    print(json.dumps(as_json(subject, outcome, proved), allow_nan=False, indent=2) if in_json else _verdict(outcome))
    try:
        proof.keep(device.adapter, proved)
    except OutputError as error:
        complain(f"the result was not saved: {error}")
    return 0 if outcome.ok else 1


def as_json(subject: proof.Subject, outcome: Proof, proved: proof.Proved) -> dict[str, Any]:
    """The outcome as plain JSON values; None stands for numbers that are not finite."""
    return {
        "adapter": subject.adapter,
        "driver": subject.driver,
        "shader_hash": subject.shader_hash,
        "versions": {
            "atlas-viewer": __version__,
            "wgpu": wgpu.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "checks": [_check(result) for result in outcome.results],
        "skipped": [{"name": skipped.name, "why": skipped.why} for skipped in outcome.skipped],
        "ok": outcome.ok,
        "largest_error": proved.error,
        "seconds": round(outcome.seconds, 3),
        "date": proved.date,
    }


def _check(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "error": _finite(result.error),
        "tolerance": result.tolerance,
        "ok": result.ok,
        "of": "numbers" if result.numbers else "colours",
        "shapes": list(result.shapes),
        "worst": result.worst,
        "seconds": round(result.seconds, 3),
    }


def _print_line(check: Result | Skipped) -> None:
    """Print a line for one check, and if it failed, a second line that says where."""
    if hasattr(check, "why"):
        print(f"{'-':<7}{check.name:<{_NAME_WIDTH}}not run: {check.why}", flush=True)
        return
    error = proof.short(check.error) if math.isfinite(check.error) else "-"
    shapes = check.shapes[0] if len(check.shapes) == 1 else f"{len(check.shapes)} shapes and types"
    mark = "ok" if check.ok else "WRONG"
    numbers = f"{error:>9}{proof.short(check.tolerance):>11}{check.seconds:7.1f}"
    print(f"{mark:<7}{check.name:<{_NAME_WIDTH}}{numbers}  {shapes}", flush=True)
    if not check.ok:
        print(f"{'':7}-> {check.worst}", flush=True)


def _verdict(outcome: Proof) -> str:
    wrong = sum(not result.ok for result in outcome.results)
    checks = f"{len(outcome.results)} checks in {outcome.seconds:.0f} s"
    if wrong:
        return f"\nFAILED: {wrong} of {checks}. Update the GPU driver, or choose another adapter with --adapter."
    return f"\nproved: the largest numeric error is {proof.short(outcome.largest_error)}, {checks}"


def _finite(error: float) -> float | None:
    return float(f"{error:.4g}") if math.isfinite(error) else None
