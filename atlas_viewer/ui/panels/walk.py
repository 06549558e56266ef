"""The Walk panel: a page of text about the model, with links to what it speaks of, and buttons to turn the pages."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.state import State
from atlas_viewer.state.walk_control import PANEL, note, show
from atlas_viewer.state.walk_state import WalkState
from atlas_viewer.ui import theme, walk_actions, widget_tracking
from atlas_viewer.walk.pages import Page

from . import layout
from .toolbar import button_width
from .view_common import progress
from .walk_text import paragraphs
from .widgets import beside, dim, elided, hint, primary_button, tooltip, wrapped

NAME = PANEL


class _Shown:
    """The page of the previous frame."""

    page: Page | None = None


_shown = _Shown()
_LOW = 16.0  # height of a panel, in ems, below which its text needs the space of the buttons
_FORWARD = (imgui.Key.space, imgui.Key.right_arrow)
_BACKWARD = (imgui.Key.backspace, imgui.Key.left_arrow)


def draw(state: State) -> None:
    """Draw the open page; without a walk, what there is to open."""
    walks = state.walks
    walks.focused = imgui.is_window_focused(imgui.FocusedFlags_.root_and_child_windows)
    if walks.source is None:
        _choices(state)
        return
    if walks.focused:
        _keys(state)
    page = walks.page
    if page is None or walks.caption:
        _instead(state)
        return
    style = imgui.get_style()
    low = imgui.get_content_region_avail().y < theme.em(_LOW)
    _heading(state, page, low=low)
    footer = 0.0 if low else imgui.get_frame_height() + style.item_spacing.y
    high = max(imgui.get_content_region_avail().y - footer, theme.em(3))
    if imgui.begin_child("walk text", ImVec2(0, high)):
        if _shown.page is not page:
            _shown.page = page
            imgui.set_scroll_y(0)
        paragraphs(state, page, imgui.get_content_region_avail().x)
        missing = note(state, page)
        if missing:
            hint(missing)
    imgui.end_child()
    if not low:
        _buttons(state)


def raise_next(state: State) -> None:
    """Bring the next panel that the walk wants to show to the front, unless it would cover the walk."""
    walks, ui = state.walks, state.ui
    if not walks.panels or ui.front or ui.raised:
        return
    name = walks.panels.popleft()
    if ui.folded or walks.caption or layout.dock_of(name) != layout.dock_of(NAME):
        ui.raised = name


def _choices(state: State) -> None:
    """Draw buttons for the walks that come with the program."""
    hint("A walk explains the model page by page, with your own prompt.")
    if primary_button("Guided walk###walk guided", ImVec2(button_width("Guided walk"), 0)):
        walk_actions.guided(state)
    tooltip("About 20 short pages, from tokens to sampling  F3")
    beside(button_width("One-minute tour"))
    if widget_tracking.button("One-minute tour###walk minute"):
        walk_actions.minute(state)
    tooltip("Four captions, while the model generates  Shift+F3")


def _instead(state: State) -> None:
    """Say why there is no page."""
    walks = state.walks
    if walks.problem:
        wrapped(walks.problem, theme.now.error)
    elif state.map.problem:
        wrapped(f"The walk needs Map: {state.map.problem}", theme.now.error)
    elif walks.caption and walks.page is not None:
        hint("The captions of the one-minute tour are over Map.")
    else:
        step, done = state.map.preparing or ("", 0.0)
        progress("preparing the map for the walk ...", step, done, imgui.get_content_region_avail().x)
    if widget_tracking.button("Close###walk close"):
        walk_actions.close(state)


def _heading(state: State, page: Page, *, low: bool) -> None:
    """Draw the title of the page, with its number. In a low panel the buttons are beside it, so that the text fits."""
    walks = state.walks
    number = f"{walks.number + 1} of {walks.pages}"
    gap = imgui.get_style().item_spacing.x
    wide = imgui.calc_text_size(number).x + (sum(button_width(label) + gap for label in "<>x") + gap if low else 0.0)
    space = imgui.get_content_region_avail().x
    left = imgui.get_cursor_pos_x()
    if low:
        imgui.align_text_to_frame_padding()
    imgui.push_font(None, imgui.get_style().font_size_base * (1.0 if low else 1.25))
    imgui.text(elided(page.title, space - wide - theme.em(1)))
    imgui.pop_font()
    imgui.same_line(left + space - wide)
    dim(number)
    if walks.source is not None:
        tooltip(walks.source.title)
    if low:
        imgui.same_line()
        _turn(walks, "<", ">", imgui.get_style().item_spacing.x)
        imgui.same_line()
        _close(state, "x")


def _turn(walks: WalkState, back: str, forward: str, more: float) -> None:
    """Draw the buttons that turn the pages, with these labels; the second is `more` pixels wider."""
    imgui.begin_disabled(not walks.number)
    if widget_tracking.button(f"{back}###walk back"):
        walks.go(walks.number - 1)
    imgui.end_disabled()
    tooltip("Previous page  Page Up, or Left in this panel")
    imgui.same_line()
    imgui.begin_disabled(walks.number + 1 >= walks.pages)
    if primary_button(f"{forward}###walk next", ImVec2(button_width(forward) + more, 0)):
        walks.go(walks.number + 1)
    imgui.end_disabled()
    tooltip("Next page  Page Down, or Space in this panel")


def _close(state: State, label: str) -> None:
    if widget_tracking.button(f"{label}###walk close"):
        walk_actions.close(state)
    tooltip("Close the walk")


def _buttons(state: State) -> None:
    walks = state.walks
    _turn(walks, "Back", "Next", theme.em(1))
    beside(button_width("Show"))
    if widget_tracking.button("Show###walk show") and walks.page is not None:
        show(state, walks.page.subject)
    tooltip("Fly to the subject of this page again  Shift+Page Down")
    beside(button_width("Close"))
    _close(state, "Close")


def _keys(state: State) -> None:
    """Turn the pages, or follow the next link, with keys that have another meaning elsewhere."""
    io, walks = imgui.get_io(), state.walks
    if io.want_text_input or io.key_ctrl or io.key_alt or io.key_shift:
        return
    if any(imgui.is_key_pressed(key, False) for key in _FORWARD):
        walks.go(walks.number + 1)
    elif any(imgui.is_key_pressed(key, False) for key in _BACKWARD):
        walks.go(walks.number - 1)
    elif imgui.is_key_pressed(imgui.Key.enter, False):
        walk_actions.next_link(state)
