"""Requests from panels and keys, carried out by the run controller."""

from __future__ import annotations

from dataclasses import dataclass

from compute.sampling.options import GenerateOptions
from compute.text.chat import Turn

from .tensor_save import Scheme


@dataclass(frozen=True)
class Generate:
    """Start a run with this prompt and these options. A run in progress is stopped.

    turns: of a chat, whose last one is the prompt; none for a plain text.
    """

    prompt: str
    options: GenerateOptions
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True)
class Pause:
    """Pause the run in progress; `Continue` resumes it."""


@dataclass(frozen=True)
class Stop:
    """End the run in progress."""


@dataclass(frozen=True)
class Continue:
    """Continue the visible run by `tokens` tokens; 0: up to its target, or by New tokens if it is reached."""

    tokens: int = 0


@dataclass(frozen=True)
class ResumeWith:
    """Continue the visible run with these options. Its existing steps count toward `max_new_tokens`.

    until: number of tokens at which it pauses, if not 0.
    """

    options: GenerateOptions
    until: int = 0


@dataclass(frozen=True)
class Undo:
    """Remove the last token of the visible run."""


@dataclass(frozen=True)
class Branch:
    """Fork the visible run: replace the token of step `index` with `token`, and continue unless it is paused."""

    index: int
    token: int


@dataclass(frozen=True)
class ShowRun:
    """Show another run."""

    number: int


@dataclass(frozen=True)
class Use:
    """Copy the text of the run through step `index` into the prompt."""

    index: int


@dataclass(frozen=True)
class ApplyEdits:
    """Give the model the list of edits of the state as it is then.

    edits: their texts now, for recordings. reruns: run the text again from the first token that the change affects;
    otherwise the edits apply from the next token on.
    """

    edits: tuple[str, ...] = ()
    reruns: bool = True


@dataclass(frozen=True)
class PatchFrom:
    """Add an edit that sets `target` to what it is at step `step` of a run of this window, by its number."""

    target: str
    run: int
    step: int


@dataclass(frozen=True)
class MeasureEdit:
    """Measure how far an entry of the list of edits, by its number, moves the prediction of the step shown."""

    number: int


@dataclass(frozen=True)
class SaveTrace:
    """Write lines of the debug trace to a file."""

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Screenshot:
    """Write a picture of the window to a PNG file, and show its path.

    path: empty for a new name in the current folder, which never replaces a file.
    """

    path: str = ""


@dataclass(frozen=True)
class SaveTensors:
    """Write the tensors of `names`, names and globs between spaces, to a new file. A run in progress is paused."""

    names: str
    path: str
    scheme: Scheme = "atlas"


@dataclass(frozen=True)
class StopSaving:
    """Stop writing tensors; no file remains."""


@dataclass(frozen=True)
class Record:
    """Record all runs from now on, in a new recording."""

    path: str
    logits: str = "f16"  # "none", "f16" or "f32"
    statistics: bool = True


@dataclass(frozen=True)
class EndRecording:
    """Write the waiting entries, and close the recording."""


@dataclass(frozen=True)
class RecordVideo:
    """Record the window itself to a new video file."""

    path: str


@dataclass(frozen=True)
class EndVideo:
    """Close the video file."""


@dataclass(frozen=True)
class BackToRecording:
    """Return to the recording being played back."""


@dataclass(frozen=True)
class OpenRecording:
    """Play a recording in this window. The live model and its runs stay in memory; see `CloseRecording`.

    discard: whether runs that exist only in this window may be discarded; otherwise the user is asked first.
    """

    path: str
    discard: bool = False


@dataclass(frozen=True)
class CloseRecording:
    """Close the recording, and show the live model and its runs again. discard: as in `OpenRecording`."""

    discard: bool = False


@dataclass(frozen=True)
class OpenRecordingWindow:
    """Open a recording in a window of its own."""

    path: str


@dataclass(frozen=True)
class OpenModel:
    """Open another model, which discards all runs once it is loaded.

    spec: as for `--model`; discard: do so even if there are earlier runs, instead of asking first.
    """

    spec: str
    discard: bool = False


@dataclass(frozen=True)
class LookUpModel:
    """Ask the hub about a model of the catalog."""

    name: str


@dataclass(frozen=True)
class FetchModel:
    """Download the model that was looked up."""

    name: str


@dataclass(frozen=True)
class StopFetch:
    """Stop the download; the part that has arrived is kept."""


RunRequest = (
    Generate
    | Pause
    | Stop
    | Continue
    | ResumeWith
    | Undo
    | Branch
    | ShowRun
    | Use
    | SaveTrace
    | ApplyEdits
    | PatchFrom
    | MeasureEdit
)
SessionRequest = Record | EndRecording | RecordVideo | EndVideo | BackToRecording
ModelRequest = OpenModel | LookUpModel | FetchModel | StopFetch
WindowRequest = Screenshot | OpenRecording | CloseRecording | OpenRecordingWindow | SaveTensors | StopSaving
Request = RunRequest | SessionRequest | ModelRequest | WindowRequest
