"""Arrays that follow from a kept activation, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compute.edits.resolved import ResolvedEdit
from compute.edits.score_edits import edit_scores
from compute.models.operations import Attention, Heads, Norm, RmsNorm
from compute.models.readings import Form, Reading


def derived(
    reading: Reading,
    *arrays: np.ndarray,
    first_row: int = 0,
    edits: Sequence[ResolvedEdit] = (),
    text_start: int = 0,
) -> np.ndarray:
    """The array of `reading` from those of its sources, in which rows before `first_row` are left out of the result.

    Views where possible. For scores the arrays have all rows, of which those from `first_row` on become queries.
    edits: those of the pass, which also change scores; text_start: position in the text of row 0 of the pass.
    """
    if reading.form is Form.SCORES:
        assert isinstance(reading.operation, Attention)
        return _scores(reading.operation, arrays[0], arrays[-1], first_row, edits, text_start)
    rows = arrays[0][first_row:]
    if reading.heads is not None:
        by_head = _by_head(rows, reading.heads)
        return by_head if reading.form is Form.HEADS else by_head.reshape(len(rows), reading.heads.columns)
    if reading.form in (Form.NORMALIZED, Form.DEVIATION):
        assert isinstance(reading.operation, Norm)
        return _norm(reading.operation, rows, deviation=reading.form is Form.DEVIATION)
    return rows


def _by_head(x: np.ndarray, heads: Heads) -> np.ndarray:
    """[T, columns of the source] -> [T, heads, head size], a view."""
    blocks = x[:, heads.first : heads.first + (heads.heads - 1) * heads.step + heads.size]
    rows, columns = blocks.strides
    shape = (len(blocks), heads.heads, heads.size)
    return np.lib.stride_tricks.as_strided(blocks, shape, (rows, heads.step * columns, columns), writeable=False)


def _scores(
    attention: Attention,
    queries_of: np.ndarray,
    keys_of: np.ndarray,
    first_row: int,
    edits: Sequence[ResolvedEdit],
    text_start: int,
) -> np.ndarray:
    """The scores, edited, -inf where a query does not see the key: [heads, query, key].

    queries_of, keys_of: the activations that contain queries and keys, [T, columns].
    """
    queries = _by_head(queries_of[first_row:], attention.query).transpose(1, 0, 2)  # [H, queries, D]
    keys = np.repeat(_by_head(keys_of, attention.key), attention.group, axis=1).transpose(1, 2, 0)  # [H, D, T]
    scores: np.ndarray = (queries @ keys) * np.float32(attention.score_scale)  # [H, queries, T]
    if attention.cap:
        scores = np.float32(attention.cap) * np.tanh(scores / np.float32(attention.cap))
    edit_scores(edits, attention.pattern, scores, first_row, text_start)
    query, key = np.arange(first_row, len(keys_of))[:, None], np.arange(len(keys_of))
    hidden = key > query  # [queries, T]
    if attention.window:
        hidden |= key <= query - attention.window
    scores[:, hidden] = -np.inf
    return scores


def _norm(norm: Norm, x: np.ndarray, *, deviation: bool) -> np.ndarray:
    """What a norm divides each group of columns by, [T, groups], or what it multiplies by its scale, [T, C]."""
    groups = x.reshape(len(x), -1, norm.scale.count)  # [T, groups, size]
    centered = groups if isinstance(norm, RmsNorm) else groups - groups.mean(axis=2, keepdims=True)
    root: np.ndarray = np.sqrt((centered * centered).mean(axis=2, keepdims=True) + np.float32(norm.epsilon))
    found: np.ndarray = root[..., 0] if deviation else (centered / root).reshape(x.shape)
    return found
