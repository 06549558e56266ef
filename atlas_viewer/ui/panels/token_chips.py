"""Layout of the chips for a run's tokens: wrapped like words, each measured once."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compute.generate.steps import StepRecord


_FRAMES = 2  # imgui knows the height of new content one frame later


@dataclass(frozen=True)
class Chip:
    """A chip's left edge and width in pixels, and its line, counted from 0."""

    x: float
    line: int
    width: float


@dataclass
class ChipFlow:
    """Chips for the steps of one run in a panel of one width."""

    width: float = 0.0
    chips: list[Chip] = field(default_factory=list)
    following: int = 0  # remaining frames in which the panel scrolls to its end
    _key: object = None
    _texts: list[int] = field(default_factory=list)  # tokens already measured

    def lay_out(self, steps: Sequence[StepRecord], key: object, width: float, gap: float, measure: Measure) -> None:
        """Lay out `steps`; chips of known tokens keep their positions. `key` identifies the font."""
        known = (key, round(width))
        same = 0
        if known == self._key:
            limit = min(len(steps), len(self._texts))
            # Unless the run changes, steps are added and removed only at the end.
            while same < limit and self._texts[same] == steps[same].token:
                same += 1
        self._key, self.width = known, width
        if same < len(steps) or len(steps) < len(self.chips):
            self.following = _FRAMES
        del self.chips[same:], self._texts[same:]
        for step in steps[same:]:
            wide = measure(step)
            last = self.chips[-1] if self.chips else None
            x, line = (last.x + last.width + gap, last.line) if last else (0.0, 0)
            if x > 0 and x + wide > width:
                x, line = 0.0, line + 1
            self.chips.append(Chip(x, line, wide))
            self._texts.append(step.token)

    @property
    def lines(self) -> int:
        """Number of lines."""
        return self.chips[-1].line + 1 if self.chips else 0

    def between(self, first: int, last: int) -> range:
        """Indices of the chips on lines `first` to `last`."""
        start = bisect.bisect_left(self.chips, first, key=lambda chip: chip.line)
        return range(start, bisect.bisect_right(self.chips, last, key=lambda chip: chip.line))


Measure = Callable[["StepRecord"], float]
