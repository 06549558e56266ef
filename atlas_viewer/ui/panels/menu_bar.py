"""The menu bar: the actions, grouped by menu."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import panel_titles, theme, widget_tracking
from atlas_viewer.ui.actions import ACTIONS

from . import activity, recent, selection_line
from .widgets import dim, tooltip

MENUS = ("File", "Run", "Atlas", "Map", "Edits", "View", "Help")
# Actions with a line above them, which divides their menu into groups.
_GROUPS = frozenset({
    "app.screenshot", "session.open", "session.record", "session.play", "app.quit",
    "run.play", "run.previous", "runs.parent", "runs.rename",
    "atlas.in", "atlas.deselect", "atlas.sampling", "atlas.trace",
    "map.back", "map.minimap", "edits.undo", "edits.off", "focus.Edits",
    "focus.Compare", "focus.Patching", "logits.find", "focus.Prompt", "view.larger", "view.theme",
    "app.explain", "walk.guided", "app.about",
})  # fmt: skip


def draw(state: State, panels: Sequence[str]) -> None:
    """Draw one menu per group of actions, with their keys. panels: the panels that View shows and hides, by name."""
    if not imgui.begin_main_menu_bar():
        return
    for menu in MENUS:
        if widget_tracking.begin_menu(f"{panel_titles.title(menu)}###{menu}##menu"):
            for action in ACTIONS:
                if action.menu == menu:
                    if action.name in _GROUPS:
                        imgui.separator()
                    label = f"{action.title}###{action.name}"
                    clicked, _ = widget_tracking.menu_item(label, action.chord, False, action.possible(state))
                    tooltip(action.reason())
                    if clicked:
                        action.run(state)
                    if action.name == "session.open":
                        recent.draw(state)
            if menu == "View":
                _panels(state, panels)
            imgui.end_menu()
    selection_line.draw(state)
    activity.draw(state)
    imgui.end_main_menu_bar()


def _panels(state: State, names: Sequence[str]) -> None:
    """Draw the interface zoom, and a check mark for each visible panel."""
    imgui.separator()
    dim(f"Interface at {100 * theme.zoom():.0f} %")
    if widget_tracking.begin_menu("Panels###Panels"):
        for name in names:
            shown = name not in state.ui.hidden
            if widget_tracking.menu_item(f"{panel_titles.title(name)}###{name}##panel", "", shown)[0]:
                state.ui.toggle(name)
        imgui.end_menu()
