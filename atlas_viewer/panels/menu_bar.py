"""The menu bar: the actions by their menus."""

from __future__ import annotations

from imgui_bundle import imgui

from .. import items
from ..actions import ACTIONS
from ..state import State

MENUS = ("File", "Run", "Atlas", "View", "Help")


def draw(state: State) -> None:
    """One menu for each group of actions, with their keys."""
    if not imgui.begin_main_menu_bar():
        return
    for menu in MENUS:
        if items.begin_menu(f"{menu}##menu"):
            for action in ACTIONS:
                if action.menu == menu:
                    clicked, _ = items.menu_item(action.title, action.chord, False, action.enabled(state))
                    if clicked:
                        action.run(state)
            imgui.end_menu()
    imgui.end_main_menu_bar()
