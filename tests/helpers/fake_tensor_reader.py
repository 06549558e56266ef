"""Tensors, values and statistics without a GPU: those of a small model, whose values encode their position."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from atlas_viewer.state.color_mapping import ColorMapping
from atlas_viewer.state.inspection import ProbedValue, TensorInfo
from compute.models.tensor_index import TensorIndex
from compute.views.strip_layout import Span, StripLayout
from compute.views.strip_sheet import StripSheet, strip_sheet

ROWS, CHANNELS, VOCABULARY, PADDED = 12, 192, 50257, 50304
EDGES = (-1e3, -10.0, -1.0, -0.1, 0.0, 0.1, 1.0, 10.0, 1e3)


def fake_tensors() -> tuple[dict[str, TensorInfo], StripLayout]:
    """Tensors in run order, and the layout of those in Strip."""
    known = [
        ("embedding", "wte", "weight", (PADDED, CHANNELS), False, None),
        ("embedding", "embed.tokens", "embedding", (ROWS, CHANNELS), True, (0, 2304)),
        ("block 0", "h.0.ln_1.weight", "weight", (CHANNELS,), False, (2368, 192)),
        ("block 0", "h.0.attn.c_attn.weight", "weight", (576, CHANNELS), False, (2624, 512)),
        ("block 1", "h.1.mlp.gelu", "activation", (ROWS, 4 * CHANNELS), True, (3200, 1024)),
        ("head", "logits", "logits", (PADDED,), False, (4288, 4096)),
    ]
    tensors = {}
    for section, name, kind, shape, per_token, cells in known:
        count = shape[0] if len(shape) == 1 else shape[0] * shape[1]
        span = Span(name, kind, cells[0], cells[1], count) if cells else None
        words = PADDED in shape
        tensors[name] = TensorInfo(
            name, kind, shape, f"What {name} is.", per_token, span, section=section, by_vocabulary=words
        )
    return tensors, StripLayout(tuple(info.span for info in tensors.values() if info.span), ())


def fake_sheet() -> StripSheet:
    """How the window arranges that layout."""
    tensors, layout = fake_tensors()
    return strip_sheet(layout, lambda name: tensors[name].section)


def fake_statistics(bad: str | None = None) -> dict[str, Any]:
    """Statistics of every tensor; tensor `bad` has a NaN at index 7."""
    tensors, _ = fake_tensors()
    return {
        name: SimpleNamespace(
            name=name, shape=info.shape, count=info.count, finite=info.count - (name == bad), nan=int(name == bad),
            pos_inf=0, neg_inf=0, zero=0, min=-1.25 - index, max=2.5 + index, mean=0.125, std=0.5, absmax=2.5 + index,
            first_nonfinite=7 if name == bad else None, samples=(0.0,) * 6, histogram=(0, 1, 5, 9, 9, 5, 1, 0),
        )
        for index, (name, info) in enumerate(tensors.items())
    }  # fmt: skip


class FakeObserver:
    """Everything that is requested arrives at the second poll."""

    edges: Sequence[float] = EDGES
    palettes: tuple[str, ...] = ("demo", "blue-orange")
    rows, first_position = ROWS, 0
    formulas = None

    def __init__(self, bad: str | None = None) -> None:
        self._tensors, self.layout = fake_tensors()
        self.statistics: dict[str, Any] = {}
        self.probed_values: dict[TensorIndex, ProbedValue] = {}
        self.first_bad = bad
        self.looks: list[ColorMapping] = []
        self.asked: list[tuple[TensorIndex, ...]] = []
        self.measured = self.step = self.traced = 0
        self._wait: dict[str, int] = {}

    @property
    def values(self) -> FakeObserver:
        return self

    @property
    def pending(self) -> bool:
        return bool(self._wait)

    def tensors(self) -> dict[str, TensorInfo]:
        return self._tensors

    def set_color_mapping(self, mapping: ColorMapping) -> None:
        self.looks.append(mapping)

    def request_values(self, elements: Sequence[TensorIndex]) -> None:
        self.asked.append(tuple(elements))
        self.step += 1
        self._wait["values"] = 2

    def request_statistics(self) -> None:
        self.measured += 1
        self._wait["statistics"] = 2

    def poll_values(self) -> bool:
        arrived = self._arrived("values")
        if arrived:
            self.probed_values = {element: self._probed(element) for element in self.asked[-1]}
        return arrived

    def poll_statistics(self) -> bool:
        arrived = self._arrived("statistics")
        if arrived:
            self.statistics = fake_statistics(self.first_bad)
        return arrived

    def _probed(self, element: TensorIndex) -> ProbedValue:
        flat = self._tensors[element.name].flat_index(element.index)
        return ProbedValue(flat + self.step / 8, element.index)

    def _arrived(self, kind: str) -> bool:
        if kind not in self._wait:
            return False
        self._wait[kind] -= 1
        if self._wait[kind]:
            return False
        del self._wait[kind]
        return True

    def trace(self) -> Sequence[str]:
        self.traced += 1
        return [f"{name} cells" for name in self._tensors]
