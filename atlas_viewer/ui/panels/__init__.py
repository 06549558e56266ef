"""The panels and their layout. Each is one file with a name and a function that draws the state."""

from __future__ import annotations

from types import ModuleType

from imgui_bundle import ImVec4, imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import file_dialogs, panel_titles, shortcuts, theme, widget_tracking
from atlas_viewer.ui.services import Services

from . import (
    dialogs,
    discard,
    distribution,
    inspector,
    layout,
    logits,
    map_panel,
    menu_bar,
    messages,
    models,
    output,
    palette,
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
)

# Every panel and its area in the default layout; the first panel of an area is in front.
_PANELS: tuple[tuple[ModuleType, str], ...] = (
    (strip, "center"),
    (map_panel, "center"),
    (prompt, "left, top"),
    (sampling, "left, middle"),
    (status, "left, bottom"),
    (output, "right, top"),
    (tokens, "right, middle"),
    (runs, "right, middle"),
    (inspector, "right, bottom"),
    (recording, "right, bottom"),
    (logits, "below"),
    (distribution, "below"),
    (tensors, "below"),
    (trace, "below"),
)
_SERVED = (strip, map_panel, inspector, logits, distribution)  # these show pictures or token texts
DOCKED = tuple((panel.NAME, where) for panel, where in _PANELS)
_SETTLED = 3  # the frame by which imgui has brought the saved layout's tabs to the front
NAMES = tuple(name for name, _ in DOCKED)


def draw_all(state: State, services: Services) -> None:
    """Draw the menu, the panels, messages and the open dialog; panels start in the saved layout or the default one."""
    widget_tracking.begin_frame()
    file_dialogs.poll()
    shortcuts.handle(state)
    menu_bar.draw(state, NAMES)
    timeline.draw(state)
    ui = state.ui
    dock_space, fresh = layout.dock_space(ui, DOCKED, timeline.height(ui))
    ui.hidden -= {ui.front, ui.raised}
    ui.picture_sizes.clear()
    drawn = set()
    focused = ""
    for panel, _ in _PANELS:
        if panel.NAME in ui.hidden:
            if panel is tensors:
                state.inspection.list_visible = False
            continue
        # A docked panel is transparent, because the canvas already has its color; a floating one is opaque.
        solid = float(layout.floats(panel.NAME, dock_space))
        with theme.colored(imgui.Col_.window_bg, ImVec4(theme.now.back.x, theme.now.back.y, theme.now.back.z, solid)):
            shown, kept = imgui.begin(panel_titles.window(panel.NAME), True, _flags(panel))
        if panel is tensors:
            state.inspection.list_visible = shown
        if imgui.is_window_focused(imgui.FocusedFlags_.root_and_child_windows):
            focused = panel.NAME
        if shown:
            drawn.add(panel.NAME)
            if panel in _SERVED:
                panel.draw(state, services)
            else:
                panel.draw(state)
        imgui.end()
        if not kept:
            ui.hidden.add(panel.NAME)
    ui.shown = drawn
    views = {strip.NAME, map_panel.NAME} & drawn
    if len(views) == 1 and not ui.front and not ui.raised:
        ui.view = views.pop()
    if imgui.get_frame_count() == _SETTLED:
        imgui.set_window_focus(ui.view)  # at the start, keys go to the current view
    if fresh:
        layout.order_tabs(DOCKED)
        for name in (*layout.front(DOCKED), strip.NAME):
            imgui.set_window_focus(name)  # otherwise the last tab of each area would be in front
    if ui.front:
        imgui.set_window_focus(ui.front)
        ui.front = ""
    if ui.raised:
        layout.raise_panel(ui.raised, focused)
        ui.raised = ""
    messages.draw(state)
    palette.draw(state)
    dialogs.draw(state)
    models.draw(state)
    save_tensors.draw(state)
    discard.draw(state)
    layout.track_tabs(name for name in NAMES if name not in ui.hidden)
    layout.remember(ui)


def _flags(panel: ModuleType) -> int:
    # Otherwise, of the panels that appear together at the start, the last would come to the front of its area.
    flags = imgui.WindowFlags_.no_collapse | imgui.WindowFlags_.no_focus_on_appearing
    if panel in (strip, map_panel):
        flags |= imgui.WindowFlags_.no_scrollbar | imgui.WindowFlags_.no_scroll_with_mouse
        flags |= imgui.WindowFlags_.no_nav_inputs  # its arrow keys move cells
    return flags
