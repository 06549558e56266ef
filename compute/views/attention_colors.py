"""Colors of the attention view: a square-root scale for weights, and one hue per sign for scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .palettes import Rgb


@dataclass(frozen=True)
class AttentionColors:
    """Stops of the scales, from the value 0 on. weights: of weight 0, 0.25 and 1; later: where a key is masked."""

    weights: tuple[Rgb, Rgb, Rgb]
    negative: tuple[Rgb, Rgb]
    positive: tuple[Rgb, Rgb]
    later: Rgb
    broken: Rgb = (1.0, 0.04, 0.18)  # NaN and infinity

    @property
    def data(self) -> np.ndarray:
        """The structure `Colors` in wgsl/attention/common/color.wgsl, float32."""
        stops = (*self.weights, *self.negative, *self.positive, self.later, self.broken)
        return np.array([(*stop, 1.0) for stop in stops], np.float32)

    def weight(self, value: float) -> Rgb:
        """The color of an attention weight, as the shader computes it."""
        if not math.isfinite(value):
            return self.broken
        level = math.sqrt(min(max(value, 0.0), 1.0))
        if level < 0.5:
            return _mixed(self.weights[0], self.weights[1], 2 * level)
        return _mixed(self.weights[1], self.weights[2], 2 * level - 1)

    def score(self, value: float, peak: float) -> Rgb:
        """The color of a score in a matrix whose largest magnitude is `peak`, as the shader computes it."""
        if not math.isfinite(value):
            return self.broken
        share = min(abs(value) / max(peak, 1e-30), 1.0)
        return _mixed(*(self.negative if value < 0 else self.positive), share)

    def difference(self, value: float, most: float) -> Rgb:
        """The color of a difference of at most `most` either way, as the shader computes it."""
        share = math.sqrt(min(abs(value) / max(most, 1e-30), 1.0)) if math.isfinite(value) else value
        return self.score(math.copysign(share, value), 1.0)


ATTENTION_COLORS: dict[str, AttentionColors] = {
    "dark": AttentionColors(
        weights=((0.075, 0.085, 0.125), (0.16, 0.42, 0.72), (1.0, 0.95, 0.66)),
        negative=((0.10, 0.11, 0.13), (0.24, 0.62, 1.0)),
        positive=((0.10, 0.11, 0.13), (1.0, 0.66, 0.18)),
        later=(0.043, 0.050, 0.064),
    ),
    "light": AttentionColors(
        weights=((1.0, 1.0, 1.0), (0.45, 0.70, 0.93), (0.03, 0.13, 0.38)),
        negative=((1.0, 1.0, 1.0), (0.05, 0.36, 0.80)),
        positive=((1.0, 1.0, 1.0), (0.76, 0.34, 0.0)),
        later=(0.905, 0.915, 0.930),
    ),
}


def _mixed(low: Rgb, high: Rgb, part: float) -> Rgb:
    red, green, blue = (a + (b - a) * part for a, b in zip(low, high, strict=True))
    return (red, green, blue)
