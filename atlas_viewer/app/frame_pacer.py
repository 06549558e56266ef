"""Decides how much of a frame generation may take, so that the window stays responsive. Plain arithmetic."""

from __future__ import annotations

_SMOOTHING = 0.1
_GAIN = 0.08
# Seconds. An interval this long is a pause between frames, not the duration of one.
_PAUSE = 0.5
# A sweep may make frames of a software adapter this long, which is still more than 25 per second.
_SWEEP = 0.036


class FramePacer:
    """Adjusts generation's share of a frame, in seconds, to the duration of recent frames.

    Drivers differ in whether the GPU's work delays drawing, presenting or submitting; the time from frame to frame
    includes all of it on every driver.
    """

    def __init__(self, software: bool) -> None:
        """software: whether the adapter runs on the CPU; the target is then 30 frames per second instead of 60."""
        # Frames vary, so the targets are a little above 30 and 60 frames per second.
        self.target = 0.030 if software else 0.016
        self.budget = 0.010 if software else 0.008
        self._software = software
        self._least, self._most = (0.0025, 0.024) if software else (0.004, 0.012)
        self._frame = 0.0

    @property
    def frame_s(self) -> float:
        """Smoothed time from frame to frame, in seconds; 0 if unknown."""
        return self._frame

    @property
    def display_interval(self) -> float:
        """Shortest time, in seconds, between two updates of Strip or Map while a run is generating.

        On a software adapter an update costs as much as the panels, so updates become less frequent when frames are
        late.
        """
        if not self._software:
            return 0.0
        late = self.budget <= self._least and self._frame > 1.5 * self.target
        return 0.25 if late else 0.09

    def frame(self, interval: float, generating: bool, sweeping: bool = False) -> None:
        """Record a frame. interval: seconds from the start of the previous frame to the start of this one.

        generating, sweeping: whether a run, or a sweep of edited copies, uses its share.
        """
        if interval > _PAUSE:
            self._frame = 0.0
            return
        self._frame = interval if not self._frame else self._frame + _SMOOTHING * (interval - self._frame)
        if generating or sweeping:
            target = max(self.target, _SWEEP) if self._software and not generating else self.target
            self.budget += _GAIN * (target - self._frame)
            self.budget = min(max(self.budget, self._least), self._most)
