"""`atlas`: saves the strip as arrays."""

from __future__ import annotations

import argparse
import io
import json

import numpy as np

from compute.io.output_files import write_output
from compute.views.palettes import ColorMapping
from compute.views.strip import StripPass

from .output_paths import check_target, generation_files
from .shared import open_generation
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
    np.savez_compressed(buffer, rgba=strip.read(), spans=np.array(spans))
    write_output(arguments.out, buffer.getvalue())
    if strip.layout.left_out:
        note(
            f"the strip is full: it leaves out the last {len(strip.layout.left_out)} tensors,"
            f" from {strip.layout.left_out[0]} on"
        )
    return 0
