"""Activation patching and ablation of whole texts, as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from compute.edits.grammar import Edit
from compute.edits.report import EditReport
from compute.edits.resolved import ResolvedEdit
from compute.errors import UsageError, option
from compute.forward.engine import Engine
from compute.forward.whole_pass import WholePass
from compute.gpu.slices import Pace, Sliced
from compute.io.escape import one_line
from compute.lens.self_check import SelfCheck
from compute.models.patch_points import HEADS, MLP, Over
from compute.patching.cells import Cells
from compute.patching.patching import COPIES_ROUNDED, largest, patched, rounding_error
from compute.patching.sweep import Measure, Progress, Sweep

from .activation_reader import ActivationReader
from .edited import edited, reported

Direction = Literal["denoise", "noise"]
Replacement = Literal["zero", "mean"]


@dataclass(frozen=True)
class Patching:
    """The effect of parts of one run in another run. Arrays are float64 [layers, positions] or [layers, heads].

    A difference is the logit of `target` minus that of `against` after the last token.

    clean, corrupt: the token ids of the two texts. direction: "denoise" patches clean activations into the corrupt run,
    "noise" corrupt ones into the clean run. over: what is patched.
    values: the difference with the cell patched, as (patched - corrupt) / (clean - corrupt): 0 is the corrupt run, 1
    the clean one. NaN everywhere when both runs have the same difference.
    control: the same with random vectors, each row as long as the patch's change in it; None unless asked for.
    changed: int64, how many values of the activation the patch changed.
    error: how much one of `values` changes when the residual stream is rounded differently: the largest of 4 tries.
    report: the edits in force in both runs, and what they changed in the run that was patched.
    checks: patching the run with itself changes nothing.
    activations: those of the run that was patched from, float32 [tokens, columns], one per layer. The residual
    stream before a block is under the name of the block before.
    """

    clean: list[int]
    corrupt: list[int]
    target: int
    against: int
    direction: Direction
    over: Over
    clean_difference: float
    corrupt_difference: float
    values: np.ndarray
    control: np.ndarray | None
    changed: np.ndarray
    error: float
    report: EditReport
    checks: tuple[SelfCheck, ...]
    activations: Mapping[str, np.ndarray] = field(repr=False)


@dataclass(frozen=True)
class Ablation:
    """How a logit changes when one part of the model is switched off at all positions.

    to: "zero" sets the part to 0, "mean" to its mean over the positions of the text.
    logit: of `target` after the last token, or how far it is above that of `against`.
    heads: float64 [layers, heads], the logit without the head minus `logit`: its values in `attn.out` are replaced.
    mlps: float64 [layers], the same without the MLP: `mlp.c_proj` is replaced, its bias included.
    heads_changed, mlps_changed: int64, how many values that changed.
    error: how much the logit changes when the residual stream is rounded differently: the largest of 4 tries.
    report: the edits in force throughout. checks: scaling a head by 1 changes nothing.
    """

    tokens: list[int]
    target: int
    against: int | None
    to: Replacement
    logit: float
    heads: np.ndarray
    mlps: np.ndarray
    heads_changed: np.ndarray
    mlps_changed: np.ndarray
    error: float
    report: EditReport
    checks: tuple[SelfCheck, ...]


@dataclass(frozen=True)
class _Side:
    """A run of a text: its tokens, the edits in force and their report, what was measured, and activations by name."""

    tokens: list[int]
    edits: tuple[ResolvedEdit, ...]
    report: EditReport
    measured: float
    activations: Mapping[str, np.ndarray]


class Patcher:
    """Runs the passes of patching and ablation on an engine. Nothing here blocks, except values of edits in force."""

    def __init__(self, engine: Engine, passes: WholePass, reader: Callable[[], ActivationReader], pace: Pace) -> None:
        """pace: how much of a pass to submit at once."""
        self._engine, self._passes, self._reader, self._pace = engine, passes, reader, pace

    def patch(
        self,
        texts: tuple[list[int], list[int]],
        tokens: tuple[int, int],
        over: Over,
        direction: Direction,
        edits: Sequence[Edit],
        *,
        control: bool,
        progress: Progress | None,
    ) -> Sliced[Patching]:
        """texts: clean and corrupt; tokens: target and against. Raises `AtlasError`s."""
        checked("over", over, Over)
        checked("direction", direction, Direction)
        check_lengths(*texts)
        measure = Measure(*tokens)
        cells = Cells.of(self._engine.description, over, len(texts[0]))
        clean = yield from self._side(texts[0], edits, measure, cells.names)
        corrupt = yield from self._side(texts[1], edits, measure, cells.names)
        base, source = (corrupt, clean) if direction == "denoise" else (clean, corrupt)
        sweep = Sweep(self._engine, self._passes, base.tokens, measure, base.edits, cells.slots, self._pace)
        found = yield from patched(
            sweep, cells, base.activations, source.activations, base.measured, control=control, progress=progress
        )
        whole = clean.measured - corrupt.measured
        whole = whole if np.isfinite(whole) and whole else np.nan
        return Patching(
            clean=clean.tokens,
            corrupt=corrupt.tokens,
            target=tokens[0],
            against=tokens[1],
            direction=direction,
            over=over,
            clean_difference=clean.measured,
            corrupt_difference=corrupt.measured,
            values=(found.value - corrupt.measured) / whole,
            control=None if found.control is None else (found.control - corrupt.measured) / whole,
            changed=found.changed,
            error=found.rounded / abs(whole),
            report=base.report,
            checks=(SelfCheck("patching the run with itself changes nothing", found.itself),),
            activations=source.activations,
        )

    def ablate(
        self, text: list[int], measure: Measure, to: Replacement, edits: Sequence[Edit], progress: Progress | None
    ) -> Sliced[Ablation]:
        """Every head and every MLP. Raises `AtlasError`s."""
        checked("to", to, Replacement)
        description = self._engine.description
        heads, mlps = (Cells.of(description, over, len(text)) for over in (HEADS, MLP))
        side = yield from self._side(text, edits, measure, (*heads.names, *mlps.names) if to == "mean" else ())
        slots = (*heads.slots, *mlps.slots)
        sweep = Sweep(self._engine, self._passes, text, measure, side.edits, slots, self._pace)
        layers, count = heads.shape
        total = layers + layers * count + layers + COPIES_ROUNDED
        copies = [[heads.setting((layer, layer % count), 1.0, "*=")] for layer in range(layers)]
        if to == "zero":
            copies += [[heads.setting(cell, 0.0)] for cell in heads]
            copies += [[mlps.whole(layer, 0.0)] for layer in range(layers)]
        else:
            arrays = side.activations
            copies += [[heads.setting(cell, _mean(heads.part(cell, arrays[heads.names[cell[0]]])))] for cell in heads]
            copies += [[mlps.whole(layer, _mean(arrays[mlps.names[layer]]))] for layer in range(layers)]
        found = yield from sweep.run(copies, 0, total, progress)
        same, found = found[:layers], found[layers:]
        error = yield from rounding_error(sweep, side.measured, len(copies), total, progress)
        changes = np.array([outcome.value for outcome in found], np.float64) - side.measured
        changed = np.array([outcome.changed for outcome in found], np.int64)
        return Ablation(
            tokens=text,
            target=measure.target,
            against=measure.against,
            to=to,
            logit=side.measured,
            heads=changes[: layers * count].reshape(layers, count),
            mlps=changes[layers * count :],
            heads_changed=changed[: layers * count].reshape(layers, count),
            mlps_changed=changed[layers * count :],
            error=error,
            report=side.report,
            checks=(SelfCheck("scaling a head by 1 changes nothing", largest(same, side.measured)),),
        )

    def _side(self, text: list[int], edits: Sequence[Edit], measure: Measure, names: Sequence[str]) -> Sliced[_Side]:
        """The run of a text with edits, as the copies of a sweep run, so that their numbers are the same."""
        copies = min(2, self._engine.context // len(text))
        with edited(self._engine, edits, text, len(text)) as resolved:
            logits = yield from self._passes.last_logits_sliced(text * copies, sequence=len(text), pace=self._pace)
            report = yield from reported(self._engine)
            arrays: dict[str, np.ndarray] = {}
            if names:
                arrays = (yield from self._reader().sequences_sliced(names, len(text)))[0]
        return _Side(text, resolved, report, measure.of(logits[0]), arrays)


def _mean(rows: np.ndarray) -> np.ndarray:
    """The mean over the positions, float32."""
    mean: np.ndarray = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def check_lengths(clean: Sequence[int], corrupt: Sequence[int]) -> None:
    """Raise `UsageError` unless the texts have the same number of tokens."""
    if len(clean) != len(corrupt):
        raise UsageError(
            f"the clean text has {len(clean)} tokens, the corrupt one {len(corrupt)}: give texts of the same"
            " number of tokens, so that positions correspond"
        )


def checked(name: str, value: object, choices: object) -> None:
    """Raise `UsageError` when the value of an option is not one of a literal type."""
    allowed = get_args(choices)
    if not isinstance(value, str) or value not in allowed:
        raise UsageError(f"{option(name)}{one_line(repr(value), 40)}: must be one of {', '.join(allowed)}")
