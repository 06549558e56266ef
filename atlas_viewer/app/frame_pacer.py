"""How much of a frame the generation may take, so that the window stays live. Plain arithmetic."""

from __future__ import annotations

_LEAST, _MOST = 0.004, 0.024
_SMOOTHING = 0.1
_GAIN = 0.08
# A frame after a rest says nothing about how long frames take.
_REST = 0.5


class FramePacer:
    """Steers the generation's share, in seconds a frame, by how long the last frames took.

    Whether the GPU's work shows up in the time to draw, to present or to submit differs from driver to driver; the
    time from frame to frame always has all of it.
    """

    def __init__(self, software: bool) -> None:
        """software: the adapter runs on the host processor, where 30 frames a second are the aim and not 60."""
        self.target = 0.030 if software else 0.0165
        self.budget = 0.010 if software else 0.008
        self._software = software
        self._most = _MOST if software else 0.012
        self._frame = 0.0

    @property
    def frame_s(self) -> float:
        """Seconds from frame to frame, smoothed; 0 when unknown."""
        return self._frame

    @property
    def display_interval(self) -> float:
        """Seconds at least between two pictures of the atlas while a run writes.

        Painting and showing it costs a software adapter as much as the panels do; it makes room when frames are late.
        """
        if not self._software:
            return 0.0
        late = self.budget <= _LEAST and self._frame > self.target
        return 0.25 if late else 0.1

    def frame(self, interval: float, generating: bool) -> None:
        """Tell how long the last frame took, in seconds from its start to the next one's start."""
        if interval > _REST:
            self._frame = 0.0
            return
        self._frame = interval if not self._frame else self._frame + _SMOOTHING * (interval - self._frame)
        if generating:
            self.budget += _GAIN * (self.target - self._frame)
            self.budget = min(max(self.budget, _LEAST), self._most)
