"""The lens of a step as it is recorded: an array of records, [points, positions]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from compute.generate.steps import StepRecord
from compute.lens.lens_cells import LensCells, parse_cells, result_words
from compute.lens.points import lens_points
from compute.models.architectures import describe
from compute.models.config import ModelConfig

from .validate import Unsound, array

_FIGURES = ("log_total", "entropy", "norm", "added", "cosine")


def lens_type(top: int) -> np.dtype[Any]:
    """The record of one cell with `top` tokens."""
    return np.dtype(
        [
            ("top_tokens", "<i4", (top,)),
            ("top_logits", "<f4", (top,)),
            *((name, "<f4") for name in _FIGURES),
            ("nonfinite", "<i4"),
            ("target_logit", "<f4"),
            ("target_rank", "<i4"),
        ]
    )


def lens_of(data: bytes | memoryview, record: StepRecord, config: ModelConfig, top: int) -> LensCells:
    """The cells that a pass has captured at the newest rows of its context. data: as in wgsl/lens/top.wgsl."""
    points, rows = lens_points(describe(config)), record.context_length
    count = len(data) // (4 * len(points) * result_words(top))
    return parse_cells(bytes(data), points, range(rows - count, rows), record.token, top)


def lens_bytes(cells: LensCells) -> bytes:
    """The records of cells with a target."""
    records = np.zeros(cells.entropy.shape, lens_type(cells.top_tokens.shape[2]))
    for name in records.dtype.names or ():
        records[name] = getattr(cells, name)
    return records.tobytes()


def lens_map_bytes(weight: np.ndarray, bias: np.ndarray) -> bytes:
    """The map of a point of a lens file: the matrix, then the bias."""
    return np.concatenate([weight.reshape(-1), bias]).astype("<f4").tobytes()


def read_lens_map(data: object, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """The matrix [channels, channels] and the bias. Raises `Unsound`."""
    values = array(data, np.dtype("<f4"), channels * (channels + 1)).astype(np.float32)
    if not np.isfinite(values).all():
        raise Unsound("contains values that are not finite")
    return values[: channels * channels].reshape(channels, channels), values[channels * channels :]


def read_lens(
    data: object, points: Sequence[str], positions: range, target: int, top: int, vocabulary: int
) -> LensCells:
    """The cells of a step, each number checked. target: the token that the step drew. Raises `Unsound`."""
    shape = len(points), len(positions)
    records = array(data, lens_type(top), shape[0] * shape[1]).reshape(shape)
    for name, low in (("top_tokens", -1), ("target_rank", -1), ("nonfinite", 0)):
        values = records[name]
        most = vocabulary if name == "nonfinite" else vocabulary - 1
        if values.min() < low or values.max() > most:
            raise Unsound(f"{name} must be from {low} to {most}, is {values.min()} to {values.max()}")
    return LensCells(
        points=tuple(points),
        positions=positions,
        target=target,
        **{
            name: records[name].astype(records.dtype[name].base.newbyteorder("=")) for name in records.dtype.names or ()
        },
    )
