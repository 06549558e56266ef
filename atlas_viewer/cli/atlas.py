"""`atlas`: saves the strip as arrays."""

from __future__ import annotations

import argparse
import io
import json
from typing import Any

import numpy as np

from compute.io.output_files import write_output
from compute.views.palettes import ColorMapping
from compute.views.strip import StripPass

from .edits import report_edits
from .output_paths import check_target, generation_files
from .shared import edit_report, open_generation
from .streams import note


def run(arguments: argparse.Namespace) -> int:
    """Generate text, then save the last pass as `rgba`, uint8 [360, 640, 4], and `spans`, JSON text."""
    check_target(arguments.out, generation_files(arguments), ".npz")
    generation = open_generation(arguments)
    generation.run()
    strip = StripPass(generation.engine, ColorMapping(sampling=arguments.sampling))
    strip.update()
    buffer = io.BytesIO()
    spans = json.dumps([span.as_json() for span in strip.layout.spans])
    arrays: dict[str, Any] = {"rgba": strip.read(), "spans": np.array(spans)}
    if generation.edits:
        arrays["edits"] = np.array([str(edit) for edit in generation.edits])
    np.savez_compressed(buffer, **arrays)
    write_output(arguments.out, buffer.getvalue())
    report_edits(edit_report(generation))
    if strip.layout.left_out:
        note(
            f"the strip is full: it leaves out the last {len(strip.layout.left_out)} tensors,"
            f" from {strip.layout.left_out[0]} on"
        )
    return 0
