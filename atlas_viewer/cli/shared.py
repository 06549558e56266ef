"""What commands share: from parsed arguments to a prompt, options, and a running generation."""

from __future__ import annotations

import argparse
import math
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import fields, replace

from compute.errors import PromptError, UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.generate.step_capture import StepCapturer
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import WeightSource, open_model

from .main import INTERRUPTED
from .streams import complain, note

DEFAULT_CONTEXT = 256


def read_prompt(text: str) -> str:
    """The prompt itself, or standard input for `-`.

    Raises `PromptError` when it is not UTF-8, or has control characters other than tabs and line ends: no model has
    learnt them, and printed they change the terminal.
    """
    name = "prompt"
    if text == "-":
        name = "standard input"
        if sys.stdin is None:
            raise PromptError("standard input: it is closed; give the prompt as an argument")
        try:
            text = sys.stdin.buffer.read().decode()
        except UnicodeDecodeError as error:
            raise PromptError(f"standard input: byte {error.start} is not UTF-8; give the prompt as UTF-8") from None
    for at, character in enumerate(text):
        if unicodedata.category(character) == "Cc" and character not in "\t\n\r":
            raise PromptError(f"{name}: character {at + 1} (U+{ord(character):04X}) is a control character; remove it")
    return text


def check_camera(arguments: argparse.Namespace) -> None:
    """Raise `UsageError` for a `--zoom` or `--center` that is nowhere."""
    if not all(map(math.isfinite, (arguments.zoom, *(arguments.center or ())))):
        raise UsageError("--zoom, --center: must be numbers that are not infinite; give such as --zoom 8")


def model_spec(arguments: argparse.Namespace) -> str:
    """What `--model` says."""
    return str(getattr(arguments, "model", "stories"))


def weights_spec(arguments: argparse.Namespace) -> str:
    """What `--weights` says."""
    return str(getattr(arguments, "weights", "native"))


def adapter_spec(arguments: argparse.Namespace) -> str | None:
    """What `--adapter` says."""
    return getattr(arguments, "adapter", None)


def load_options(arguments: argparse.Namespace, context: int | None = None, weights: str | None = None) -> LoadOptions:
    """How the arguments say that a model is loaded; weights: instead of what `--weights` says."""
    return LoadOptions(
        context=context,
        weights=weights or weights_spec(arguments),
        adapter=adapter_spec(arguments),
        program=str(getattr(arguments, "program", "auto")),
    )


def generate_options(arguments: argparse.Namespace, positions: int, vocabulary: int) -> GenerateOptions:
    """The options given, checked against the model's sizes. Raises `UsageError`."""
    given = {f.name: getattr(arguments, f.name) for f in fields(GenerateOptions) if hasattr(arguments, f.name)}
    if given.get("context") is None:
        given["context"] = min(DEFAULT_CONTEXT, positions)
    if given.get("top") is None:
        given["top"] = min(GenerateOptions.top, vocabulary)
    return GenerateOptions(**given).checked(positions, vocabulary)


def open_generation(
    arguments: argparse.Namespace,
    source: WeightSource | None = None,
    capturer: Callable[[Engine], StepCapturer] | None = None,
    *,
    measured: bool = True,
) -> Generation:
    """Load the model and prepare a generation as the arguments say; bad options are refused before anything is loaded.

    measured: see `LoadOptions`.
    """
    prompt = read_prompt(arguments.prompt)
    source = source or open_model(model_spec(arguments))
    options = generate_options(arguments, source.config.positions, source.config.vocabulary)
    tokenizer = load_tokenizer()
    tokenizer.check_fits(source.config.vocabulary)
    tokens = tokenizer.encode(prompt)
    if len(tokens) > options.context:
        note(f"the prompt has {len(tokens)} tokens, the window keeps the last {options.context} of them")
    engine = Engine.load(source, replace(load_options(arguments, options.context), measured=measured))
    source.close()
    return Generation(engine, tokenizer, prompt, options, capturer=capturer(engine) if capturer else None)


def report_nonfinite(generation: Generation, advice: str) -> None:
    """Say on standard error, in one line, how many logits were not finite and from which step on, if there are any."""
    first = generation.first_nonfinite_step
    if first is None:
        return
    ended = "generation ended: no logit is finite; " if generation.stop_reason == "nonfinite" else ""
    count = generation.nonfinite_logits
    logits = "logit is" if count == 1 else "logits are"
    complain(f"{ended}{count:,} {logits} not finite, from step {first + 1} on; {advice}")


def exit_status(generation: Generation) -> int:
    """Of a finished generation: 1 when no logit was finite, 130 after Ctrl+C, otherwise 0."""
    if generation.stop_reason == "nonfinite":
        return 1
    return INTERRUPTED if generation.stop_reason == "stopped" else 0


def rounded(value: float | None) -> float | None:
    """Six digits: more would be noise. None for what is no number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
