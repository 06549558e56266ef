"""A NumPy model of Strip: the position of every tensor in 640 x 360 cells, and the color of every cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 640, 360
GAP = 64
BUDGETS = {"embedding": 4096, "activation": 1024, "weight": 512, "logits": 4096}


@dataclass(frozen=True)
class Entry:
    """A tensor that has a span: its name, number of values and kind (a key of `BUDGETS`)."""

    name: str
    values: int
    kind: str


@dataclass(frozen=True)
class Span:
    """Cells `first` to `last` of Strip, counted row by row, show the `values` values of tensor `name`."""

    name: str
    first: int
    last: int
    cells: int
    values: int
    kind: str


def layout(entries: Iterable[Entry]) -> list[Span]:
    """Spans of `entries` in their order. The first that does not fit is cut; those after it are left out."""
    spans: list[Span] = []
    at = 0
    for entry in entries:
        if spans:
            column = at % WIDTH
            if column > 0 and column + GAP > WIDTH:
                at += WIDTH - column
            at += GAP
        cells = min(entry.values, BUDGETS[entry.kind], WIDTH * HEIGHT - at)
        if cells <= 0:
            break
        spans.append(Span(entry.name, at, at + cells - 1, cells, entry.values, entry.kind))
        at += cells
    return spans


def sources(cells: int, values: int) -> np.ndarray:
    """Index of the value that each of `cells` cells shows, int64 [cells]."""
    i = np.arange(cells, dtype=np.int64)
    return i if cells == values else i * (values - 1) // max(1, cells - 1)


def pooled(values: np.ndarray, cells: int) -> np.ndarray:
    """The most extreme of the values [n] that each of `cells` cells represents, [cells].

    NaN ranks above infinity, infinity above finite values, which rank by magnitude; +x ranks above -x.
    """
    starts = sources(cells, len(values))
    # Each range ends at the next start and has at least one value. The maximum and minimum of a range with NaN are NaN.
    high, low = np.maximum.reduceat(values, starts), np.minimum.reduceat(values, starts)
    return np.where(high >= -low, high, low)


def paint(tensors: Mapping[str, np.ndarray], spans: Iterable[Span], *, pool: bool = False) -> np.ndarray:
    """The picture of `spans` over `tensors` (any shape, by name); uint8 [360, 640, 4]."""
    rgb = np.empty((HEIGHT * WIDTH, 3))
    rgb[:] = (0.025, 0.035, 0.055)
    for span in spans:
        values = np.asarray(tensors[span.name]).ravel().astype(np.float64)
        shown = pooled(values, span.cells) if pool else values[sources(span.cells, span.values)]
        scaled = shown if span.kind == "weight" else values
        finite = np.abs(scaled[np.isfinite(scaled)])
        rgb[span.first : span.last + 1] = colors(shown, max(finite.max(initial=0.0), 1e-12))
    rgba = np.concatenate([rgb, np.ones((HEIGHT * WIDTH, 1))], axis=1)
    picture: np.ndarray = np.rint(rgba * 255).astype(np.uint8).reshape(HEIGHT, WIDTH, 4)
    return picture


def colors(values: np.ndarray, absmax: float | np.ndarray) -> np.ndarray:
    """Colors of `values` [n] scaled by the largest magnitude `absmax`, a number or [n]; float [n, 3] from 0 to 1."""
    magnitude = np.where(np.isfinite(values), np.abs(values), absmax)
    brightness = np.maximum(0.04, np.sqrt(np.minimum(1, magnitude / absmax)))
    rgb = np.empty((len(values), 3))
    rgb[values > 0] = _mix((0.18, 0.10, 0.02), (1.00, 0.82, 0.10), np.maximum(0.08, brightness))[values > 0]
    rgb[values < 0] = _mix((0.02, 0.12, 0.30), (0.00, 0.78, 1.00), np.maximum(0.08, brightness))[values < 0]
    rgb[values == 0] = (0.06, 0.07, 0.09)
    rgb[np.isnan(values)] = (1.0, 0.04, 0.18)
    rgb[values == np.inf] = (1.0, 0.24, 0.52)
    rgb[values == -np.inf] = (0.72, 0.02, 0.36)
    return rgb


def _mix(dark: tuple[float, ...], light: tuple[float, ...], amount: np.ndarray) -> np.ndarray:
    colors: np.ndarray = np.array(dark) + (np.array(light) - np.array(dark)) * amount[:, None]
    return colors
