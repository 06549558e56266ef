"""The popup of the Edits panel: presets, and the list as a file."""

from __future__ import annotations

from collections.abc import Callable

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import edit_files, edit_list
from atlas_viewer.state.presets import bad_name
from atlas_viewer.state.state import State
from atlas_viewer.ui import edit_file_actions, theme, widget_tracking
from compute.edits.grammar import Edit
from compute.edits.strength import with_strength
from compute.errors import AtlasError, UsageError

from .toolbar import button_width
from .widgets import browse_button, browse_width, dim, hint, tooltip, wrapped

Act = Callable[[State], None]
_POPUP, _WIDTH = "list of edits", 26.0  # ems
_STAYS = int(imgui.SelectableFlags_.no_auto_close_popups)


def attempt(act: Callable[[], object]) -> str:
    """Run `act`; returns why it was refused, empty when it was not."""
    try:
        act()
    except AtlasError as error:
        return str(error)
    return ""


def has_strength(edit: Edit) -> bool:
    """True unless the edit can only be on or off."""
    try:
        with_strength(edit, 0.5)
    except UsageError:
        return False
    return True


def draw(state: State) -> None:
    """Draw a button that opens the presets, the file, and the button that removes everything."""
    if widget_tracking.button("List ...###edits list"):
        imgui.open_popup(_POPUP)
    tooltip("Presets, the list as a file, and removing all edits")
    imgui.set_next_window_size(ImVec2(theme.em(_WIDTH), 0))
    if imgui.begin_popup(_POPUP):
        _clear(state)
        imgui.separator()
        _presets(state)
        imgui.separator()
        _file(state)
        imgui.end_popup()


def _clear(state: State) -> None:
    imgui.begin_disabled(not state.edits.entries)
    if widget_tracking.button("Remove all###edits clear"):
        edit_list.clear(state)
    imgui.end_disabled()
    tooltip("Ctrl+Delete")


def _presets(state: State) -> None:
    """The named lists, and a field to name this one."""
    saved, menu = state.ui.edit_presets, state.edit_menu
    dim("Presets" if saved else "No presets yet")
    for name, lines in list(saved.items()):
        if widget_tracking.button(f"x###delete edit preset {name}"):
            del saved[name]
        tooltip("Delete the preset")
        imgui.same_line()
        if widget_tracking.selectable(f"{name}###edit preset {name}", False, _STAYS)[0]:
            menu.note = attempt(lambda lines=lines: _use(state, lines))  # type: ignore[misc]
        tooltip("\n".join(lines))
    name = menu.preset.strip()
    imgui.set_next_item_width(-button_width("Save as preset") - imgui.get_style().item_spacing.x)
    _, menu.preset = widget_tracking.input_text_with_hint("##edit preset name", "name", menu.preset)
    imgui.same_line()
    reason = bad_name(name) or ("" if state.edits.entries else "There are no edits to save")
    imgui.begin_disabled(bool(reason))
    if widget_tracking.button("Save as preset###save edit preset"):
        menu.note = attempt(lambda: saved.update({name: edit_files.preset_lines(state.edits)}))
    imgui.end_disabled()
    tooltip(reason or "Keep the list under this name")


def _use(state: State, lines: list[str]) -> None:
    edits = state.edits
    edits.change(edit_files.parse_lines(lines, edits))
    edit_list.apply(state)


def _file(state: State) -> None:
    menu = state.edit_menu
    dim("File")
    gap = imgui.get_style().item_spacing.x
    imgui.set_next_item_width(-button_width("Save") - button_width("Load") - browse_width() - 3 * gap)
    _, menu.path = widget_tracking.input_text_with_hint("##edit file", "file", menu.path)
    tooltip("A text file with one edit per line")
    imgui.same_line()
    browse_button("browse edits", lambda: edit_file_actions.choose(state), "Choose a file to load")
    imgui.same_line()
    if widget_tracking.button("Save###save edits"):
        edit_file_actions.save(state)
    tooltip("Write the list to the file, which is replaced")
    imgui.same_line()
    if widget_tracking.button("Load###load edits"):
        edit_file_actions.load(state)
    tooltip("Replace the list by that of the file")
    if menu.note:
        failed = not menu.note.startswith(("saved", "loaded"))
        wrapped(menu.note, theme.now.error) if failed else hint(menu.note)
