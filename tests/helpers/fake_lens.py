"""Results of a logit lens, and a source of them without a model."""

from __future__ import annotations

import numpy as np

from compute.lens.lens_cells import LensCells
from compute.lens.self_check import LOGITS_CHECK, SelfCheck

POINTS = ("embed.sum", "h.0.resid_post", "h.1.resid_post")


def lens_cells(positions: range, target: int | None = None, *, seen: int = 0, top: int = 3) -> LensCells:
    """Cells whose likeliest token is 10 * position + point, but that of the last point from the middle one on if the
    position is odd. seen: added to every token, to tell one pass from another."""
    shape = (len(POINTS), len(positions))
    point, position = np.meshgrid(np.arange(shape[0]), np.asarray(positions), indexing="ij")
    first = 10 * position + np.where((position % 2 == 1) & (point > 0), 2, point) + seen
    tokens = np.stack([first + 100 * rank for rank in range(top)], axis=-1).astype(np.int32)
    logits = np.stack([5.0 - rank + 0 * first for rank in range(top)], axis=-1).astype(np.float32)
    flat = np.full(shape, 6.0, np.float32)
    return LensCells(
        points=POINTS,
        positions=positions,
        target=target,
        top_tokens=tokens,
        top_logits=logits,
        log_total=flat,
        entropy=flat / 2,
        nonfinite=np.zeros(shape, np.int32),
        target_logit=None if target is None else flat,
        target_rank=None if target is None else (10 * point).astype(np.int32),
        norm=flat,
        added=flat,
        cosine=flat,
    )


class FakeLens:
    """A `reader_protocols.LensSource`. `arrive` lets the result of the request in flight arrive."""

    points = POINTS

    def __init__(self, rows: int) -> None:
        self.rows, self.first_position, self.passes, self.edit_changes = rows, 0, 1, 0
        self.seen = 0
        self.requests: list[tuple[range, int | None]] = []
        self.error = 1e-4
        self._flying: LensCells | None = None
        self._arrived: LensCells | None = None
        self._check: SelfCheck | None = None

    @property
    def waiting(self) -> bool:
        return self._flying is not None or self._arrived is not None

    def request(self, positions: range, target: int | None, top: int) -> bool:
        if self.waiting:
            return False
        self.requests.append((positions, target))
        self._flying = lens_cells(positions, target, seen=self.seen)
        return True

    def arrive(self) -> None:
        self._arrived, self._flying = self._flying, None

    def take(self) -> LensCells | None:
        taken, self._arrived = self._arrived, None
        return taken

    def request_check(self) -> bool:
        self._check = SelfCheck(LOGITS_CHECK, self.error)
        return True

    def take_check(self) -> SelfCheck | None:
        taken, self._check = self._check, None
        return taken
