"""The Patching panel: the effect of parts of one run in another, ablation of every head, and steering vectors."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import patching_actions, patching_text
from atlas_viewer.state.navigation import PATCHING
from atlas_viewer.state.patching_view import PATCH, STEER, MapResult
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from . import patching_fields, patching_grid, patching_steer
from .toolbar import button_width
from .view_common import CLICK, loading
from .widgets import beside, dim, elided, hint, tooltip

NAME = PATCHING

_ABOUT = {
    PATCH: "Type two texts that differ in one word. Compute copies the run of one into the run of the other, part by"
    " part, and shows how much of the prediction each part brings along. Example fills in the fields.",
    STEER: "Type texts of two kinds, one per line. The vector from the mean of B to the mean of A, added to the"
    " residual stream, leads what the model writes from B towards A.",
}
_ABOUT_ABLATION = (
    "Compute switches off every head and every MLP, one by one, and shows how the logit of the target changes."
)
_SAVED = 15.0  # ems: width of the field for a file name


def draw(state: State) -> None:
    """Draw the fields, the map with its legend and safeguards, and what can be done with a cell."""
    view = state.patching
    if state.loading or state.model is None:
        loading(state, imgui.get_content_region_avail().x)
        return
    if view.problem:
        hint(view.problem)
        return
    if state.ui.tools:
        patching_fields.draw(state)
    patching_fields.problems(state)
    if view.section == STEER:
        patching_steer.draw(state, _ABOUT[STEER])
        return
    result = view.result
    if result is None:
        hint(_ABOUT.get(view.section, _ABOUT_ABLATION))
        return
    _map(state, result)


def _map(state: State, result: MapResult) -> None:
    view = state.patching
    width = imgui.get_content_region_avail().x
    ink = theme.now.text if view.current else theme.now.text_dim
    with theme.numbers():
        imgui.text_colored(ink, elided(patching_text.title(result), width))
    stale = "" if view.current else "The fields have changed since; compute again.\n"
    tooltip(f"{stale}{patching_text.title(result)}\n{patching_text.meaning(result)}\n{result.seconds:.1f} s")
    lines = patching_text.safeguards(result)
    line = imgui.get_text_line_height_with_spacing()
    foot = theme.em(2.2) + line + imgui.get_frame_height_with_spacing() + line * len(lines)
    avail = imgui.get_content_region_avail()
    hovered, cells = patching_grid.draw(state, result, ImVec2(avail.x, max(avail.y - foot, theme.em(4))))
    below = imgui.get_cursor_screen_pos()
    high = patching_grid.legend(state, result, ImVec2(cells.left, below.y))
    _control(state, result, ImVec2(cells.left + theme.em(15.5), below.y))
    imgui.set_cursor_screen_pos(ImVec2(below.x, below.y + high + theme.em(0.3)))
    _clicks(state, result, hovered)
    shown = hovered or view.chosen
    text = patching_text.cell_text(result, shown) if shown is not None else patching_text.meaning(result)
    with theme.numbers():
        imgui.text_colored(theme.now.text if shown is not None else theme.now.text_dim, elided(text, width))
    tooltip(patching_text.meaning(result))
    _buttons(state, result)
    for text, bad in lines:
        imgui.text_colored(theme.now.error if bad else theme.now.text_dim, elided(text, width))
        tooltip(text)


def _control(state: State, result: MapResult, corner: ImVec2) -> None:
    """The switch between the map and that of the random vectors."""
    if result.control is None:
        return
    after = imgui.get_cursor_screen_pos()
    imgui.set_cursor_screen_pos(corner)
    view = state.patching
    _, view.shows_control = widget_tracking.checkbox("show random vectors##patching", view.shows_control)
    tooltip(patching_text.CONTROL_TIP)
    imgui.set_cursor_screen_pos(after)


def _clicks(state: State, result: MapResult, hovered: tuple[int, int] | None) -> None:
    """Select what a cell is about; a click also lets Map go there, a double-click opens the view."""
    if hovered is None:
        return
    state.hovered = patching_actions.selection_of(result, hovered)
    still = imgui.get_io().mouse_drag_max_distance_sqr[0] < theme.em(CLICK) ** 2
    if imgui.is_mouse_released(imgui.MouseButton_.left) and still:
        patching_actions.choose(state, result, hovered)
    if imgui.is_mouse_double_clicked(imgui.MouseButton_.left):
        patching_actions.open_view(state, result, hovered)
    imgui.set_tooltip(patching_text.cell_text(result, hovered))


def _buttons(state: State, result: MapResult) -> None:
    """What can be done with the chosen cell and with the whole map."""
    view = state.patching
    cell = view.chosen
    imgui.begin_disabled(cell is None)
    if widget_tracking.button("Map###Map##patching") and cell is not None:
        patching_actions.open_on_map(state, result, cell)
    tooltip("Go to the activation of this cell on Map")
    beside(button_width("Attention"))
    imgui.begin_disabled(cell is None or not patching_actions.has_head(result, cell))
    if widget_tracking.button("Attention###Attention##patching") and cell is not None:
        patching_actions.open_in_attention(state, result, cell)
    imgui.end_disabled()
    tooltip("Go to this head in Attention")
    beside(button_width("Apply as edit"))
    if widget_tracking.button("Apply as edit###Apply##patching") and cell is not None:
        patching_actions.apply(state, result, cell)
    tooltip("Add what this cell does to the list of edits, for a run of the text that was patched")
    imgui.end_disabled()
    if cell is None:
        beside(imgui.calc_text_size("click a cell").x)
        imgui.align_text_to_frame_padding()
        dim("click a cell")
    save(state, "map.png", "PNG, SVG with text, npz or json, as the name ends")


def save(state: State, name: str, tip: str) -> None:
    """A field for a file name and a button that saves the result there. name: what an empty field stands for."""
    view = state.patching
    beside(theme.em(_SAVED) + button_width("Save"))
    imgui.set_next_item_width(theme.em(_SAVED))
    _, view.path = widget_tracking.input_text_with_hint("##patching path", name, view.path)
    tooltip(tip)
    imgui.same_line()
    if widget_tracking.button("Save###Save##patching"):
        view.save = view.path or name
    tooltip(f"Save the result: {tip}. No file is replaced")
    if view.note:
        beside(imgui.calc_text_size(view.note).x)
        imgui.align_text_to_frame_padding()
        dim(elided(view.note, imgui.get_content_region_avail().x))
