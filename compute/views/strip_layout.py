"""The layout of Strip: where each tensor is, as a pure function of the registry."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

from compute.models.registry import Registry, Tensor

WIDTH, HEIGHT = 640, 360  # cells
GAP = 64  # empty cells before a span
BUDGETS = {"embedding": 4096, "activation": 1024, "weight": 512, "logits": 4096}  # maximum cells per span


@dataclass(frozen=True)
class Span:
    """Consecutive cells, row by row, that show `values` values of one tensor."""

    name: str
    kind: str
    first: int
    cells: int
    values: int

    @property
    def last(self) -> int:
        """Its last cell."""
        return self.first + self.cells - 1

    def as_json(self) -> dict[str, str | int]:
        """This span as the `atlas` command prints it."""
        return {
            "name": self.name,
            "first": self.first,
            "last": self.last,
            "cells": self.cells,
            "values": self.values,
        }

    def source_index(self, cell: int) -> int:
        """The index of the value that the span's cell `cell` (from 0) shows when values are sampled."""
        if self.cells == self.values:
            return cell
        return cell * (self.values - 1) // max(1, self.cells - 1)

    def source_range(self, cell: int) -> tuple[int, int]:
        """The first and last value that the span's cell `cell` represents. The ranges of all cells cover the tensor."""
        first = self.source_index(cell)
        end = self.values if cell == self.cells - 1 else max(self.source_index(cell + 1), first + 1)
        return first, end - 1

    def cell_of(self, index: int) -> int:
        """The index of the span's cell that represents value `index`."""
        if self.cells == self.values:
            return index
        if index >= self.values - 1:
            return self.cells - 1
        # The last cell whose source index is at most `index`.
        return max(0, ((index + 1) * (self.cells - 1) - 1) // (self.values - 1)) if self.cells > 1 else 0


@dataclass(frozen=True)
class StripLayout:
    """All spans in order, and the names of the tensors that did not fit."""

    spans: tuple[Span, ...]
    left_out: tuple[str, ...]

    def span_at(self, cell: int) -> Span | None:
        """The span that contains this cell of Strip; None where there is none."""
        position = bisect.bisect_right(self.spans, cell, key=lambda span: span.first) - 1
        return self.spans[position] if position >= 0 and cell <= self.spans[position].last else None


def strip_layout(registry: Registry) -> StripLayout:
    """Lay out the registry's strip tensors for the latest pass."""
    spans: list[Span] = []
    left_out: list[str] = []
    cursor = 0
    for tensor in strip_tensors(registry):
        values = registry.count(tensor)
        if values == 0:
            continue
        start = cursor
        if spans:
            column = start % WIDTH
            if column > 0 and column + GAP > WIDTH:
                start += WIDTH - column
            start += GAP
        cells = min(values, BUDGETS[tensor.kind], WIDTH * HEIGHT - start)
        if cells <= 0:
            left_out.append(tensor.name)
            continue
        spans.append(Span(tensor.name, tensor.kind, start, cells, values))
        cursor = start + cells
    return StripLayout(tuple(spans), tuple(left_out))


def strip_tensors(registry: Registry) -> list[Tensor]:
    """The tensors that Strip shows, in its order."""
    return [tensor for tensor in registry if tensor.strip]
