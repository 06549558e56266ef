"""`trace`: prints the debug trace of the last pass."""

from __future__ import annotations

import argparse
import json

from compute.views.pattern_statistics import pattern_statistics
from compute.views.statistics import StatisticsPass
from compute.views.strip_layout import strip_layout
from compute.views.trace import lines, records

from .edits import edit_lines, report_edits
from .shared import edit_report, open_generation


def run(arguments: argparse.Namespace) -> int:
    """Generate text, then print one record per tensor in execution order, as lines or as JSON."""
    generation = open_generation(arguments)
    generation.run()
    engine = generation.engine
    patterns = pattern_statistics(engine)
    entries = records(engine, StatisticsPass(engine).read() | patterns, strip_layout(engine.registry))
    report = edit_report(generation)
    text = [*edit_lines(report), *lines(entries, recomputed=patterns)]
    print(json.dumps(entries, allow_nan=False) if arguments.json else "\n".join(text))
    report_edits(report)
    return 0
