"""`view`: opens the window."""

from __future__ import annotations

import argparse

from atlas_viewer.app.open_walk import open_walk
from atlas_viewer.app.open_window import view
from compute.models.architectures import describe
from compute.weights.checkpoint import open_model
from compute.weights.model_tokenizer import tokenizer_of

from .edits import check_edits, given_edits
from .output_paths import check_target, generation_files
from .prompt import given_prompt
from .shared import generate_options, load_options, model_spec


def run(arguments: argparse.Namespace) -> int:
    """Open the window and start generating; return when it is closed."""
    prompt, edits = given_prompt(arguments, arguments.prompt), given_edits(arguments)
    if arguments.record_tour is not None:
        reads = generation_files(arguments)
        read = [file for file in (arguments.tour, arguments.walk) if file is not None]
        check_target(arguments.record_tour, [*reads, *read])
    source = open_model(model_spec(arguments))
    walk = None if arguments.walk is None else open_walk(arguments.walk, source.config)
    options = generate_options(arguments, source.config.positions, source.config.vocabulary)
    check_edits(edits, describe(source.config), len(prompt.sent(tokenizer_of(source))[1]), None)
    view(
        source,
        prompt.text,
        options,
        load_options(arguments),
        tour=arguments.tour,
        pictures=arguments.pictures,
        record=arguments.record_tour,
        walk=walk,
        edits=edits,
        turns=prompt.turns[:-1] if prompt.turns else None,
    )
    return 0
