"""`view`: the window."""

from __future__ import annotations

import argparse

from compute.checkpoint import open_model

from .common import adapter_spec, generate_options, model_spec, program_spec, read_prompt, weights_spec


def run(arguments: argparse.Namespace) -> int:
    """Open the window and start writing; returns when it is closed."""
    from atlas_viewer.app import view

    prompt = read_prompt(arguments.prompt)
    source = open_model(model_spec(arguments))
    options = generate_options(arguments, source.config.positions, source.config.vocabulary)
    view(source, prompt, options, adapter_spec(arguments), weights_spec(arguments), program_spec(arguments))
    return 0
