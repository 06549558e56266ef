"""Saving and loading the list of edits, as functions on the state."""

from __future__ import annotations

from atlas_viewer.state import edit_files, edit_list
from atlas_viewer.state.state import State
from compute.errors import AtlasError
from compute.io.escape import one_line

from . import file_dialogs

_EDITS = ("Edits", f"*{edit_files.SUFFIX}")


def save(state: State) -> None:
    """Write the list to the file of the panel."""
    menu = state.edit_menu
    try:
        menu.note = edit_files.save(menu.path, state.edits)
    except AtlasError as error:
        menu.note = str(error)


def load(state: State) -> None:
    """Replace the list by that of the file of the panel, which can be undone."""
    menu, edits = state.edit_menu, state.edits
    try:
        entries = edit_files.load(menu.path, edits)
    except AtlasError as error:
        menu.note = str(error)
        return
    edits.change(entries)
    edit_list.apply(state)
    count = "1 edit" if len(entries) == 1 else f"{len(entries)} edits"
    menu.note = f"loaded {count} from {one_line(menu.path)}"


def choose(state: State) -> None:
    """Choose a file, and load it."""

    def take(path: str) -> None:
        state.edit_menu.path = path
        load(state)

    file_dialogs.choose("Load edits", state.edit_menu.path, _EDITS, take)
