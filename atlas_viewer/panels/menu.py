"""The menu bar: which panels there are, how large and in which colours everything is."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import imgui

from .. import items, theme
from ..interface import THEME_NAMES
from ..state import State
from .widgets import dim


def draw(state: State, titles: Sequence[str]) -> None:
    """A bar along the top of the window; titles: of all panels, in the order of the menu."""
    if not imgui.begin_main_menu_bar():
        return
    if items.begin_menu("View"):
        _view(state, titles)
        imgui.end_menu()
    imgui.end_main_menu_bar()


def _view(state: State, titles: Sequence[str]) -> None:
    interface = state.interface
    for title in titles:
        clicked, _ = items.menu_item(title, "", title not in interface.hidden)
        if clicked:
            toggle_panel(state, title)
    imgui.separator()
    dim(f"Zoom {100 * theme.zoom():.0f} %")
    if items.menu_item("Zoom in", "", False)[0]:
        zoom_in(state)
    if items.menu_item("Zoom out", "", False)[0]:
        zoom_out(state)
    if items.menu_item("Automatic zoom", "", not interface.zoom)[0]:
        zoom_automatic(state)
    imgui.separator()
    for name in THEME_NAMES:
        if items.menu_item(f"{name.capitalize()} theme", "", interface.theme == name)[0]:
            interface.theme = name
    imgui.separator()
    if items.menu_item("Reset layout", "", False)[0]:
        reset_layout(state)


def toggle_panel(state: State, title: str) -> None:
    """Hide the panel of this title, or show it again and bring it to the front."""
    interface = state.interface
    if title in interface.hidden:
        interface.hidden.discard(title)
        interface.front = title
    else:
        interface.hidden.add(title)


def zoom_in(state: State) -> None:
    """The next larger size of everything."""
    state.interface.step_zoom(theme.zoom(), 1)


def zoom_out(state: State) -> None:
    """The next smaller size of everything."""
    state.interface.step_zoom(theme.zoom(), -1)


def zoom_automatic(state: State) -> None:
    """A size that follows the window's."""
    state.interface.zoom = 0.0


def reset_layout(state: State) -> None:
    """Every panel back to where it was at first."""
    state.interface.reset_layout = True
