"""`view`: opens the window."""

from __future__ import annotations

import argparse

from atlas_viewer.app.open_window import view
from compute.weights.checkpoint import open_model

from .output_paths import check_target, generation_files
from .shared import generate_options, load_options, model_spec, read_prompt


def run(arguments: argparse.Namespace) -> int:
    """Open the window and start generating; return when it is closed."""
    prompt = read_prompt(arguments.prompt)
    if arguments.record_tour is not None:
        reads = generation_files(arguments)
        check_target(arguments.record_tour, reads if arguments.tour is None else [*reads, arguments.tour])
    source = open_model(model_spec(arguments))
    options = generate_options(arguments, source.config.positions, source.config.vocabulary)
    view(
        source,
        prompt,
        options,
        load_options(arguments),
        tour=arguments.tour,
        pictures=arguments.pictures,
        record=arguments.record_tour,
    )
    return 0
