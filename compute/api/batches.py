"""Which texts run in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def batches(lengths: Sequence[int], context: int) -> Iterator[list[int]]:
    """Indices of texts of equal length that fit into the context one after another; together every index once."""
    of_length: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        of_length.setdefault(length, []).append(index)
    for length, indices in of_length.items():
        at_once = max(1, context // length)
        for first in range(0, len(indices), at_once):
            yield indices[first : first + at_once]
