"""The attention views in NumPy: tiles, statistics and pictures from queries and keys in float64."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compute.models.operations import Attention
from compute.views.attention_colors import AttentionColors
from compute.views.attention_head import SCORES, WEIGHTS, MatrixPicture
from compute.views.attention_wall import TILE, HeadStatistics, WallPicture

from .reference import by_head, soft_cap

Array = np.ndarray


def scores(attention: Attention, acts: Mapping[str, Array]) -> Array:
    """Scores of all pairs, unseen keys included: [heads, query, key] from float64 activations."""
    query = by_head(acts[attention.query.source], attention.query).transpose(1, 0, 2)  # [H, T, D]
    key = np.repeat(by_head(acts[attention.key.source], attention.key), attention.group, axis=1)  # [T, H, D]
    return soft_cap(query @ key.transpose(1, 2, 0) * attention.score_scale, attention.cap)


def weights(all_scores: Array, window: int = 0) -> Array:
    """Attention weights [heads, query, key] from scores of all pairs. window: keys that a query sees, 0 for all."""
    rows = all_scores.shape[1]
    seen = np.tri(rows, dtype=bool)
    if window:
        seen &= ~np.tri(rows, k=-window, dtype=bool)
    masked = np.where(seen, all_scores, -np.inf)
    powers = np.exp(masked - masked.max(-1, keepdims=True))
    result: Array = powers / powers.sum(-1, keepdims=True)
    return result


def tiles(pattern: Array, pool: int) -> Array:
    """The largest weight of each block of `pool` x `pool`: [heads, cells, cells]."""
    cells = -(-pattern.shape[1] // pool)
    padded = np.zeros((len(pattern), cells * pool, cells * pool))
    padded[:, : pattern.shape[1], : pattern.shape[2]] = pattern
    result: Array = padded.reshape(len(pattern), cells, pool, cells, pool).max((2, 4))
    return result


def statistics(pattern: Array, tokens: list[int]) -> HeadStatistics:
    """See `HeadStatistics`. pattern: [heads, query, key] of all heads; tokens: ids of the context."""
    heads, rows = pattern.shape[:2]
    sums = np.zeros((5, heads))
    repeats = 0
    for row in range(1, rows):
        line = pattern[:, row, : row + 1]
        logs = np.log2(line, where=line > 0, out=np.zeros_like(line))
        sums[0] -= (line * logs).sum(-1)
        sums[1] += line @ (row - np.arange(row + 1))
        sums[2] += line[:, row - 1]
        sums[3] += line[:, 0]
        earlier = [t for t in range(row - 1) if tokens[t] == tokens[row]]
        if earlier:
            sums[4] += line[:, earlier[-1] + 1]
            repeats += 1
    means = sums / np.array([max(rows - 1, 1)] * 4 + [max(repeats, 1)])[:, None]
    return HeadStatistics(rows, repeats, means)


def wall(blocks: Array, picture: WallPicture, colors: AttentionColors) -> Array:
    """The picture of tiles [heads, cells, cells], float [height, width, 4] from 0 to 255."""
    assert blocks.shape[1] <= TILE
    cells = blocks.shape[1]
    image = np.zeros((picture.height, picture.width, 4))
    for y, x in np.ndindex(picture.height, picture.width):
        column, slot = x // picture.pitch_x, y // picture.pitch_y * picture.columns + x // picture.pitch_x
        right, down = x % picture.pitch_x, y % picture.pitch_y
        head = picture.heads[slot] if column < picture.columns and slot < len(picture.heads) else None
        if head is None or max(right, down) >= picture.side:
            continue
        spans = []
        for inside in (down, right):
            first = inside * cells // picture.side
            spans.append(range(first, max(first + 1, (inside + 1) * cells // picture.side)))
        found = [blocks[head, row, key] for row in spans[0] for key in spans[1] if key <= row]
        image[y, x, :3] = colors.weight(max(found)) if found else colors.later
        image[y, x, 3] = 1
    return image * 255


def matrix(all_scores: Array, picture: MatrixPicture, colors: AttentionColors) -> Array:
    """The picture of a matrix of one head from its scores [query, key], float [side, side, 4]."""
    rows, step = len(all_scores), picture.step
    image = np.zeros((picture.side, picture.side, 4))
    visible = np.tri(rows, dtype=bool) | (step == SCORES)
    values = weights(all_scores[None])[0] if step == WEIGHTS else all_scores
    peak = float(np.abs(all_scores[visible]).max())
    for y, x in np.ndindex(*image.shape[:2]):
        spans = []
        for origin, inside in ((picture.query, y), (picture.key, x)):
            first = int(np.floor(np.float32(origin + inside / picture.cell)))
            spans.append(range(first, max(first + 1, int(np.floor(np.float32(origin + (inside + 1) / picture.cell))))))
        if min(spans[0][0], spans[1][0]) < 0 or max(spans[0][0], spans[1][0]) >= rows:
            continue
        pairs = [(row, key) for row in spans[0] for key in spans[1] if max(row, key) < rows and visible[row, key]]
        color = colors.later
        if pairs:
            most = max((float(values[pair]) for pair in pairs), key=abs)
            color = colors.weight(most) if step == WEIGHTS else colors.score(most, peak)
        image[y, x] = (*color, 1)
    return image * 255
