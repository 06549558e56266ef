"""`doctor`: what this machine has and lacks, and whether its GPU computes right."""

from __future__ import annotations

import argparse
import json
import os

from atlas_viewer.doctor.report import as_json, diagnose, report

from . import doctor_prove
from .shared import adapter_spec


def run(arguments: argparse.Namespace) -> int:
    """Print the diagnosis, or prove the kernels; 0 only when the viewer can run, or when all of them are right."""
    if arguments.prove:
        return doctor_prove.run(adapter_spec(arguments), in_json=arguments.json)
    os.getcwd()  # without a working folder packages would be blamed that are all right
    diagnosis = diagnose(adapter_spec(arguments))
    print(json.dumps(as_json(diagnosis), indent=2) if arguments.json else report(diagnosis))
    return 0 if diagnosis.ok else 1
