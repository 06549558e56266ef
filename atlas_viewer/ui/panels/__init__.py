"""The panels and their layout. Each is one file with a name and a function that draws the state."""

from __future__ import annotations

import functools
import time
from types import ModuleType

from imgui_bundle import ImVec4, imgui

from atlas_viewer.state import selecting, walk_control, wavefront_control
from atlas_viewer.state.arrangement import CENTER, COLUMN, COLUMNS, FULL
from atlas_viewer.state.state import State
from atlas_viewer.state.ui_state import UiState
from atlas_viewer.ui import file_dialogs, panel_titles, shortcuts, theme, widget_tracking
from atlas_viewer.ui.services import Services

from . import (
    attention,
    attribution,
    compare,
    dialogs,
    discard,
    distribution,
    drawers,
    edit_menu,
    edits,
    formula_card,
    help_bubble,
    inspector,
    layout,
    lecture,
    lens,
    logits,
    map_panel,
    menu_bar,
    messages,
    models,
    output,
    palette,
    patching,
    prompt,
    recording,
    runs,
    sampling,
    save_tensors,
    status,
    strip,
    tensors,
    timeline,
    tokens,
    trace,
    walk,
    walk_overlay,
    wavefront_bar,
)

# Every panel and its area in each default arrangement; the first panel of an area is in front.
_PANELS: tuple[tuple[ModuleType, str, str, str], ...] = (
    # one column, two columns, two columns and an area below
    (strip, CENTER, CENTER, CENTER),
    (map_panel, CENTER, CENTER, CENTER),
    (attention, CENTER, CENTER, CENTER),
    (lens, CENTER, CENTER, CENTER),
    (attribution, CENTER, CENTER, CENTER),
    (patching, CENTER, CENTER, CENTER),
    (prompt, "top", "left, top", "left, top"),
    (tokens, "middle", "right, middle", "right, middle"),
    (output, "middle", "right, top", "right, top"),
    (runs, "top", "right, middle", "right, middle"),
    (logits, "bottom", "tables", "below"),
    (inspector, "bottom", "right, bottom", "right, bottom"),
    (sampling, "bottom", "left, middle", "left, middle"),
    (edits, "bottom", "left, middle", "left, middle"),
    (distribution, "bottom", "tables", "below"),
    (tensors, "middle", "tables", "below"),
    (trace, "middle", "tables", "below"),
    (compare, "bottom", "tables", "below"),
    (status, "top", "left, bottom", "left, bottom"),
    (recording, "top", "right, bottom", "right, bottom"),
    (walk, "top", "left, bottom", "right, bottom"),
)
_VIEWS = (strip, map_panel, attention, lens, attribution, patching)
_COMPARED = (strip, map_panel, attention, lens)  # show A, B or their difference
# These show pictures or token texts.
_SERVED = (strip, map_panel, attention, lens, inspector, logits, distribution, attribution, compare)
_SETTLED = 3  # the frame by which imgui has brought the saved layout's tabs to the front
NAMES = tuple(panel.NAME for panel, *_ in _PANELS)
# The views, then the panels with a key, then the others.
_BUTTONS = (
    *NAMES[: len(_VIEWS)],
    *panel_titles.DRAWERS,
    *(name for name in NAMES[len(_VIEWS) :] if name not in panel_titles.DRAWERS),
)


def docked(arrangement: str) -> tuple[tuple[str, str], ...]:
    """Name and area of every panel in the default arrangement of this name."""
    column = (COLUMN, COLUMNS, FULL).index(arrangement)
    return tuple((panel.NAME, areas[column]) for panel, *areas in _PANELS)


