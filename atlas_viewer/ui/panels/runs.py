"""All runs and their branches as a tree; a click shows a run, a double-click renames it."""

from __future__ import annotations

from imgui_bundle import imgui

from atlas_viewer.state.requests import ShowRun
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from .widgets import dim, elided, hint, quoted, tooltip

NAME = "Runs"

_INDENT = 1.1  # ems per level


def draw(state: State) -> None:
    """Draw one row per run: where it branched, its name, its number of tokens."""
    runs = state.runs.order()
    if not runs:
        hint("Every run is listed here. Click a candidate in the logits table to make a branch.")
        return
    for run in runs:
        imgui.push_id(run.number)
        _row(state, run)
        imgui.pop_id()


def _row(state: State, run: Run) -> None:
    shown = state.run is run
    depth = state.runs.depth(run)
    em = imgui.get_font_size()
    imgui.set_cursor_pos_x(imgui.get_cursor_pos_x() + depth * _INDENT * em)
    if state.ui.renaming == run.number:
        _rename(state, run)
        return
    length = f"{len(run.steps)}"
    wide = imgui.calc_text_size(length).x
    right = imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x - wide
    width = imgui.get_content_region_avail().x - wide - em
    title = elided(_title(state, run), width)
    clicked, _ = widget_tracking.selectable(f"{title}###run{run.number}", shown)
    if imgui.is_item_hovered() and imgui.is_mouse_double_clicked(imgui.MouseButton_.left):
        state.ui.renaming = run.number
    elif clicked and not shown:
        state.requests.append(ShowRun(run.number))
    _tip(state, run)
    imgui.same_line(right)
    dim(length)


def _title(state: State, run: Run) -> str:
    if run.name or run.parent is None or run.fork >= len(run.steps):
        return run.title
    return f"#{run.fork + 1} {quoted(run.steps[run.fork].text)}"


def _tip(state: State, run: Run) -> None:
    origin = "" if run.parent is None else f"branch of {state.runs.all[run.parent].title} before #{run.fork + 1}\n"
    tooltip(f"{origin}{run.prompt[-200:]}{run.continuation[:400]}\n\ndouble-click to rename")


def _rename(state: State, run: Run) -> None:
    ui = state.ui
    imgui.set_next_item_width(-1)
    first = not ui.renaming_begun
    if first:
        imgui.set_keyboard_focus_here()
        ui.renaming_begun = True
    flags = imgui.InputTextFlags_.enter_returns_true | imgui.InputTextFlags_.auto_select_all
    with theme.colored(imgui.Col_.border, theme.now.accent):
        entered, name = widget_tracking.input_text("##name", run.name or _title(state, run), flags)
    if entered:
        run.name = name.strip()
    left = imgui.is_item_deactivated() and not first
    if entered or left or imgui.is_key_pressed(imgui.Key.escape, False):
        ui.renaming, ui.renaming_begun = 0, False
