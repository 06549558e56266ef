"""The menu for editing what is selected: which part of it, and what to do with that."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import edit_scopes
from atlas_viewer.state.edit_scopes import Scope
from atlas_viewer.state.requests import PatchFrom
from atlas_viewer.state.state import State
from atlas_viewer.ui import edit_actions, file_dialogs, theme, widget_tracking
from compute.edits.values import path_text

from .toolbar import button_width
from .widgets import browse_button, browse_width, dim, drawable, elided, tooltip, wrapped

_POPUP = "edit selection"
_WIDTH = 30.0  # ems
_ARRAYS = ("Vectors and means", "*.npy *.npz")


def draw(state: State) -> None:
    """Draw the menu while it is open."""
    menu = state.edit_menu
    if menu.wanted:
        menu.wanted = False
        imgui.open_popup(_POPUP)
    imgui.set_next_window_size(ImVec2(theme.em(_WIDTH), 0))
    if not imgui.begin_popup(_POPUP):
        if menu.drag is None:
            menu.rectangle = None
        return
    state.hovered = menu.subject  # so that the views show it
    scopes = edit_scopes.scopes(state, menu.subject, menu.rectangle)
    if not scopes:
        dim("Nothing is selected")
    else:
        _choose(state, scopes)
        chosen = scopes[min(menu.scope, len(scopes) - 1)]
        imgui.separator()
        _numbers(state, chosen)
        if not chosen.weight:
            _patch(state, chosen)
        if not chosen.pattern:
            _steer(state, chosen)
        if menu.error:
            wrapped(menu.error, theme.now.error)
    imgui.end_popup()


def _choose(state: State, scopes: list[Scope]) -> None:
    """The parts, one of which is edited, each with its text."""
    menu = state.edit_menu
    for number, scope in enumerate(scopes):
        if imgui.radio_button(
            f"{elided(scope.title, theme.em(_WIDTH - 4))}###edit scope {number}", menu.scope == number
        ):
            menu.scope = number
        widget_tracking.track(f"edit scope {number}")
        tooltip(scope.target)
    with theme.numbers():
        dim(elided(scopes[min(menu.scope, len(scopes) - 1)].target, theme.em(_WIDTH - 1)))


def _numbers(state: State, scope: Scope) -> None:
    """Zero, scale, mean, knock out; and a number to set."""
    _button(state, "Zero", f"{scope.target} = 0", "Set every value to 0")
    imgui.same_line()
    _button(state, "Scale", f"{scope.target} *= 0.5", "Halve every value; the slider in Edits then changes the factor")
    if scope.has_mean:
        imgui.same_line()
        _button(state, "Mean", f"{scope.target} = mean", "Set every row to the mean over the prompt")
    if scope.pattern:
        imgui.same_line()
        _button(
            state, "Knock out", f"{scope.scores} = -inf", "Mask it before the softmax, so other keys get its weight"
        )
    menu = state.edit_menu
    imgui.set_next_item_width(theme.em(7))
    _, menu.value = widget_tracking.input_float("##edit value", menu.value, 0.0, 0.0, "%.6g")
    imgui.same_line()
    _button(state, "Set", f"{scope.target} = {menu.value:.9g}", "Set every value to this number")
    imgui.same_line()
    _button(state, "Add", f"{scope.target} += {menu.value:.9g}", "Add this number to every value")


def _button(state: State, label: str, text: str, tip: str) -> None:
    if widget_tracking.button(f"{label}###edit {label}"):
        _add(state, text)
    tooltip(f"{tip}\n{text}")


def _add(state: State, text: str) -> None:
    if edit_actions.add(state, text):
        edit_actions.show(state)
        imgui.close_current_popup()


def _patch(state: State, scope: Scope) -> None:
    """Take the values of a step of any run, by its number."""
    menu, runs = state.edit_menu, state.runs.all
    if menu.run not in runs:
        menu.run = state.run.number if state.run is not None else 0
        menu.step = state.step.index if state.step is not None else 0
    imgui.align_text_to_frame_padding()
    imgui.text("Patch from")
    imgui.same_line()
    width = imgui.get_content_region_avail().x - button_width("Patch") - theme.em(6.5)
    imgui.set_next_item_width(width - 3 * imgui.get_style().item_spacing.x)
    run = runs.get(menu.run)
    shown = "no run" if run is None else f"{run.number}: {run.title}"
    if widget_tracking.begin_combo("##patch run", elided(shown, width)):
        for number, known in runs.items():
            if widget_tracking.selectable(f"{number}: {drawable(known.title)}##patch run {number}", number == menu.run)[
                0
            ]:
                menu.run, menu.step = number, max(len(known.steps) - 1, 0)
        imgui.end_combo()
    imgui.same_line()
    imgui.set_next_item_width(theme.em(6))
    _, step = widget_tracking.input_int("##patch step", menu.step + 1, 1)
    menu.step = min(max(step, 1), max(len(run.steps) if run else 1, 1)) - 1
    tooltip("The step whose pass the values are taken from: row r takes row r")
    imgui.same_line()
    imgui.begin_disabled(run is None)
    if widget_tracking.button("Patch###edit Patch") and run is not None:
        state.requests.append(PatchFrom(scope.target, run.number, menu.step))
        edit_actions.show(state)
        imgui.close_current_popup()
    imgui.end_disabled()
    tooltip("Set the values to those of that run at that step. For a recording, type run(FILE.atlas, STEP) in Edits.")


def _steer(state: State, scope: Scope) -> None:
    """Add a vector from a file."""
    menu = state.edit_menu

    def take(path: str) -> None:
        menu.vector = path

    imgui.align_text_to_frame_padding()
    imgui.text("Steer by")
    imgui.same_line()
    gap = imgui.get_style().item_spacing.x
    imgui.set_next_item_width(-button_width("Steer") - browse_width() - 2 * gap)
    _, menu.vector = widget_tracking.input_text_with_hint("##edit vector", "vector.npy or direction.npz", menu.vector)
    imgui.same_line()
    browse_button(
        "browse vector", lambda: file_dialogs.choose("Choose a vector", menu.vector, _ARRAYS, take), "Choose a file"
    )
    imgui.same_line()
    path = menu.vector.strip()
    imgui.begin_disabled(not path)
    if widget_tracking.button("Steer###edit Steer"):
        value = f"mean({path_text(path)})" if path.endswith(".npz") else path_text(path)
        _add(state, f"{scope.target} += {value}")
    imgui.end_disabled()
    tooltip("Add the vector to every selected row; its strength is a slider in Edits")
