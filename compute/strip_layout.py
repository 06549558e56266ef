"""Where every tensor lies in the strip atlas: a pure function of the registry."""

from __future__ import annotations

from dataclasses import dataclass

from .registry import Registry, Tensor

WIDTH, HEIGHT = 640, 360  # cells
GAP = 64  # empty cells before a span
BUDGETS = {"embedding": 4096, "activation": 1024, "weight": 512, "logits": 4096}  # cells of a span, at most


@dataclass(frozen=True)
class Span:
    """Consecutive cells, row by row, that show `values` values of one tensor."""

    name: str
    family: str
    first: int
    cells: int
    values: int

    @property
    def last(self) -> int:
        """Its last cell."""
        return self.first + self.cells - 1

    def as_json(self) -> dict[str, str | int]:
        """What `atlas` writes for this span."""
        return {
            "name": self.name,
            "first": self.first,
            "last": self.last,
            "cells": self.cells,
            "values": self.values,
        }

    def source_index(self, cell: int) -> int:
        """Which value cell number `cell` of the span shows (0 is its first)."""
        if self.cells == self.values:
            return cell
        return cell * (self.values - 1) // max(1, self.cells - 1)


@dataclass(frozen=True)
class StripLayout:
    """All spans in order, and the names of the tensors that found no room."""

    spans: tuple[Span, ...]
    left_out: tuple[str, ...]


def strip_layout(registry: Registry) -> StripLayout:
    """Lay the registry's strip tensors out for the latest pass."""
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
        cells = min(values, BUDGETS[tensor.family], WIDTH * HEIGHT - start)
        if cells <= 0:
            left_out.append(tensor.name)
            continue
        spans.append(Span(tensor.name, tensor.family, start, cells, values))
        cursor = start + cells
    return StripLayout(tuple(spans), tuple(left_out))


def strip_tensors(registry: Registry) -> list[Tensor]:
    """The tensors that the strip shows, in its order."""
    return [tensor for tensor in registry if tensor.strip]
