"""What the Session panel shows: a recording, a video of the window, a session that is played back. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

LOGITS_TYPES = ("f16", "f32", "none")
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass
class RecorderState:
    """The recording of runs. `path`, `logits` and `statistics` are of the one in progress, else of the next one."""

    path: str = "session.atlas"
    logits: str = LOGITS_TYPES[0]
    statistics: bool = True
    stage: str = ""  # "preparing", "recording", "finishing"; empty when nothing is recorded
    steps: int = 0  # that are written
    waiting: int = 0  # entries that are not written yet
    trouble: str = ""  # what is not recorded, and why
    note: str = ""  # what the last one has come to

    @property
    def on(self) -> bool:
        """True until everything is written."""
        return bool(self.stage)


@dataclass
class VideoState:
    """The video of the window."""

    path: str = "window.mp4"
    stage: str = ""  # "recording", "finishing"
    frames: int = 0  # that are written
    dropped: int = 0  # that the encoder had no time for
    trouble: str = ""
    note: str = ""


@dataclass
class PlaybackState:
    """The session that is played back. What follows `position` is what panels ask for."""

    file: str
    model: str
    notice: str = ""  # what cannot be shown, and why
    run: int = 0  # number in the file
    runs: int = 0
    count: int = 0  # steps of the run
    position: int = 0  # steps that are shown
    time: float = 0.0  # of the last of them, in seconds since the run began
    length: float = 0.0
    left: bool = False  # something else is on screen: another run, or this one with other tokens
    event: str = ""  # what was done last in the interface by then
    playing: bool = False
    speed: float = 1.0
    follow: bool = False  # show what another process adds to the file
    camera: bool = True  # look where the recorded camera looked
    seek: int | None = None  # show so many steps


@dataclass
class RecordingState:
    """All of it."""

    recorder: RecorderState = field(default_factory=RecorderState)
    video: VideoState = field(default_factory=VideoState)
    playback: PlaybackState | None = None
    other: str = ""  # path of a recording to open, as it is typed
