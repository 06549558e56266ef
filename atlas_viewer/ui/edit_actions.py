"""Actions on the list of edits as functions on the state."""

from __future__ import annotations

from atlas_viewer.state import edit_list, edit_scopes
from atlas_viewer.state.edit_list import OFF, SOLO
from atlas_viewer.state.edit_scopes import Scope
from atlas_viewer.state.state import State
from compute.errors import UsageError

from .action import Action


def has_edits(state: State) -> bool:
    """True when the list has an entry."""
    return bool(state.edits.entries)


def can_edit(state: State) -> bool:
    """True when something is selected, or under the mouse, that an edit can change."""
    return bool(scopes(state))


def scopes(state: State) -> list[Scope]:
    """What can be edited of the value under the mouse, or of the selection."""
    return edit_scopes.scopes(state, state.highlight)


def open_menu(state: State) -> None:
    """Open the menu for editing what is under the mouse, or else the selection."""
    state.edit_menu.open(state.highlight)


def zero(state: State) -> None:
    """Set to zero what is selected: a head as a whole, otherwise the smallest part."""
    found = scopes(state)
    if found:
        edit_list.add(state, f"{found[0].target} = 0")
        show(state)


def show(state: State) -> None:
    """Bring the Edits panel to the front without focusing it."""
    state.ui.hidden.discard("Edits")
    state.ui.raised = "Edits"


def can_undo(state: State) -> bool:
    """True when a change to the list can be undone."""
    return state.edits.can_undo


def can_redo(state: State) -> bool:
    """True when a change to the list can be redone."""
    return state.edits.can_redo


def hold_off(state: State) -> None:
    """Switch all edits off while the key is held; without a key, until the same is chosen again."""
    _hold(state, OFF)


def hold_solo(state: State) -> None:
    """Leave only the chosen edit on while the key is held; without a key, until the same is chosen again."""
    _hold(state, SOLO)


def _hold(state: State, what: str) -> None:
    edit_list.hold(state, "" if state.edits.held == what else what)


def toggle_rerun(state: State) -> None:
    """Switch between running the text again after a change, and applying it from the next token on."""
    state.edits.reruns = not state.edits.reruns


def toggle_chosen(state: State) -> None:
    """Switch the chosen entry on or off."""
    if state.edits.chosen is not None:
        edit_list.switch(state, state.edits.chosen)


def remove_chosen(state: State) -> None:
    """Remove the chosen entry."""
    if state.edits.chosen is not None:
        edit_list.remove(state, state.edits.chosen)


def add(state: State, text: str) -> bool:
    """Add an edit that the user has chosen or typed; False, with the reason in the state, when it is none."""
    menu = state.edit_menu
    try:
        edit_list.add(state, text)
    except UsageError as error:
        menu.error = menu.refused = str(error)
        return False
    menu.error = menu.refused = ""
    return True


def release(state: State) -> None:
    """End "solo" and "all off"."""
    edit_list.hold(state, "")


def open_panel(state: State) -> None:
    """Go to the Edits panel."""
    state.ui.hidden.discard("Edits")
    state.ui.front = "Edits"


EDIT_ACTIONS = (
    Action("edits.menu", "Edit what is selected ...", "Edits", open_menu, "Ctrl+E", can_edit),
    Action("edits.zero", "Set what is selected to zero", "Edits", zero, "Delete", can_edit),
    Action("edits.undo", "Undo the last change to the edits", "Edits", edit_list.undo, "Ctrl+Z", can_undo),
    Action("edits.redo", "Redo the change to the edits", "Edits", edit_list.redo, "Ctrl+Shift+Z", can_redo),
    Action("edits.off", "All edits off while the key is held", "Edits", hold_off, "U", has_edits, release=release),
    Action("edits.solo", "Only the chosen edit while the key is held", "Edits", hold_solo, "I", has_edits,
           release=release),
    Action("edits.toggle", "Switch the chosen edit on or off", "Edits", toggle_chosen, "V", has_edits),
    Action("edits.remove", "Remove the chosen edit", "Edits", remove_chosen, "Shift+Delete", has_edits),
    Action("edits.clear", "Remove all edits", "Edits", edit_list.clear, "Ctrl+Delete", has_edits),
    Action("edits.rerun", "Run again after a change, or apply it from the next token on", "Edits", toggle_rerun,
           "Shift+V"),
    Action("focus.Edits", "Go to Edits", "Edits", open_panel, "Z"),
)  # fmt: skip
