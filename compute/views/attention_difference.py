"""The Attention view of a difference: the pictures of one pass minus those of another."""

from __future__ import annotations

import dataclasses

from compute.forward.pass_tensors import Subtraction

from .attention_head import AttentionHead, AttentionViews, HeadLine
from .attention_wall import AttentionWall, HeadStatistics


class DifferenceViews(AttentionViews):
    """The wall and the matrices of a - b."""

    def __init__(self, subtraction: Subtraction) -> None:
        super().__init__(subtraction.a)
        self.wall: AttentionWall = _Wall(subtraction)
        self.head: AttentionHead | None = _Head(subtraction) if self.wall.layers else None


class _Wall(AttentionWall):
    def __init__(self, subtraction: Subtraction) -> None:
        super().__init__(subtraction.a)
        self._subtraction, self._b = subtraction, AttentionWall(subtraction.b)
        self._minus = {"other_tiles": self._b._tiles}
        self._found: HeadStatistics | None = None
        self._found_b: HeadStatistics | None = None

    @property
    def complete(self) -> bool:
        """See `AttentionWall`; of both."""
        return super().complete and self._b.complete

    def update(self) -> bool:
        """See `AttentionWall`; of both."""
        if self._relative != self._subtraction.relative:
            self._relative = self._subtraction.relative
            self._paintings.clear()
        own = super().update()
        return self._b.update() or own

    def request_statistics(self) -> bool:
        """See `AttentionWall`; of both."""
        if not self._b.request_statistics():
            return False
        return super().request_statistics()

    def take_statistics(self) -> HeadStatistics | None:
        """The statistics of one minus those of the other, once both have arrived."""
        self._found = super().take_statistics() or self._found
        self._found_b = self._b.take_statistics() or self._found_b
        one, other = self._found, self._found_b
        if one is None or other is None:
            return None
        self._found = self._found_b = None
        return dataclasses.replace(one, repeats=min(one.repeats, other.repeats), means=one.means - other.means)


class _Head(AttentionHead):
    def __init__(self, subtraction: Subtraction) -> None:
        super().__init__(subtraction.a)
        self._subtraction, self._b = subtraction, AttentionHead(subtraction.b)
        self._minus = {f"other_{name}": buffer for name, buffer in self._b._matrices.items()}
        self._found: HeadLine | None = None
        self._found_b: HeadLine | None = None

    def select(self, layer: int, head: int) -> None:
        """Choose a head, of both."""
        super().select(layer, head)
        self._b.select(layer, head)

    @property
    def complete(self) -> bool:
        """See `AttentionHead`; of both."""
        return super().complete and self._b.complete

    @property
    def known(self) -> bool:
        """See `AttentionHead`; of both."""
        return super().known and self._b.known

    def update(self) -> bool:
        """See `AttentionHead`; of both."""
        if self._relative != self._subtraction.relative:
            self._relative = self._subtraction.relative
            self._paintings.clear()
        own = super().update()
        return self._b.update() or own

    def request_line(self, query: int, key: int) -> bool:
        """See `AttentionHead`; of both."""
        if not self._b.request_line(query, key):
            return False
        return super().request_line(query, key)

    def take_line(self) -> HeadLine | None:
        """The lines of one minus those of the other, once both have arrived."""
        self._found = super().take_line() or self._found
        self._found_b = self._b.take_line() or self._found_b
        one, other = self._found, self._found_b
        if one is None or other is None:
            return None
        self._found = self._found_b = None
        return dataclasses.replace(
            one,
            peaks=(max(one.peaks[0], other.peaks[0]), max(one.peaks[1], other.peaks[1])),
            query_scores=one.query_scores - other.query_scores,
            query_weights=one.query_weights - other.query_weights,
            key_scores=one.key_scores - other.key_scores,
            key_weights=one.key_weights - other.key_weights,
        )
