"""Compares two results of the lens at the same positions."""

from __future__ import annotations

import numpy as np

from compute.lens.lens_cells import LensCells

from .compare import Difference, distances

_RELATIVE = ("norm", "added", "cosine")
# Where many logits are close together, rounding changes a rank that lies below the recorded tokens by about the share
# of logits that are within the tolerance of the target's.
_RANK_SHARE, _RANK_SLACK = 0.02, 2


def lens_difference(recorded: LensCells, found: LensCells) -> Difference:
    """The difference in logits, or relative to the length of the residual stream; ranks by what they say of logits."""
    if (recorded.points, recorded.top_tokens.shape) != (found.points, found.top_tokens.shape):
        return Difference(float("inf"), "the shape of the lens", same=False)
    whole = _worst(_tokens_apart(recorded, found), "likeliest tokens", recorded)
    whole = whole.joined(_worst(distances(recorded.top_logits, found.top_logits), "top logit", recorded))
    whole = whole.joined(_worst(distances(recorded.log_total, found.log_total), "log total", recorded))
    # If no logit changes by more than d, the entropy changes by less than 2 d times itself.
    entropy = distances(recorded.entropy, found.entropy) / np.maximum(2 * np.nan_to_num(found.entropy), 1)
    whole = whole.joined(_worst(entropy, "entropy", recorded))
    scale = np.maximum(np.nan_to_num(found.norm.astype(np.float64), posinf=np.inf), 1)
    for name in _RELATIVE:
        size = 1 if name == "cosine" else scale
        whole = whole.joined(_worst(distances(getattr(recorded, name), getattr(found, name)) / size, name, recorded))
    whole = whole.joined(
        _worst(np.where(recorded.nonfinite == found.nonfinite, 0, np.inf), "count of nonfinite logits", recorded)
    )
    if recorded.target == found.target and recorded.target_logit is not None and found.target_logit is not None:
        whole = whole.joined(_worst(distances(recorded.target_logit, found.target_logit), "target's logit", recorded))
        whole = whole.joined(_worst(_ranks_apart(recorded, found), "target's rank", recorded))
    same = whole.largest == 0 and np.array_equal(recorded.top_tokens, found.top_tokens)
    return Difference(whole.largest, whole.what, same=same and _same_ranks(recorded, found))


def _tokens_apart(recorded: LensCells, found: LensCells) -> np.ndarray:
    """[points, positions]: by how much the logits of the recorded tokens differ, as far as they are known.

    A token that is not among those found has a smaller logit than all of them.
    """
    match = recorded.top_tokens[..., :, None] == found.top_tokens[..., None, :]
    here = match.any(axis=-1)
    logits = np.take_along_axis(found.top_logits, match.argmax(axis=-1), axis=-1)
    lowest = np.broadcast_to(found.top_logits[..., -1:], logits.shape)
    found_there = np.where(here, logits, np.fmin(lowest, recorded.top_logits))
    far: np.ndarray = distances(recorded.top_logits, found_there).max(axis=-1)
    return far


def _ranks_apart(recorded: LensCells, found: LensCells) -> np.ndarray:
    """[points, positions]: how far the target's logit is from the one that is found at the recorded rank.

    Below the tokens found there is nothing to compare with; then a small change counts as none.
    """
    assert recorded.target_rank is not None
    assert found.target_rank is not None
    assert found.target_logit is not None
    was, now = recorded.target_rank.astype(np.int64), found.target_rank.astype(np.int64)
    count = found.top_logits.shape[-1]
    at = np.take_along_axis(found.top_logits, np.clip(was, 0, count - 1)[..., None], axis=-1)[..., 0]
    near = np.abs(was - now) <= _RANK_SLACK + _RANK_SHARE * now
    below = np.where(near & (was >= 0) & (now >= 0), 0, np.inf)
    known = (was >= 0) & (was < count)
    far: np.ndarray = np.where(was == now, 0, np.where(known, distances(at, found.target_logit), below))
    return far


def _same_ranks(recorded: LensCells, found: LensCells) -> bool:
    if recorded.target != found.target or recorded.target_rank is None or found.target_rank is None:
        return True
    return np.array_equal(recorded.target_rank, found.target_rank)


def _worst(found: np.ndarray, what: str, cells: LensCells) -> Difference:
    flat = found.reshape(len(cells.points), len(cells.positions), -1).max(axis=-1)
    point, position = np.unravel_index(int(np.argmax(flat)), flat.shape)
    largest = float(flat[point, position])
    where = f"lens: {what} at {cells.points[point]}, row {cells.positions[position]}"
    return Difference(largest, where, same=False) if largest else Difference()
