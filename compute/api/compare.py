"""Compares two passes tensor by tensor: of two models, texts, edits, or steps of recordings."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from compute.edits.grammar import Edits, edits_of
from compute.edits.report import EditReport
from compute.errors import OutputError, UsageError, option
from compute.forward.load_options import LoadOptions
from compute.io.array_files import check_space
from compute.io.temporary_folder import temporary_folder
from compute.models.architectures import describe

from .differences import Differing, TensorDifference, TokenChange, divergence, token_changes
from .kept_tensors import KeptTensors, at_positions, logits_at
from .load import load
from .loaded_model import LoadedModel
from .operands import Operand, Side, operand_of, sides_of
from .pass_stream import activation_shapes

_SAME_LOGIT = 0.1  # larger differences come from other weights, smaller ones from their precision
_TOP = 10


@dataclass(frozen=True)
class Comparison:
    """Two passes, A and B.

    a, b: what they are. tokens_a, tokens_b: the token ids of the passes. start_a, start_b: the position of the first of
    them in its text. positions: the range of positions that both passes have, where tensors are compared.
    tensors: every activation, pattern and the logits, in the order in which the model computes them.
    kl: KL(A || B) in nats of the predictions after the last token of each. top: the tokens whose probability there
    changed, at most 10, those that changed most first.
    first_diverging_step: of two recordings the first step, from 0, at which the tokens of their runs differ or one has
    ended; None when they are the same, or when A or B is not a recording.
    rows: float64 [tensors, positions], the largest difference of each row, relative as in `tensors`.
    report_a, report_b: what the edits of each have done. labels: the tokens of both, without a fitting tokenizer none.
    """

    a: str
    b: str
    tokens_a: list[int]
    tokens_b: list[int]
    start_a: int
    start_b: int
    positions: range
    tensors: tuple[TensorDifference, ...]
    kl: float
    top: tuple[TokenChange, ...]
    first_diverging_step: int | None
    rows: np.ndarray
    report_a: EditReport
    report_b: EditReport
    labels: Mapping[int, str] = field(default_factory=dict)


def compare(
    a: object,
    b: object,
    *,
    prompt: str | Sequence[int] | None = None,
    prompt_b: str | Sequence[int] | None = None,
    edits: Edits = (),
    edits_b: Edits = (),
    model: str | None = None,
    options: LoadOptions | None = None,
) -> Comparison:
    """Compare two passes tensor by tensor.

    a, b: a `Model`, the name or path of a model, as for `load`, or a step of a recording, "F.atlas:3", whose pass is
    computed again. Models that are loaded for this are in memory one after the other, and tensors one at a time.
    prompt: the text that models run; without one, that of the recording. prompt_b: the text that B runs, by default
    that of A. Of texts of different length the common positions are compared.
    edits, edits_b: what to change in the pass of A and of B, as for `Model.run`. A recorded step has its own edits
    as well, which apply first.
    model: the model of recordings, where their name for it is not enough. options: how to load models.

    Raises `UsageError` for models of different shapes, and for a text that is missing or too long; `CheckpointError`,
    `RecordingError`, and `TensorNameError` for edits; `OutputError` when the disk has no space for the tensors of A.

    >>> comparison = av.compare(model, model, prompt="Once upon a time", edits_b="h.3.attn.out[head=0] = 0")
    >>> [tensor.name for tensor in comparison.tensors if tensor.first is not None][0]
    'h.3.attn.out'
    """
    chosen = options or LoadOptions()
    operands = operand_of(a, "a", model), operand_of(b, "b", model)
    sides = sides_of(operands, (prompt, prompt_b), (edits_of(edits), edits_of(edits_b)), chosen)
    return _compared(sides, chosen)


def _compared(sides: tuple[Side, Side], options: LoadOptions) -> Comparison:
    one, other = sides
    common = range(max(one.start, other.start), min(len(one.text), len(other.text)))
    if not common:
        raise UsageError(
            f"A has the positions {one.start} to {len(one.text) - 1} of its text, B {other.start} to"
            f" {len(other.text) - 1}: they have none in common"
        )
    config = one.operand.config
    shapes = activation_shapes(describe(config), len(common))
    logits = describe(config).head.output
    space = 4 * (sum(int(np.prod(shape)) for shape in shapes.values()) + len(common) * config.vocabulary)
    above = Path(tempfile.gettempdir())
    check_space(above / "tensors", space, "set TMPDIR to a folder with more space, or give a shorter text")
    try:
        with temporary_folder(above) as folder:
            return _run(sides, options, common, {**shapes, logits: (len(common), config.vocabulary)}, folder / "a.npz")
    except OSError as error:
        raise OutputError(f"{above}: tensors cannot be kept there ({error.strerror or error})") from None


def _run(
    sides: tuple[Side, Side], options: LoadOptions, common: range, shapes: dict[str, tuple[int, ...]], path: Path
) -> Comparison:
    one, other = sides
    loaded = _loaded(one, other, options)
    with loaded._streaming(one.text, one.start, one.edits, one.prompt, one.recorded_edits) as stream:
        kept, report_a = KeptTensors(path, stream, common), stream.report()
    with kept:
        _check_recorded(one, kept.last)
        if not one.operand.same_model(other.operand):
            del loaded, stream
            gc.collect()  # before the next model takes its memory
            loaded = _loaded(other, other, options)
        found = {name: Differing(name, shape, common.start) for name, shape in shapes.items()}
        last, report_b = _difference(loaded, other, common, kept, found)
    changes = token_changes(kept.last, last, _TOP)
    labels = {}
    if loaded.fits_tokenizer:
        shown = {*one.text[one.start :], *other.text[other.start :]}
        labels = {token: loaded.tokenizer.token_label(token) for token in shown}
        changes = [replace(one, text=loaded.tokenizer.token_text(one.token)) for one in changes]
    return Comparison(
        a=one.operand.shown,
        b=other.operand.shown,
        tokens_a=one.text[one.start :],
        tokens_b=other.text[other.start :],
        start_a=one.start,
        start_b=other.start,
        positions=common,
        tensors=tuple(tensor.result() for tensor in found.values()),
        kl=divergence(kept.last, last),
        top=tuple(changes),
        first_diverging_step=_first_diverging_step(one.operand, other.operand),
        rows=np.stack([tensor.rows() for tensor in found.values()]),
        report_a=report_a,
        report_b=report_b,
        labels=labels,
    )


def _loaded(side: Side, other: Side, options: LoadOptions) -> LoadedModel:
    """The model of a side, with a context that is enough for the other one when that uses it, too."""
    operand = side.operand
    if operand.model is not None:
        return operand.model
    assert operand.spec is not None
    context = side.context
    if operand.same_model(other.operand):
        context = None if None in (context, other.context) else max(context or 0, other.context or 0)
    weights = options.weights if options.weights != "native" else operand.weights
    return load(operand.spec, options=replace(options, context=context, weights=weights))


def _difference(
    model: LoadedModel, side: Side, common: range, kept: KeptTensors, found: dict[str, Differing]
) -> tuple[np.ndarray, EditReport]:
    """Compare the tensors of B with those of A; the logits after the last token of B, and what its edits have done."""
    last = np.empty(0, np.float32)
    with model._streaming(side.text, side.start, side.edits, side.prompt, side.recorded_edits) as stream:
        logits, row = found[model.description.head.output], 0
        for rows, piece in logits_at(stream, common):
            last = piece[-1].copy()
            at = rows.start
            for part in kept.logits(row, len(rows)):
                logits.add(part, piece[at : at + len(part)], row)
                at, row = at + len(part), row + len(part)
        _check_recorded(side, last)
        for name, array in stream.activations():
            found[name].add(kept.activation(name), at_positions(array, side.start, common))
        return last, stream.report()


def _check_recorded(side: Side, logits: np.ndarray) -> None:
    """Raise `UsageError` when the recording of a side without further edits was made with other weights."""
    recorded = side.operand.recorded
    if recorded is None or side.edits or abs(float(logits[recorded.token]) - recorded.logit) <= _SAME_LOGIT:
        return
    raise UsageError(
        f"{side.operand.shown} is a recording of other weights: its step has logit"
        f" {recorded.logit:.3f} there, {float(logits[recorded.token]):.3f} here; give its model with {option('model')}"
    )


def _first_diverging_step(one: Operand, other: Operand) -> int | None:
    if one.recorded is None or other.recorded is None:
        return None
    a, b = list(one.recorded.steps), list(other.recorded.steps)
    if a == b:
        return None
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
