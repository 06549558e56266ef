"""imgui's widgets, with a record of their positions, so that tours and tests can find a widget by its id.

A widget's id is what follows `###` in its label, as for imgui, or the whole label: `Play###Write on##play` shows
"Play" and has the id `Write on##play`. Tours contain ids, so keep the id when changing the wording.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imgui_bundle import ImVec2, imgui

_UNDER_MOUSE = int(imgui.HoveredFlags_.allow_when_disabled | imgui.HoveredFlags_.no_nav_override)


@dataclass(frozen=True)
class WidgetRect:
    """A widget's rectangle on the screen, in logical pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def contains(self, x: float, y: float) -> bool:
        """True when the point is in it."""
        return self.left <= x < self.right and self.top <= y < self.bottom

    @property
    def center(self) -> tuple[float, float]:
        """Its center, x and y."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@dataclass
class _Mouse:
    """The widget under the mouse in the frame being drawn, and whether tooltips are held back."""

    help: str = ""  # its tooltip
    quiet: bool = False


_mouse = _Mouse()
rects: dict[str, WidgetRect] = {}  # those of the frame being drawn, by id


def begin_frame() -> None:
    """Forget the rectangles of the previous frame."""
    rects.clear()
    _mouse.help = ""


def note_help(text: str) -> None:
    """Remember `text` as the help for the last item, if the mouse is over it."""
    if text and imgui.is_item_hovered(_UNDER_MOUSE):
        _mouse.help = text


def be_quiet(quiet: bool) -> None:
    """Show no tooltips from now on, because something else explains the widget; or show them again."""
    _mouse.quiet = quiet


def is_quiet() -> bool:
    """True while no tooltips are shown."""
    return _mouse.quiet


def help_under_mouse() -> str:
    """The help for the widget under the mouse; empty when there is none."""
    return _mouse.help


def id_of(label: str) -> str:
    """The id of the widget with this label."""
    return label.rpartition("###")[2]


def track(identity: str) -> None:
    """Record the rectangle of the last widget drawn under `identity`."""
    low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
    rects[identity] = WidgetRect(low.x, low.y, high.x, high.y)


def mark(identity: str, low: ImVec2, high: ImVec2) -> None:
    """Record that the selection highlights something, as the rectangle of `marked IDENTITY`."""
    rects[f"marked {identity}"] = WidgetRect(low.x, low.y, high.x, high.y)


def _tracked(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def tracked(label: str, *arguments: Any, **options: Any) -> Any:
        result = function(label, *arguments, **options)
        track(id_of(label))
        return result

    return tracked


# Flags that make a widget act when the mouse button goes down: a run in progress moves rows, so the row under the
# cursor may be a different one when the button is released.
SELECT_AT_ONCE = int(imgui.internal.SelectableFlagsPrivate_.select_on_click)
PRESS_AT_ONCE = int(imgui.internal.ButtonFlagsPrivate_.pressed_on_click)

button = _tracked(imgui.button)
small_button = _tracked(imgui.small_button)
arrow_button = _tracked(imgui.arrow_button)
invisible_button = _tracked(imgui.invisible_button)
selectable = _tracked(imgui.selectable)
checkbox = _tracked(imgui.checkbox)
radio_button = _tracked(imgui.radio_button)
begin_combo = _tracked(imgui.begin_combo)
begin_menu = _tracked(imgui.begin_menu)
menu_item = _tracked(imgui.menu_item)
input_text = _tracked(imgui.input_text)
input_text_with_hint = _tracked(imgui.input_text_with_hint)
input_text_multiline = _tracked(imgui.input_text_multiline)
input_int = _tracked(imgui.input_int)
input_float = _tracked(imgui.input_float)
slider_float = _tracked(imgui.slider_float)
slider_int = _tracked(imgui.slider_int)
table_header = _tracked(imgui.table_header)
