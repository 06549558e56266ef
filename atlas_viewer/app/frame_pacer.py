"""Decides how much of a frame generation may take, so that the window stays responsive. Plain arithmetic."""

from __future__ import annotations

_SMOOTHING = 0.1
_GAIN = 0.08
# Seconds. An interval this long is a pause between frames, not the duration of one.
_PAUSE = 0.5
# A sweep may make frames of a software adapter this long, which is still more than 25 per second.
_SWEEP = 0.036
# On a software adapter, a pass that takes longer than this many seconds makes frames longer: by this share of the time
# beyond it, up to a limit in seconds. Frames of 46 ms are still more than 20 per second.
_LONG_PASS, _LONGER, _MOST_LONGER = 0.030, 0.4, 0.016


class FramePacer:
    """Adjusts generation's share of a frame, in seconds, to the duration of recent frames.

    Drivers differ in whether the GPU's work delays drawing, presenting or submitting; the time from frame to frame
    includes all of it on every driver.

    The work of a window's frame does not depend on the model. At 30 frames per second it leaves a third of the time,
    so a pass of 0.2 s would be spread over more than 20 frames. Longer frames leave more: what is added to them belongs
    to generation, whose limits rise by it, too.
    """

    def __init__(self, software: bool) -> None:
        """software: whether the adapter runs on the CPU; the target is then 30 frames per second instead of 60."""
        # Frames vary, so the targets are a little above 30 and 60 frames per second.
        self.target = 0.030 if software else 0.016
        self.budget = 0.010 if software else 0.008
        self._software = software
        self._least, self._most = (0.0025, 0.024) if software else (0.004, 0.012)
        self._frame = self._longer = 0.0

    @property
    def frame_s(self) -> float:
        """Smoothed time from frame to frame, in seconds; 0 if unknown."""
        return self._frame

    @property
    def per_second(self) -> float:
        """Frames per second at that rate; 0 if unknown."""
        return 1 / self._frame if self._frame else 0.0

    @property
    def display_interval(self) -> float:
        """Shortest time, in seconds, between two updates of Strip or Map while a run is generating.

        On a software adapter an update costs as much as the panels, so updates become less frequent when frames are
        late.
        """
        if not self._software:
            return 0.0
        late = self.budget <= self._least + self._longer and self._frame > 1.5 * (self.target + self._longer)
        return 0.25 if late else 0.09

    def frame(self, interval: float, generating: bool, sweeping: bool = False, pass_s: float = 0.0) -> None:
        """Record a frame. interval: seconds from the start of the previous frame to the start of this one.

        generating, sweeping: whether a run, or a sweep of edited copies, uses its share. pass_s: seconds of GPU time
        that the run's current pass takes.
        """
        if interval > _PAUSE:
            self._frame = 0.0
            return
        self._frame = interval if not self._frame else self._frame + _SMOOTHING * (interval - self._frame)
        if not (generating or sweeping):
            return
        target, longer = self.target, 0.0
        if self._software and generating:
            longer = min(max(_LONGER * (pass_s - _LONG_PASS), 0.0), _MOST_LONGER)
        elif self._software:
            target = max(target, _SWEEP)
        # What a frame has become longer by is generation's at once; the rest is adjusted.
        self.budget += longer - self._longer + _GAIN * (target + longer - self._frame)
        self.budget = min(max(self.budget, self._least + longer), self._most + longer)
        self._longer = longer
