"""The state of the recording, the video of the window, and the playback. Plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .requests import Request

LOGITS_TYPES = ("f16", "f32", "none")
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass
class RecorderState:
    """The recording of runs. `path`, `logits` and `statistics` apply to the current or the next recording."""

    path: str = "session.atlas"
    logits: str = LOGITS_TYPES[0]
    statistics: bool = True
    stage: str = ""  # "preparing", "recording", "finishing"; empty when nothing is recorded
    steps: int = 0  # written
    waiting: int = 0  # entries not written yet
    trouble: str = ""  # what is not recorded, and why
    note: str = ""  # the outcome of the last recording

    @property
    def on(self) -> bool:
        """True from the start until everything is written."""
        return bool(self.stage)


@dataclass
class VideoState:
    """The video of the window."""

    path: str = "window.mp4"
    stage: str = ""  # "recording", "finishing"
    frames: int = 0  # frames written
    dropped: int = 0  # frames that the encoder was too slow for
    trouble: str = ""
    note: str = ""


@dataclass
class PlaybackState:
    """The recording being played back. Panels set the fields from `playing` onward."""

    file: str
    model: str
    notice: str = ""  # what cannot be shown, and why
    run: int = 0  # number of the run in the file
    runs: int = 0
    count: int = 0  # steps in the run
    position: int = 0  # steps shown
    time: float = 0.0  # time of the last step shown, in seconds since the start of the run
    length: float = 0.0
    left: bool = False  # True: the window shows another run, or this one with different tokens
    event: str = ""  # the last interface action before that time
    playing: bool = False
    speed: float = 1.0
    follow: bool = False  # show steps that another process adds to the file
    camera: bool = True  # follow the recorded camera
    seek: int | None = None  # number of steps to show next
    # The recorded branches of the run: their numbers in the window, by the step (from 0) that they replace.
    branches: Mapping[int, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """Asks the user before runs are discarded. act: what `request` does, as a button shows it."""

    text: str
    act: str
    request: Request


@dataclass
class RecordingState:
    """Recorder, video and playback."""

    recorder: RecorderState = field(default_factory=RecorderState)
    video: VideoState = field(default_factory=VideoState)
    playback: PlaybackState | None = None
    other: str = ""  # path of a recording to open, as typed
    typing: bool = False  # the next frame puts the keyboard focus on that path
    live: str = ""  # name of the live model to which `CloseRecording` returns; empty when there is none
    saved: dict[int, int] = field(default_factory=dict)  # steps of each run that a file contains, by number of the run
    question: Question | None = None  # for the dialog "discard"
