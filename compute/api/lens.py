"""The logit lens over a text as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compute.edits.report import EditReport
from compute.forward.engine import Engine
from compute.forward.whole_pass import WholePass
from compute.lens.lens_file import read_lens_file
from compute.lens.lens_matrices import LensMatrices
from compute.lens.lens_pass import LensPass
from compute.lens.self_check import LOGITS_CHECK, SelfCheck

from .edited import report_of


@dataclass(frozen=True)
class Lens:
    """What the model would predict at P points of the residual stream, for each of the T tokens of a text.

    points: the embedding and what each block leaves, by name. Arrays are [points, positions]; those about the K
    likeliest tokens have a third axis. Tokens that are missing, because not so many logits are finite, are -1, and
    every number that does not exist is NaN.

    top_tokens: int32, likeliest first. top_logits: float32. top_probabilities: float32, softmax of all logits.
    entropy: float32, in nats.
    nonfinite: int32, how many logits are NaN or infinite; these have no probability.
    target: the token id asked about; without one the arrays about it are None. target_logit: float32.
    target_probability: float32. target_rank: int32, from 0; -1 when its logit is not finite.
    decided: int32 [positions], the index of the point from which on the final likeliest token is the likeliest.
    norm: float32, the length of the residual stream. added: float32, the length of its difference from the point
    before. cosine: float32, of the angle between it and the last point.
    lens_file: the file of a tuned or Jacobian lens; None for the logit lens. translated: the points that it has an
    entry for; the others are read as they are.
    checks: whether the last point equals the model's own logits.
    report: what edits have changed.
    """

    tokens: list[int]
    points: tuple[str, ...]
    target: int | None
    top_tokens: np.ndarray
    top_logits: np.ndarray
    top_probabilities: np.ndarray
    entropy: np.ndarray
    nonfinite: np.ndarray
    target_logit: np.ndarray | None
    target_probability: np.ndarray | None
    target_rank: np.ndarray | None
    decided: np.ndarray
    norm: np.ndarray
    added: np.ndarray
    cosine: np.ndarray
    lens_file: Path | None
    translated: tuple[str, ...]
    checks: tuple[SelfCheck, ...]
    report: EditReport


def lens_of(
    engine: Engine,
    passes: WholePass,
    lens: LensPass,
    tokens: Sequence[int],
    target: int | None,
    top: int,
    lens_file: Path | str | None,
) -> Lens:
    """The lens over a text that fits into the context. Blocks. Raises `UsageError`, `CheckpointError`."""
    lens.check(target, top)
    file = None if lens_file is None else read_lens_file(lens_file, engine.description)
    lens.matrices = None if file is None else LensMatrices.upload(engine.device, file)
    passes.run(tokens)
    cells = lens.all(target, top)
    error = lens.logits_error()
    return Lens(
        tokens=list(tokens),
        points=cells.points,
        target=target,
        top_tokens=cells.top_tokens,
        top_logits=cells.top_logits,
        top_probabilities=cells.top_probabilities,
        entropy=cells.entropy,
        nonfinite=cells.nonfinite,
        target_logit=cells.target_logit,
        target_probability=cells.target_probability,
        target_rank=cells.target_rank,
        decided=cells.decided,
        norm=cells.norm,
        added=cells.added,
        cosine=cells.cosine,
        lens_file=None if file is None else file.path,
        translated=() if file is None else tuple(file.entries),
        checks=() if error is None else (SelfCheck(LOGITS_CHECK, error),),
        report=report_of(engine),
    )
