"""`doctor --prove`: the self-test, line by line or as JSON; its result is kept for the window and for `bench`."""

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

_NAME = 38  # characters


def run(adapter: str | None, *, in_json: bool) -> int:
    """Run the self-test and print it; 0 when nothing is beyond its tolerance. Raises `DeviceError`."""
    from compute.selftest.run import prove  # the reference comes with it, which nothing else needs

    device = shared_device(adapter)
    subject = proof.Subject.of(device.adapter)
    if not in_json:
        print(f"{subject.adapter}, driver {subject.driver}\n{subject.program}, shaders {subject.shader_hash[:12]}\n")
        print(f"{'':7}{'check':<{_NAME}}{'error':>9}{'tolerance':>11}{'s':>7}  shapes", flush=True)
    found = prove(device, (lambda _: None) if in_json else _tell)
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    proved = proof.Proved(_finite(found.largest_error), found.ok, date)
    print(json.dumps(as_json(subject, found, proved), allow_nan=False, indent=2) if in_json else _verdict(found))
    try:
        proof.keep(device.adapter, proved)
    except OutputError as error:
        complain(f"the result is not remembered: {error}")
    return 0 if found.ok else 1


def as_json(subject: proof.Subject, found: Proof, proved: proof.Proved) -> dict[str, Any]:
    """Everything as plain JSON values; what is not finite is None."""
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
        "checks": [_check(result) for result in found.results],
        "skipped": [{"name": skipped.name, "why": skipped.why} for skipped in found.skipped],
        "ok": found.ok,
        "largest_error": proved.error,
        "seconds": round(found.seconds, 3),
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


def _tell(each: Result | Skipped) -> None:
    """Print one line, and for what is wrong a second one that says where."""
    if hasattr(each, "why"):
        print(f"{'-':<7}{each.name:<{_NAME}}not run: {each.why}", flush=True)
        return
    error = proof.short(each.error) if math.isfinite(each.error) else "-"
    shapes = each.shapes[0] if len(each.shapes) == 1 else f"{len(each.shapes)} shapes and types"
    mark = "ok" if each.ok else "WRONG"
    numbers = f"{error:>9}{proof.short(each.tolerance):>11}{each.seconds:7.1f}"
    print(f"{mark:<7}{each.name:<{_NAME}}{numbers}  {shapes}", flush=True)
    if not each.ok:
        print(f"{'':7}-> {each.worst}", flush=True)


def _verdict(found: Proof) -> str:
    wrong = sum(not result.ok for result in found.results)
    took = f"{len(found.results)} checks in {found.seconds:.0f} s"
    if wrong:
        return f"\nFAILED: {wrong} of {took}. Update the GPU's driver, or choose another adapter with --adapter."
    return f"\nproved: the largest error of numbers is {proof.short(found.largest_error)}, {took}"


def _finite(error: float) -> float | None:
    return float(f"{error:.4g}") if math.isfinite(error) else None
