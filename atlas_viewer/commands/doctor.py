"""`doctor`: what this machine has and lacks."""

from __future__ import annotations

import argparse
import json

from atlas_viewer.doctor import as_json, diagnose, report

from .common import adapter_spec


def run(arguments: argparse.Namespace) -> int:
    """Print the diagnosis; 0 only when the viewer can run."""
    diagnosis = diagnose(adapter_spec(arguments))
    print(json.dumps(as_json(diagnosis), indent=2) if arguments.json else report(diagnosis))
    return 0 if diagnosis.ok else 1
