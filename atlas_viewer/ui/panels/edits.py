"""The Edits panel: what is changed inside the model, with switches, strengths, order, undo, presets and files."""

from __future__ import annotations

from dataclasses import replace

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import edit_list, edit_words
from atlas_viewer.state.edit_list import OFF, SOLO, Entry
from atlas_viewer.state.edited_places import edits_shown
from atlas_viewer.state.requests import MeasureEdit
from atlas_viewer.state.state import State
from atlas_viewer.ui import edit_actions, theme, widget_tracking
from compute.edits.values import Number

from . import edit_lists
from .toolbar import button_width
from .widgets import beside, dim, elided, hint, packed, tooltip, wrapped

NAME = "Edits"

_EMPTY = (
    "An edit changes numbers inside the model while it runs. Select a head, a neuron, a token or a cell and press"
    " Ctrl+E, drag a rectangle on Map with Shift, or type an edit here."
)
_EXAMPLE = "h.2.attn.out[head=4] = 0"
_FACTORS, _STRENGTHS = (0.0, 2.0), {"=": (0.0, 1.0), "+=": (-4.0, 4.0), "*=": (0.0, 2.0)}
_BAR = 0.25  # ems, the width of the bar beside the chosen entry


def draw(state: State) -> None:
    """Draw the tools, the field for a new edit, the list, and what the step on screen was computed with."""
    _tools(state)
    _field(state)
    edits = state.edits
    if not edits.entries:
        hint(_EMPTY)
    else:
        for number, entry in enumerate(edits.entries):
            imgui.push_id(entry.number)
            _entry(state, entry, number)
            imgui.pop_id()
    _shown(state)


def _tools(state: State) -> None:
    """Undo, redo, solo, all off, and when a change applies."""
    edits = state.edits
    _button(state, "Undo###edits undo", edits.can_undo, edit_list.undo, "Undo the last change to the list  Ctrl+Z")
    beside(button_width("Redo"))
    _button(state, "Redo###edits redo", edits.can_redo, edit_list.redo, "Ctrl+Shift+Z")
    for what, label, act, tip in (
        (OFF, "All off", edit_actions.hold_off, "Hold U to see the model without edits"),
        (SOLO, "Solo", edit_actions.hold_solo, "Hold I to see the chosen edit alone"),
    ):
        beside(button_width(label))
        with theme.colored(imgui.Col_.button, theme.now.accent_dim if edits.held == what else theme.now.raised):
            _button(state, f"{label}###edits {what}", bool(edits.entries), act, tip)
    beside(button_width("List ..."))
    edit_lists.draw(state)
    changed, reruns = widget_tracking.checkbox("Run again from the edit###edits reruns", edits.reruns)
    if changed:
        edits.reruns = reruns
    tooltip(
        "On: a change runs the text again from the first token that it affects, in a branch. Off: it applies from the"
        " next token on.  Shift+V"
    )


def _button(state: State, label: str, possible: bool, act: edit_lists.Act, tip: str) -> None:
    imgui.begin_disabled(not possible)
    if widget_tracking.button(label):
        act(state)
    imgui.end_disabled()
    tooltip(tip)


def _field(state: State) -> None:
    """The field for typing a new edit."""
    menu = state.edit_menu
    imgui.set_next_item_width(-1)
    flags = imgui.InputTextFlags_.enter_returns_true
    entered, typed = widget_tracking.input_text_with_hint("##new edit", _EXAMPLE, menu.typed, flags)
    tooltip("TARGET OP VALUE, then Enter. OP is = (set), += (add) or *= (scale).")
    if typed != menu.typed:
        menu.typed, menu.refused = typed, ""
    if entered and menu.typed.strip() and edit_actions.add(state, menu.typed.strip()):
        menu.typed = ""
    if menu.refused:
        wrapped(menu.refused, theme.now.error)


def _entry(state: State, entry: Entry, at: int) -> None:
    """One entry: switch, words, order and removal; then its slider; then what it does."""
    edits = state.edits
    start = imgui.get_cursor_screen_pos()
    changed, on = widget_tracking.checkbox(f"###edit on {at}", entry.on)
    tooltip("Switch the edit on or off  V")
    if changed:
        edits.chosen = entry.number
        edit_list.switch(state, entry.number, on)
    imgui.same_line()
    gap = imgui.get_style().item_spacing.x
    buttons = button_width("x") + gap
    width = max(imgui.get_content_region_avail().x - buttons, theme.em(4))
    if state.edit_menu.changing == entry.number:
        _changing(state, entry, width)
    else:
        _words(state, entry, at, width)
    imgui.same_line()
    if widget_tracking.button(f"x###edit remove {at}"):
        edit_list.remove(state, entry.number)
    tooltip("Remove the edit")
    imgui.indent(imgui.get_frame_height() + gap)
    _order(state, entry, at)
    _slider(state, entry, at)
    _outcome(state, entry, at)
    imgui.unindent(imgui.get_frame_height() + gap)
    if edits.chosen == entry.number:
        end = ImVec2(start.x - theme.em(0.2), imgui.get_item_rect_max().y)
        low = ImVec2(end.x - theme.em(_BAR), start.y)
        imgui.get_window_draw_list().add_rect_filled(low, end, packed(theme.now.accent))


