"""`capture`: activations of a pass as arrays."""

from __future__ import annotations

import argparse
from dataclasses import fields

from compute.api.load import load
from compute.errors import UsageError
from compute.io.array_files import check_suffix
from compute.sampling.options import GenerateOptions
from compute.weights.checkpoint import open_model

from .edits import given_edits, report_edits
from .output_paths import check_target, generation_files
from .prompt import given_prompt
from .shared import generate_options, load_options, model_spec
from .streams import note


def run(arguments: argparse.Namespace) -> int:
    """Run the pass over the prompt, or over it and the tokens generated first, and save what it computed."""
    check_suffix(arguments.out)
    check_target(arguments.out, generation_files(arguments))
    if arguments.max_new_tokens < 0:
        raise UsageError(f"-n {arguments.max_new_tokens}: must be 0 or more")
    prompt, options, edits = given_prompt(arguments, arguments.prompt), _options(arguments), given_edits(arguments)
    model = load(model_spec(arguments), options=load_options(arguments, options.context))
    _, prompt_tokens = prompt.sent(model.tokenizer)
    tokens = prompt_tokens
    if arguments.max_new_tokens:
        given = {f.name: getattr(options, f.name) for f in fields(options) if f.name != "context"}
        tokens = model.generate(prompt_tokens, **given, edits=edits).tokens
    if len(tokens) > options.context:
        note(f"the text has {len(tokens)} tokens; the context keeps the last {options.context} of them")
    report = model.capture(
        tokens,
        arguments.out,
        keep=arguments.names or "*",
        names=arguments.names_as,
        edits=edits,
        prompt_length=len(prompt_tokens),
    )
    report_edits(report)
    return 0


def _options(arguments: argparse.Namespace) -> GenerateOptions:
    """The options of the generation before the pass, of which the context counts even without one."""
    source = open_model(model_spec(arguments))
    source.close()
    tokens = max(1, arguments.max_new_tokens)
    given = argparse.Namespace(**vars(arguments) | {"max_new_tokens": tokens})
    return generate_options(given, source.config.positions, source.config.vocabulary)
