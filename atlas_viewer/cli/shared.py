"""Turns parsed arguments into a prompt, options and a generation, for several commands."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import fields, replace

from compute.api.opening import engine_of
from compute.edits.report import EditReport
from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.edit_values import resolve_edits
from compute.generate.generator import Generation
from compute.generate.step_capture import StepCapturer
from compute.models.architectures import describe
from compute.sampling.options import GenerateOptions
from compute.weights.checkpoint import WeightSource, open_model
from compute.weights.model_tokenizer import tokenizer_of

from .edits import check_edits, given_edits
from .main import INTERRUPTED
from .prompt import given_prompt
from .streams import complain, note

DEFAULT_CONTEXT = 256
TRACE_ADVICE = "`trace` shows the first affected tensor"


def check_camera(arguments: argparse.Namespace) -> None:
    """Raise `UsageError` if `--zoom` or `--center` is not finite."""
    if not all(map(math.isfinite, (arguments.zoom, *(arguments.center or ())))):
        raise UsageError("--zoom, --center: must be finite numbers, such as --zoom 8")


def model_spec(arguments: argparse.Namespace) -> str:
    """The value of `--model`, or its default."""
    return str(getattr(arguments, "model", "stories"))


def weights_spec(arguments: argparse.Namespace) -> str:
    """The value of `--weights`, or its default."""
    return str(getattr(arguments, "weights", "native"))


def adapter_spec(arguments: argparse.Namespace) -> str | None:
    """The value of `--adapter`; None for the default adapter."""
    return getattr(arguments, "adapter", None)


def load_options(arguments: argparse.Namespace, context: int | None = None, weights: str | None = None) -> LoadOptions:
    """The arguments as load options. weights: replaces the value of `--weights`."""
    return LoadOptions(
        context=context,
        weights=weights or weights_spec(arguments),
        adapter=adapter_spec(arguments),
        program=str(getattr(arguments, "program", "auto")),
    )


def generate_options(arguments: argparse.Namespace, positions: int, vocabulary: int) -> GenerateOptions:
    """The arguments as generation options, checked against the model's sizes. Raises `UsageError`."""
    given = {f.name: getattr(arguments, f.name) for f in fields(GenerateOptions) if hasattr(arguments, f.name)}
    if given.get("context") is None:
        given["context"] = min(DEFAULT_CONTEXT, positions)
    if given.get("top") is None:
        given["top"] = min(GenerateOptions.top, vocabulary)
    return GenerateOptions(**given).checked(positions, vocabulary)


def open_generation(
    arguments: argparse.Namespace,
    source: WeightSource | None = None,
    capturer: Callable[[Engine, int], StepCapturer] | None = None,
    *,
    measured: bool = True,
) -> Generation:
    """Load the model and prepare the generation that the arguments describe. Options are checked before loading.

    capturer: called with the engine and the number of rows of the first pass; measured: see `LoadOptions`.
    """
    given, edits = given_prompt(arguments, arguments.prompt), given_edits(arguments)
    source = source or open_model(model_spec(arguments))
    options = generate_options(arguments, source.config.positions, source.config.vocabulary)
    tokenizer = tokenizer_of(source)
    tokenizer.check_fits(source.config.vocabulary)
    prompt, tokens = given.sent(tokenizer)
    begin = tokenizer.begin
    if begin is not None and tokens[0] == begin and not prompt.startswith(tokenizer.token_text(begin)):
        note(f"the model's tokenizer puts {tokenizer.token_label(begin)} before the prompt")
    if len(tokens) > options.context:
        note(f"the prompt has {len(tokens)} tokens; the context keeps the last {options.context} of them")
    limit = max(1, len(tokens) + options.max_new_tokens - 1)
    check_edits(edits, describe(source.config), len(tokens), limit)
    engine = engine_of(source, replace(load_options(arguments, options.context), measured=measured))
    resolved = resolve_edits(engine, edits, tokens, limit)
    engine.set_edits(resolved)  # first, because a capturer measures the weights
    made = capturer(engine, min(len(tokens), options.context)) if capturer else None
    return Generation(engine, tokenizer, prompt, options, prompt_tokens=tokens, capturer=made, edits=resolved)


def edit_report(generation: Generation) -> EditReport:
    """What the edits of a finished generation have done. Blocks."""
    return EditReport.of(generation.edits, generation.engine.effects())


def report_nonfinite(generation: Generation, advice: str) -> None:
    """If any logits were not finite, report in one line on standard error how many, and since which step."""
    first = generation.first_nonfinite_step
    if first is None:
        return
    ended = "generation ended: no logit is finite; " if generation.stop_reason == "nonfinite" else ""
    count = generation.nonfinite_logits
    logits = "logit is" if count == 1 else "logits are"
    complain(f"{ended}{count:,} {logits} not finite, from step {first + 1} on; {advice}")


def exit_status(generation: Generation) -> int:
    """The exit status after a generation: 1 if no logit was finite, 130 after Ctrl+C, otherwise 0."""
    if generation.stop_reason == "nonfinite":
        return 1
    return INTERRUPTED if generation.stop_reason == "stopped" else 0


def rounded(value: float | None) -> float | None:
    """`value` rounded to six digits, because more would be noise; None if it is not finite."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
