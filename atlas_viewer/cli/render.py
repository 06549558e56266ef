"""`render`: saves one picture, without a window."""

from __future__ import annotations

import argparse

from compute.errors import UsageError
from compute.weights.checkpoint import open_model

from .edits import given_edits, report_edits
from .output_paths import check_target, generation_files
from .prompt import given_prompt
from .shared import check_camera, edit_report, generate_options, load_options, model_spec


def run(arguments: argparse.Namespace) -> int:
    """Generate text, draw the last pass offscreen, save the picture and print the text."""
    from atlas_viewer.export.render import render

    if arguments.view == "strip" and arguments.place is not None:
        raise UsageError("--place: works only with the map; add --view map")
    if arguments.place is not None and not arguments.place.strip():
        raise UsageError("--place: is empty; give a tensor name and an index, such as 'wte[12, 3]'")
    check_camera(arguments)
    check_target(arguments.out, generation_files(arguments), ".png")
    prompt, edits = given_prompt(arguments, arguments.prompt), given_edits(arguments)
    source = open_model(model_spec(arguments))
    options = generate_options(arguments, source.config.positions, source.config.vocabulary)
    generation = render(
        source,
        prompt.text,
        options,
        arguments.out,
        size=arguments.size,
        panels=arguments.panels,
        zoom=arguments.zoom,
        center=arguments.center,
        load=load_options(arguments),
        view=arguments.view,
        place=arguments.place,
        theme=arguments.theme,
        edits=edits,
        turns=prompt.turns,
    )
    print(generation.text)
    report_edits(edit_report(generation))
    return 0
