"""imgui's widgets, which also note where they are: tours and tests find a widget by its id.

The id of a widget is what follows `###` in its label, as for imgui, or the whole label: `Write on###Play##play` shows
"Write on" and has the id `Play##play`. Ids are written to tours, so a new wording keeps the id.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imgui_bundle import imgui


@dataclass(frozen=True)
class WidgetRect:
    """The rectangle of a widget on the screen, in logical pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def center(self) -> tuple[float, float]:
        """Its center, x and y."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


rects: dict[str, WidgetRect] = {}  # of the frame being drawn, by id


def begin_frame() -> None:
    """Forget the rectangles of the previous frame."""
    rects.clear()


def id_of(label: str) -> str:
    """The id of the widget with this label."""
    return label.rpartition("###")[2]


def note(identity: str) -> None:
    """Record the rectangle of the widget drawn last under `identity`."""
    low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
    rects[identity] = WidgetRect(low.x, low.y, high.x, high.y)


def _noted(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def noted(label: str, *arguments: Any, **options: Any) -> Any:
        result = function(label, *arguments, **options)
        note(id_of(label))
        return result

    return noted


# Flags that make a widget act when the mouse goes down on it: lines that a run moves may be others when it comes up.
SELECT_AT_ONCE = int(imgui.internal.SelectableFlagsPrivate_.select_on_click)
PRESS_AT_ONCE = int(imgui.internal.ButtonFlagsPrivate_.pressed_on_click)

button = _noted(imgui.button)
small_button = _noted(imgui.small_button)
arrow_button = _noted(imgui.arrow_button)
invisible_button = _noted(imgui.invisible_button)
selectable = _noted(imgui.selectable)
checkbox = _noted(imgui.checkbox)
begin_combo = _noted(imgui.begin_combo)
begin_menu = _noted(imgui.begin_menu)
menu_item = _noted(imgui.menu_item)
input_text = _noted(imgui.input_text)
input_text_with_hint = _noted(imgui.input_text_with_hint)
input_text_multiline = _noted(imgui.input_text_multiline)
input_int = _noted(imgui.input_int)
input_float = _noted(imgui.input_float)
slider_float = _noted(imgui.slider_float)
slider_int = _noted(imgui.slider_int)
table_header = _noted(imgui.table_header)
