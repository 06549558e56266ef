"""The presets: choosing one, and saving, renaming and deleting the user's own."""

from __future__ import annotations

import dataclasses

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import presets
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from .option_rows import label
from .widgets import dim, tooltip

_POPUP = "presets"


def draw(state: State) -> None:
    """Draw one row: the list of presets, and a button to edit them."""
    saved = state.ui.presets
    current = presets.name_of(state.options, saved)
    label("Preset", "Sets temperature, filters and penalty together")
    button = imgui.calc_text_size("Edit").x + 2 * imgui.get_style().frame_padding.x
    imgui.set_next_item_width(-button - imgui.get_style().item_spacing.x)
    if widget_tracking.begin_combo("##preset", current or "custom values"):
        for name, preset in presets.all_presets(saved).items():
            if widget_tracking.selectable(f"{name}##preset", name == current)[0]:
                _choose(state, name)
            tooltip(presets.summary(preset))
        imgui.end_combo()
    imgui.same_line()
    if widget_tracking.button("Edit###Edit##preset", ImVec2(button, 0)):
        state.preset_name = current if current in saved else ""
        imgui.open_popup(_POPUP)
    tooltip("Save, rename or delete a preset")
    if imgui.begin_popup(_POPUP):
        _edit(state, current)
        imgui.end_popup()


def _choose(state: State, name: str) -> None:
    preset = presets.all_presets(state.ui.presets)[name]
    options = presets.applied(preset, state.options)
    if state.model is not None:  # the preset may have been saved for a larger vocabulary
        options = dataclasses.replace(options, top_k=min(options.top_k, state.model.vocabulary))
    state.options = options


def _edit(state: State, current: str | None) -> None:
    saved = state.ui.presets
    dim(f"Preset {current}" if current else "These values are not a preset yet")
    imgui.set_next_item_width(theme.em(16))
    if imgui.is_window_appearing():
        imgui.set_keyboard_focus_here()
    _, state.preset_name = widget_tracking.input_text_with_hint("##preset name", "name", state.preset_name)
    entered = imgui.is_item_deactivated_after_edit() and imgui.is_key_pressed(imgui.Key.enter)
    name = state.preset_name.strip()
    reason = presets.cannot_save(name, state.options, saved)
    if _button("Save###Save##preset", reason) or (entered and not reason):
        presets.save(name, state.options, saved)
        imgui.close_current_popup()
    imgui.same_line()
    if _button("Rename###Rename##preset", presets.cannot_rename(current, name, saved)) and current:
        presets.rename(current, name, saved)
    imgui.same_line()
    if _button("Delete###Delete##preset", "" if current in saved else "Only a saved preset can be deleted") and current:
        del saved[current]


def _button(label: str, reason: str) -> bool:
    """Draw a button that closes the popup; with a `reason`, it is disabled and shows the reason as a tooltip."""
    imgui.begin_disabled(bool(reason))
    pressed = bool(widget_tracking.button(label))
    imgui.end_disabled()
    if reason and imgui.is_item_hovered(imgui.HoveredFlags_.allow_when_disabled):
        imgui.set_tooltip(reason)
    if pressed:
        imgui.close_current_popup()
    return pressed
