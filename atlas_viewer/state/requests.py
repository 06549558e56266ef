"""What panels and keys ask for; the controller does it."""

from __future__ import annotations

from dataclasses import dataclass

from compute.sampling.options import GenerateOptions


@dataclass(frozen=True)
class Generate:
    """Start a run with this prompt and these options; a run in progress is left where it is."""

    prompt: str
    options: GenerateOptions


@dataclass(frozen=True)
class Pause:
    """Hold the run in progress; `Continue` goes on with it."""


@dataclass(frozen=True)
class Stop:
    """End the run in progress."""


@dataclass(frozen=True)
class Continue:
    """Go on with the run that is shown: by `tokens` of them, or (0) as far as its options say, or as much again."""

    tokens: int = 0


@dataclass(frozen=True)
class ResumeWith:
    """Go on with the run that is shown, with these options; its steps count for their `max_new_tokens`."""

    options: GenerateOptions


@dataclass(frozen=True)
class Undo:
    """Take back the last token of the run that is shown."""


@dataclass(frozen=True)
class Branch:
    """Fork the run that is shown: before step `index` with `token` in its place, and go on."""

    index: int
    token: int


@dataclass(frozen=True)
class ShowRun:
    """Show another run of the tree."""

    number: int


@dataclass(frozen=True)
class Use:
    """Copy the text of the run through step `index` into the prompt."""

    index: int


@dataclass(frozen=True)
class SaveTrace:
    """Write lines of the debug trace to a file."""

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Screenshot:
    """Write a picture of the window to a file, PNG."""

    path: str


@dataclass(frozen=True)
class Record:
    """Record what runs write from now on to a new session file."""

    path: str
    logits: str = "f16"  # "none", "f16" or "f32"
    statistics: bool = True


@dataclass(frozen=True)
class EndRecording:
    """Write what waits, and close the session file."""


@dataclass(frozen=True)
class RecordVideo:
    """Record the window itself to a new video file."""

    path: str


@dataclass(frozen=True)
class EndVideo:
    """Close the video file."""


@dataclass(frozen=True)
class BackToRecording:
    """Show the session that is played back again."""


@dataclass(frozen=True)
class OpenRecording:
    """Open a recording in a window of its own."""

    path: str


@dataclass(frozen=True)
class OpenModel:
    """Show another model: what `--model` takes. All runs of the one before are forgotten when it is there."""

    spec: str


@dataclass(frozen=True)
class LookUpModel:
    """Ask the hub about a model of the catalogue."""

    name: str


@dataclass(frozen=True)
class FetchModel:
    """Fetch the model that was looked up."""

    name: str


@dataclass(frozen=True)
class StopFetch:
    """Stop fetching; what has arrived is kept."""


RunRequest = Generate | Pause | Stop | Continue | ResumeWith | Undo | Branch | ShowRun | Use | SaveTrace
SessionRequest = Record | EndRecording | RecordVideo | EndVideo | BackToRecording
ModelRequest = OpenModel | LookUpModel | FetchModel | StopFetch
WindowRequest = Screenshot | OpenRecording
Request = RunRequest | SessionRequest | ModelRequest | WindowRequest