def _order(state: State, entry: Entry, at: int) -> None:
    """Two arrows, where there is more than one entry."""
    count = len(state.edits.entries)
    if count < 2:
        return
    for direction, by, tip in ((imgui.Dir.up, -1, "Apply it earlier"), (imgui.Dir.down, 1, "Apply it later")):
        imgui.begin_disabled(not 0 <= at + by < count)
        if widget_tracking.arrow_button(f"###edit {'up' if by < 0 else 'down'} {at}", direction):
            edit_list.reorder(state, entry.number, by)
        imgui.end_disabled()
        tooltip(f"{tip}: edits apply in the order of the list")
        imgui.same_line()


def _words(state: State, entry: Entry, at: int, width: float) -> None:
    """The edit in words; a click chooses it, a double click changes its text."""
    color = theme.now.text if entry in state.edits.in_force else theme.now.text_dim
    imgui.align_text_to_frame_padding()
    with theme.colored(imgui.Col_.text, color):
        clicked, _ = widget_tracking.selectable(
            f"{elided(edit_words.words(entry.edit), width)}###edit {at}", state.edits.chosen == entry.number,
            imgui.SelectableFlags_.allow_double_click, ImVec2(width, imgui.get_frame_height()),
        )  # fmt: skip
    tooltip(f"{entry.text}{f'  ({entry.note})' if entry.note else ''}\nDouble-click to change it")
    if clicked:
        state.edits.chosen = entry.number
        if imgui.is_mouse_double_clicked(imgui.MouseButton_.left):
            menu = state.edit_menu
            menu.changing, menu.text, menu.changing_begun = entry.number, entry.text, False


def _changing(state: State, entry: Entry, width: float) -> None:
    """The text of the edit in a field. Enter takes it, Escape leaves it as it was."""
    menu = state.edit_menu
    imgui.set_next_item_width(width)
    if not menu.changing_begun:
        imgui.set_keyboard_focus_here()
        menu.changing_begun = True
    flags = imgui.InputTextFlags_.enter_returns_true
    entered, menu.text = widget_tracking.input_text("##edit text", menu.text, flags)
    if imgui.is_key_pressed(imgui.Key.escape, False):
        menu.changing = None
    elif entered:
        menu.refused = edit_lists.attempt(lambda: edit_list.rewrite(state, entry.number, menu.text.strip()))
        menu.changing = None if not menu.refused else menu.changing


def _slider(state: State, entry: Entry, at: int) -> None:
    """The factor of a scaling, otherwise the strength."""
    edit, number = entry.edit, entry.number
    scales = edit.op == "*=" and isinstance(edit.value, Number)
    if scales and isinstance(edit.value, Number):
        value, (low, high), text, tip = edit.value.value, _FACTORS, "x %.2f", "The factor"
    elif not edit_lists.has_strength(edit):
        dim("on or off")
        return
    else:
        value, (low, high), text = entry.strength, _STRENGTHS[edit.op], "strength %.2f"
        tip = "0: no change, 1: the edit as written" if edit.op != "+=" else "Multiplies what is added"
    imgui.set_next_item_width(-1)
    changed, new = widget_tracking.slider_float(f"###edit strength {at}", value, low, high, text)
    if imgui.is_item_deactivated():
        state.edits.end_gesture()
    tooltip(f"{tip}. Ctrl+click to type a number.")
    if not changed:
        return
    new = round(new, 3)
    state.edits.chosen = number
    gesture = ("slider", number)
    if scales:
        changed_edit = replace(edit, value=Number(new))
        edit_list.update(state, number, lambda one: replace(one, edit=changed_edit), gesture)
    else:
        edit_list.set_strength(state, number, new, gesture)


def _outcome(state: State, entry: Entry, at: int) -> None:
    """What the edit has done and how far that moves the prediction, or why it does nothing."""
    edits = state.edits
    problem = edits.problems.get(entry.number)
    if problem:
        wrapped(problem, theme.now.error)
        return
    effect = edits.effects.get(entry.number, "")
    if effect and entry in edits.in_force:
        with theme.colored(imgui.Col_.text, theme.now.error if effect.startswith("no effect") else theme.now.text_dim):
            imgui.text_wrapped(effect)
        if edits.chosen == entry.number:
            beside(button_width("Measure"))
            if widget_tracking.small_button(f"Measure###measure edit {at}"):
                state.requests.append(MeasureEdit(entry.number))
            tooltip(
                "How far it moves the prediction of the step on screen, beside a random vector as long and rounding"
            )
    if entry.number in edits.measures:
        wrapped(edits.measures[entry.number], theme.now.text)


def _shown(state: State) -> None:
    """Say when the step on screen was computed with other edits than those of the list."""
    if state.step is None or state.busy:
        return
    shown, wanted = [str(edit) for edit in edits_shown(state)], [str(edit) for edit in state.edits.active]
    if shown == wanted:
        return
    imgui.spacing()
    if shown:
        dim("The step on screen was computed with")
        for text in shown:
            wrapped(text, theme.now.text_dim)
    elif wanted:
        hint("The step on screen was computed without edits; the list applies from the next token on.")
