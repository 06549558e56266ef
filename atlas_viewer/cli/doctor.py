"""`doctor`: reports what this machine has, what it lacks, and whether its GPU computes correctly."""

from __future__ import annotations

import argparse
import json
import os

from atlas_viewer.doctor.report import as_json, diagnose, report

from . import doctor_prove
from .shared import adapter_spec


def run(arguments: argparse.Namespace) -> int:
    """Print the diagnosis, or check the kernels; return 0 only if the viewer can run, or if every kernel is correct."""
    if arguments.prove:
        return doctor_prove.run(adapter_spec(arguments), in_json=arguments.json)
    os.getcwd()  # fails here if the working folder is gone; otherwise intact packages would look broken
    diagnosis = diagnose(adapter_spec(arguments))
    print(json.dumps(as_json(diagnosis), indent=2) if arguments.json else report(diagnosis))
    return 0 if diagnosis.ok else 1
