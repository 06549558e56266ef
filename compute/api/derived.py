"""Arrays that follow from a kept activation, in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from compute.edits.resolved import ResolvedEdit
from compute.edits.score_edits import edit_scores
from compute.models.operations import Attention, LayerNorm
from compute.models.readings import BY_HEAD, Form, Reading

_PARTS = {
    Form.QUERY: 0, Form.KEY: 1, Form.VALUE: 2, Form.QUERY_HEADS: 0, Form.KEY_HEADS: 1, Form.VALUE_HEADS: 2,
}  # fmt: skip


def derived(
    reading: Reading,
    array: np.ndarray,
    first_row: int = 0,
    edits: Sequence[ResolvedEdit] = (),
    text_start: int = 0,
) -> np.ndarray:
    """The array of `reading` from that of its source, in which rows before `first_row` are left out of the result.

    Views where possible. For scores `array` has all rows, of which those from `first_row` on become queries.
    edits: those of the pass, which also change scores; text_start: position in the text of row 0 of the pass.
    """
    if reading.form is Form.SCORES:
        assert isinstance(reading.operation, Attention)
        return _scores(reading.operation, array, first_row, edits, text_start)
    rows = array[first_row:]
    match reading.operation:
        case Attention() as attention if reading.form in _PARTS:
            part = _PARTS[reading.form]
            rows = rows[:, part * attention.columns : (part + 1) * attention.columns]  # [T, 3 C] -> [T, C]
            return _by_head(rows, attention) if reading.form in BY_HEAD else rows
        case Attention() as attention if reading.form is Form.HEADS:
            return _by_head(rows, attention)
        case LayerNorm() as norm if reading.form in (Form.NORMALIZED, Form.DEVIATION):
            return _norm(norm, rows, deviation=reading.form is Form.DEVIATION)
    return rows


def _by_head(x: np.ndarray, attention: Attention) -> np.ndarray:
    """[T, C] -> [T, heads, head size]."""
    return x.reshape(len(x), attention.heads, attention.head_size)


def _scores(
    attention: Attention, qkv: np.ndarray, first_row: int, edits: Sequence[ResolvedEdit], text_start: int
) -> np.ndarray:
    """Query times key / sqrt(head size), edited, -inf for later keys: [heads, query, key] from qkv [T, 3 C]."""
    queries = _by_head(qkv[first_row:, : attention.columns], attention).transpose(1, 0, 2)  # [H, queries, D]
    keys = _by_head(qkv[:, attention.columns : 2 * attention.columns], attention).transpose(1, 2, 0)  # [H, D, T]
    scores: np.ndarray = (queries @ keys) * np.float32(1 / math.sqrt(attention.head_size))  # [H, queries, T]
    edit_scores(edits, attention.pattern, scores, first_row, text_start)
    later = np.arange(len(qkv)) > np.arange(first_row, len(qkv))[:, None]  # [queries, T]
    scores[:, later] = -np.inf
    return scores


def _norm(norm: LayerNorm, x: np.ndarray, *, deviation: bool) -> np.ndarray:
    """The deviation of each row, [T, 1], or x [T, C] minus its mean and divided by it."""
    centered = x - x.mean(axis=1, keepdims=True)
    scale: np.ndarray = np.sqrt((centered * centered).mean(axis=1, keepdims=True) + np.float32(norm.epsilon))
    return scale if deviation else centered / scale
