"""The inspector: facts about the value under the cursor or the selected pin, and the list of pins."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import edited_places, selecting
from atlas_viewer.state.inspection import Inspection, Pin, shown_value
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.inspector_rows import facts
from atlas_viewer.ui.services import Services

from . import plots, value_histogram
from .widgets import dim, elided_start, hint, tooltip, wrapped

NAME = "Inspector"

# In ems: the labels of facts, the plot of a pin, and the space for facts above the pins.
_LABELS, _PLOT, _FACTS = 5.1, 3.6, 14.4


def draw(state: State, services: Services) -> None:
    """Draw facts about the value in focus, then the pins, whose position does not depend on the facts."""
    if not state.inspection.pins:
        _focus(state, services)
        return
    if imgui.begin_child("focus", ImVec2(0, min(theme.em(_FACTS), imgui.get_content_region_avail().y / 1.5))):
        _focus(state, services)
    imgui.end_child()
    imgui.separator()
    _pins(state)


def _focus(state: State, services: Services) -> None:
    element = state.inspection.focus
    if element is None:
        hint("Point at a cell of Strip or Map. Right-click pins it, arrow keys move it, Ctrl+C copies its value.")
        return
    _facts(state, services)
    info = state.inspection.tensors.get(element.name)
    _edit(state)
    value_histogram.draw(state, element.name)
    if info is not None:
        hint(info.sentence)


def _edit(state: State) -> None:
    """The edits that have changed the value, and a button that opens the menu for editing it."""
    element = state.inspection.single(state.inspection.focus) if state.inspection.focus is not None else None
    if element is None:
        return
    for edit in edited_places.edits_of_element(state, element):
        wrapped(f"edited: {edit}", theme.now.edit)
    if widget_tracking.button("Edit ...###edit inspected"):
        state.edit_menu.open(selecting.of_element(state, element))
    tooltip("Zero, scale or set the value, its row, its column or its head; patch it, or steer  Ctrl+E")


def _facts(state: State, services: Services) -> None:
    element = state.inspection.focus
    if element is None or not imgui.begin_table("inspected", 2, imgui.TableFlags_.sizing_fixed_fit):
        return
    imgui.table_setup_column("what", imgui.TableColumnFlags_.width_fixed, theme.em(_LABELS))
    imgui.table_setup_column("value", imgui.TableColumnFlags_.width_stretch)
    for what, text in facts(state, element, services.tokenizer):
        imgui.table_next_row()
        imgui.table_next_column()
        dim(what)
        imgui.table_next_column()
        with theme.numbers():
            wrapped(text, theme.now.accent if what == "Value" else theme.now.text)
    imgui.end_table()


def _pins(state: State) -> None:
    inspection = state.inspection
    removed = None
    if imgui.begin_child("pins"):
        for index, pin in enumerate(inspection.pins):
            imgui.push_id(index)
            if _pin(inspection, index, pin):
                removed = index
            imgui.pop_id()
    imgui.end_child()
    if removed is not None:
        inspection.unpin(removed)


def _pin(inspection: Inspection, index: int, pin: Pin) -> bool:
    """Draw one row: remove button, name[index], value, plot. True when the pin is to be removed."""
    removed = widget_tracking.small_button(f"x##unpin{index}")
    tooltip("Remove the pin")
    imgui.same_line()
    value = _short(inspection.value(pin.element)) if inspection.exists(pin.element) else "-"
    name = str(pin.element)
    free, plot = imgui.get_content_region_avail().x, theme.em(_PLOT)
    with theme.numbers():
        figures = imgui.calc_text_size("-0.123456").x + theme.em(0.9)
        width = max(free - plot - figures, theme.em(2.7))
        clicked, _ = widget_tracking.selectable(
            f"{elided_start(name, width)}###pin{index}", inspection.selected == index, 0, ImVec2(width, 0)
        )
        tooltip(name)
        if clicked:
            inspection.selected = None if inspection.selected == index else index
        imgui.same_line()
        imgui.text(value)
    imgui.same_line(imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x - plot)
    plots.course(pin.history, ImVec2(plot, imgui.get_text_line_height()))
    tooltip(f"The last {len(pin.history)} passes")
    return bool(removed)


def _short(value: float | None) -> str:
    """The value with six digits, because the row is narrow; the facts above show all digits."""
    return shown_value(value) if value is None else f"{value:.6g}"
