"""What `compare` compares: models and recorded steps, with the text and the edits of each."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from compute.edits.grammar import Edit
from compute.edits.recorded import RecordedPass, recorded_pass
from compute.edits.resolved import ResolvedEdit
from compute.edits.resolving import place_all
from compute.errors import UsageError, option
from compute.forward.load_options import LoadOptions
from compute.io.escape import one_line
from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.weights.checkpoint import open_model
from compute.weights.model_tokenizer import tokenizer_of

from .loaded_model import LoadedModel
from .texts import Texts

_STEP = re.compile(r"(?P<path>.+\.atlas):(?P<step>\d{1,9})", re.DOTALL)


@dataclass(frozen=True)
class Operand:
    """A or B. shown: how it was given. model: when it is loaded already; otherwise spec loads it. config: its sizes.

    weights: their type on the GPU, by default. recorded: the step of a recording.
    """

    shown: str
    config: ModelConfig
    model: LoadedModel | None = None
    spec: str | None = None
    weights: str = "native"
    recorded: RecordedPass | None = None

    def same_model(self, other: Operand) -> bool:
        """True when both need one model only."""
        if self.model is not None or other.model is not None:
            return self.model is other.model
        return (self.spec, self.weights) == (other.spec, other.weights)


@dataclass(frozen=True)
class Side:
    """An operand with its text, of which the pass sees the tokens from `start` on.

    prompt: tokens that are the prompt. context: how many tokens the model has to fit; None for its maximum.
    """

    operand: Operand
    text: list[int]
    start: int
    prompt: int
    edits: tuple[Edit, ...]
    context: int | None

    @property
    def recorded_edits(self) -> Sequence[ResolvedEdit]:
        """The edits of the recorded step that the side is; they apply before `edits`."""
        return () if self.operand.recorded is None else self.operand.recorded.edits


def operand_of(given: object, name: str, model: str | None) -> Operand:
    """A model, its name or path, or a step of a recording. model: that of recordings. Raises `AtlasError`s."""
    if isinstance(given, LoadedModel):
        return Operand(given.name, given.config, model=given)
    if not isinstance(given, (str, os.PathLike)):
        raise UsageError(f"{name}: {one_line(repr(given), 40)} is neither a model nor a step of a recording")
    text = os.fspath(given)
    step = recorded_step(text)
    if step is not None:
        return _recorded(text, recorded_pass(*step), model)
    if text.endswith(".atlas"):
        raise UsageError(f"{one_line(text)}: is a recording; name a step of it, as in {one_line(text)}:3")
    return Operand(one_line(text), _config(text, name), spec=_spec(text))


def recorded_step(given: str) -> tuple[str, int] | None:
    """The path and the step that `F.atlas:STEP` names; None for anything else."""
    step = _STEP.fullmatch(given)
    return None if step is None else (step["path"], int(step["step"]))


def sides_of(
    operands: tuple[Operand, Operand],
    prompts: tuple[object, object],
    edits: tuple[tuple[Edit, ...], tuple[Edit, ...]],
    options: LoadOptions,
) -> tuple[Side, Side]:
    """Both sides with their texts.

    Raises `UsageError` for other shapes, a text that is missing or too long, or edits that do not fit, and
    `TensorNameError`.
    """
    one, other = operands
    _check_shapes(one, other)
    prompt, prompt_b = prompts
    if prompt is not None and one.recorded is not None and (other.recorded is not None or prompt_b is not None):
        raise UsageError(f"{option('prompt')}: A is a recording, which has a text of its own")
    if prompt_b is not None and other.recorded is not None:
        raise UsageError(f"{option('prompt_b')}: B is a recording, which has a text of its own")
    texts = prompt, prompt if prompt_b is None else prompt_b
    sides = (
        _side(one, texts[0], edits[0], other.recorded, options),
        _side(other, texts[1], edits[1], one.recorded, options),
    )
    for side in sides:  # before anything is loaded
        place_all(side.edits, describe(side.operand.config), side.prompt, len(side.text))
    return sides


def _side(
    operand: Operand, prompt: object, edits: tuple[Edit, ...], other: RecordedPass | None, options: LoadOptions
) -> Side:
    recorded = operand.recorded or (other if prompt is None else None)
    if recorded is not None:
        rows = min(len(recorded.tokens), recorded.context)
        available = operand.model.context if operand.model is not None else options.context
        if available is not None and available < rows:
            raise UsageError(
                f"{recorded.shown}: the pass has {rows} tokens, the context {available}: use a larger"
                f" {option('context')}"
            )
        tokens = list(recorded.tokens)
        return Side(operand, tokens, len(tokens) - rows, recorded.prompt, edits, options.context or recorded.context)
    if prompt is None:
        raise UsageError(f"{operand.shown}: is a model, which needs a text; give {option('prompt')}")
    config = operand.config
    texts = _texts(operand)
    context = operand.model.context if operand.model is not None else options.context or config.usual_context
    text = texts.fitting(prompt, context, config.positions)
    return Side(operand, text, 0, len(text), edits, options.context)


def _recorded(shown: str, recorded: RecordedPass, model: str | None) -> Operand:
    spec = model or recorded.model
    if spec is None:
        raise UsageError(
            f"{one_line(shown)}: the recording does not contain the model; give the model's file with {option('model')}"
        )
    config = _config(spec)
    if _shape(config) != _shape(recorded.config):
        raise UsageError(f"{one_line(shown)}: is of a model of other sizes: {_sizes(recorded.config)}; {one_line(spec)}"
                         f" has {_sizes(config)}")  # fmt: skip
    return Operand(one_line(shown), config, spec=_spec(spec), weights=recorded.weights, recorded=recorded)


def _check_shapes(one: Operand, other: Operand) -> None:
    if _shape(one.config) != _shape(other.config):
        raise UsageError(
            f"{one.shown} and {other.shown} have different shapes: {_sizes(one.config)}, and {_sizes(other.config)};"
            " compare models of the same shape"
        )


def _shape(config: ModelConfig) -> Sequence[object]:
    """What the shapes of activations and logits follow from."""
    return config.architecture, config.layers, config.heads, config.channels, config.vocabulary


def _sizes(config: ModelConfig) -> str:
    return (
        f"{config.architecture}, {config.layers} layers, {config.heads} heads, {config.channels} channels,"
        f" {config.vocabulary} tokens"
    )


def _config(spec: str, given: str = "model") -> ModelConfig:
    source = open_model(spec, given)
    source.close()
    return source.config


def _texts(operand: Operand) -> Texts:
    if operand.model is not None:
        return operand.model._texts
    assert operand.spec is not None
    source = open_model(operand.spec)
    try:
        return Texts(operand.shown, operand.config.vocabulary, tokenizer_of(source))
    finally:
        source.close()


def _spec(spec: str) -> str:
    return os.path.abspath(spec) if os.path.exists(spec) and spec != "stories" else spec