def draw_all(state: State, services: Services) -> None:
    """Draw the menu, the panels, messages and the open dialog; panels start in the saved layout or the default one."""
    widget_tracking.begin_frame()
    file_dialogs.poll()
    selecting.begin_frame(state)
    shortcuts.handle(state)
    state.walks.focused = False
    walk_control.frame(state, panel_titles.by_title(NAMES), time.perf_counter())
    wavefront_control.frame(state)
    walk.raise_next(state)
    ui = state.ui
    if not ui.lecture:
        menu_bar.draw(state, NAMES)
        timeline.draw(state)
    before, chosen = ui.folded, _chosen(ui)
    below = 0.0 if ui.lecture else timeline.height(ui)
    dock_space, fresh = layout.dock_space(ui, docked, below)
    ui.hidden -= {ui.front, ui.raised}
    if before and not ui.folded:
        ui.front = ui.front or ui.view
    ui.picture_sizes.clear()
    state.inspection.list_visible = False
    if ui.folded:
        _docked(state, dock_space, None)
        text = lecture.height(ui) if ui.lecture else 0.0
        ui.shown = drawers.draw(state, _BUTTONS, lambda name: _content(state, services, name), text)
        if ui.lecture:
            lecture.draw(state)
    else:
        ui.tools = ui.details = True
        ui.shown, focused = _docked(state, dock_space, services)
        if fresh:
            layout.order_tabs(docked(ui.arrangement))
            # Otherwise the last tab of each area would be in front.
            for name in (*layout.front(docked(ui.arrangement)), *chosen, ui.view):
                imgui.set_window_focus(name)
        _bring_to_front(ui, focused)
    formula_card.draw(state)
    edit_menu.draw(state)
    walk_overlay.draw(state)
    wavefront_bar.draw(state)
    messages.draw(state)
    palette.draw(state)
    dialogs.draw(state)
    models.draw(state)
    save_tensors.draw(state)
    discard.draw(state)
    if not ui.folded:
        layout.track_tabs(name for name in NAMES if name not in ui.hidden)
    help_bubble.draw(state)
    layout.notice_docking(ui, NAMES)
    layout.remember(ui)


def _chosen(ui: UiState) -> list[str]:
    """The panels that the user has brought to the front of their areas in a default arrangement."""
    if not ui.arrangement or ui.reset_layout:
        return []
    front = layout.front(docked(ui.arrangement))
    return [name for name in NAMES if name in ui.shown and name not in front and name not in ui.hidden]


def _docked(state: State, dock_space: int, services: Services | None) -> tuple[set[str], str]:
    """Draw the docked and floating panels. Returns the names of those that are visible, and of the focused one.

    Without `services`, they are drawn without contents: something else covers them.
    """
    ui = state.ui
    drawn, focused = set(), ""
    for panel, *_ in _PANELS:
        if panel.NAME in ui.hidden:
            continue
        # A docked panel is transparent, because the canvas already has its color; a floating one is opaque.
        solid = float(layout.floats(panel.NAME, dock_space))
        with theme.colored(imgui.Col_.window_bg, ImVec4(theme.now.back.x, theme.now.back.y, theme.now.back.z, solid)):
            shown, kept = imgui.begin(panel_titles.window(panel.NAME), True, _flags(panel))
        if services is not None:
            if imgui.is_window_focused(imgui.FocusedFlags_.root_and_child_windows):
                focused = panel.NAME
            if shown:
                drawn.add(panel.NAME)
                _content(state, services, panel.NAME)
        imgui.end()
        if not kept:
            ui.hidden.add(panel.NAME)
    return drawn, focused


def _content(state: State, services: Services, name: str) -> None:
    """Draw the panel of this name in the current window."""
    panel = next(panel for panel, *_ in _PANELS if name == panel.NAME)
    if panel is tensors:
        state.inspection.list_visible = True
    if panel in _SERVED:
        panel.draw(state, services)
    else:
        panel.draw(state)
    if panel in _COMPARED:
        compare.badge(state)
    if imgui.is_window_hovered(imgui.HoveredFlags_.root_and_child_windows):
        state.explanation.panel = name


def _bring_to_front(ui: UiState, focused: str) -> None:
    """Bring the requested panels to the front, and note which view is in front. focused: name of the focused panel."""
    views = {panel.NAME for panel in _VIEWS} & ui.shown
    if len(views) == 1 and not ui.front and not ui.raised and imgui.get_frame_count() > _SETTLED:
        ui.view = views.pop()
    if imgui.get_frame_count() == _SETTLED:
        imgui.set_window_focus(ui.view)  # at the start, keys go to the current view
    if ui.front:
        imgui.set_window_focus(ui.front)
    if ui.raised:
        layout.raise_panel(ui.raised, focused)
    ui.front = ui.raised = ""


@functools.cache
def _flags(panel: ModuleType) -> int:
    # Otherwise, of the panels that appear together at the start, the last would come to the front of its area.
    flags = imgui.WindowFlags_.no_collapse | imgui.WindowFlags_.no_focus_on_appearing
    if panel is walk:
        flags |= imgui.WindowFlags_.no_nav_inputs  # its keys turn pages
    if panel in _VIEWS:
        flags |= imgui.WindowFlags_.no_scrollbar | imgui.WindowFlags_.no_scroll_with_mouse
        flags |= imgui.WindowFlags_.no_nav_inputs  # its arrow keys move cells
    return int(flags)
