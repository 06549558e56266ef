"""Opens a file or folder that was dropped on the window: a recording or a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from atlas_viewer.state.quoting import counted
from atlas_viewer.state.recording_state import Question
from atlas_viewer.state.requests import OpenModel, OpenRecording
from atlas_viewer.state.runs import unsaved
from atlas_viewer.state.state import State
from compute.io.escape import one_line

_SQLITE = b"SQLite format 3\0"  # the first bytes of every recording


def open_dropped(state: State, paths: Sequence[str], *, models: bool) -> None:
    """Request that the window open the first of `paths`; several files cannot be opened together.

    models: whether this window can open another model. Before runs are discarded, the user is asked.
    """
    if not paths:
        return
    path = paths[0]
    if len(paths) > 1:
        state.messages.append(
            f"{counted(len(paths), 'file')} were dropped, and only one can be opened: {one_line(path)}"
        )
    if _is_recording(Path(path)):
        state.requests.append(OpenRecording(path))
    elif not models:
        state.messages.append(f"{one_line(path)}: is not a recording; open a model with `atlas-viewer view`")
    elif lost := unsaved(state.runs, state.recording.saved):
        text = f"{counted(len(lost), 'run')} that no file contains will be lost with the present model."
        request = OpenModel(path, discard=True)
        state.recording.question = Question(text, f"Open {one_line(Path(path).name)}", request)
        state.ui.dialog = "discard"
    else:
        state.requests.append(OpenModel(path))


def _is_recording(path: Path) -> bool:
    """True for a recording, judged by its first bytes, and for every file with the suffix of recordings."""
    if path.suffix.lower() == ".atlas":
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:  # a folder, or not readable: opening it as a model reports why
        return False
