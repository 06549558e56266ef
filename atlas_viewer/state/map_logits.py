"""The logits on Map: their mean, relative to which they are shown, and the labels of the likeliest next tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compute.generate.steps import StepRecord
from compute.views.palettes import Rgb

from .color_mapping import RangeAxis
from .distribution import Distribution
from .label_space import SMALL, Label, LabelSpace, elided
from .map_bands import Band, Visible

LIKELIEST: Rgb = (0.45, 1.0, 0.35)  # color of their outlines, and of the lines to their labels
MARKED = 10  # likeliest tokens that are marked
SEEN = 120.0  # minimum width of the logits, in pixels, at which they are
_SHIFTS = (0, 0.5, -0.5, 1, -1, 1.5, -1.5, 2, -2, 3, 4, 5)  # lines by which a label may be below its cell
_LEGIBLE = 49.0  # width of a cell in pixels from which on every token is in its cell
_LONGEST = 110.0  # pixels for a token's text


@dataclass(frozen=True)
class LogitsCenter:
    """What Map subtracts from the logits before it colors them: the mean. distance: the largest one from the mean."""

    name: str
    mean: float
    distance: float

    def histogram(self, distribution: Distribution, axis: RangeAxis, columns: int) -> tuple[float, ...]:
        """How many logits are in each of `columns` parts of the axis, which shows distances from the mean."""
        edges = [self.mean + axis.value_at(column / columns) for column in range(1, columns)]
        below = np.searchsorted(distribution.ascending, np.array(edges, np.float32))
        counts: list[float] = np.diff(below, prepend=0, append=distribution.ascending.size).tolist()
        return tuple(counts)


def likeliest(step: StepRecord | None) -> tuple[int, ...]:
    """The tokens with the largest logits, largest first, as far as they are marked."""
    return tuple(candidate.token for candidate in step.top[:MARKED]) if step else ()


def token_labels(shown: Visible, space: LabelSpace) -> None:
    """Add rank and text of the likeliest next tokens beside the logits, each with a line to its cell."""
    for band in shown.bands:
        if band.tensor.is_logits and band.right - band.left >= SEEN and band.cell_width < _LEGIBLE:
            for rank, token in enumerate(shown.words.likeliest, start=1):
                _token_label(shown, space, band, rank, token)


def _token_label(shown: Visible, space: LabelSpace, band: Band, rank: int, token: int) -> None:
    x, y = shown.view.pixel_at(*band.placement.cell_of(0, token))
    center, middle = x + band.cell_width / 2, y + band.cell_height / 2
    if not (0 < center < shown.width and 0 < middle < shown.height):
        return
    half = max(band.cell_width / 2, 4.0)
    text = f"{rank}. {elided(shown.words.vocabulary(token), _LONGEST, SMALL)}"
    width = Label(text, 0, 0, SMALL).width
    sides = [(band.right + 8, (center + half, middle)), (band.left - width - 8, (center - half, middle))]
    if center < (band.left + band.right) / 2:
        sides.reverse()
    space.add(
        *(
            Label(text, side, line - SMALL / 2, SMALL, role=band.role, to=to)
            for side, to in sides
            for shift in _SHIFTS
            if band.top <= (line := middle + shift * (SMALL + 2)) <= band.bottom
        )
    )
