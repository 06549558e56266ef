"""Rows in the Sampling panel: a label with help, a widget, and a button that resets the option."""

from __future__ import annotations

import dataclasses
import functools
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from .widgets import dim, elided, packed, tooltip

_LABEL = 6.2  # width of the labels in ems; less in a narrow panel
_RESET = 1.2  # width of the reset button, in ems
_VALUE = 3.5  # width of the number beside a slider, in ems
_HELP = 56  # characters per line of help


# imgui draws a slider's text over its handle, so the value is drawn beside it instead.
NO_TEXT = ""
TYPE_HINT = "Ctrl+click to type a number"


@dataclass(frozen=True)
class Real:
    """An option that is a real number."""

    name: str  # field of `GenerateOptions`
    label: str
    help: str
    slider: tuple[float, float]
    limits: tuple[float, float]  # limits for a typed value
    off: tuple[float, str]  # a value with a special meaning, and the word for it
    settle: Callable[[float], float]  # rounds a value chosen with the slider
    logarithmic: bool = False


def change(state: State, **values: float) -> None:
    """Replace options of the state."""
    state.options = dataclasses.replace(state.options, **values)  # type: ignore[arg-type]


@functools.cache
def _wrapped(text: str) -> str:
    return textwrap.fill(text, _HELP)


def label(text: str, help: str) -> float:
    """Draw the label of a row. Returns where its widget starts, in pixels from the panel's left edge."""
    left = min(theme.em(_LABEL), 0.42 * imgui.get_window_size().x)
    imgui.align_text_to_frame_padding()
    dim(elided(text, left - imgui.get_cursor_pos_x()))
    tooltip(_wrapped(help))
    imgui.same_line(left)
    return left


@contextmanager
def line(state: State, text: str, help: str, name: str, default: float | None = None) -> Iterator[float]:
    """Draw a row for option `name`: label, help and reset button around the widget, which the caller draws.

    Yields the width for the widget, in pixels. default: value to reset to, normally that of the command line.
    """
    left = label(text, help)
    gap = imgui.get_style().item_spacing.x
    width = max(imgui.get_content_region_avail().x - theme.em(_RESET) - gap, theme.em(2))
    imgui.set_next_item_width(width)
    yield width
    before = getattr(state.started, name) if default is None else default
    if getattr(state.options, name) != before:
        imgui.same_line(left + width + gap)
        if _reset(f"reset##{name}", f"Reset to {before:g}"):
            change(state, **{name: before})


@contextmanager
def beside_value(shown: str, width: float) -> Iterator[None]:
    """Draw `shown` to the right of the slider that the caller draws; both share `width` pixels."""
    gap = imgui.get_style().item_spacing.x
    left = imgui.get_cursor_pos_x() + max(width - theme.em(_VALUE) - gap, theme.em(2)) + gap
    imgui.set_next_item_width(left - gap - imgui.get_cursor_pos_x())
    yield
    imgui.same_line(left)
    imgui.text(shown)


def _reset(identity: str, help: str) -> bool:
    """Draw a small button with a circular arrow."""
    size, height = theme.em(_RESET), imgui.get_frame_height()
    corner = imgui.get_cursor_screen_pos()
    pressed = widget_tracking.invisible_button(identity, ImVec2(size, height))
    color = packed(theme.now.text if imgui.is_item_hovered() else theme.now.text_dim)
    tooltip(help)
    canvas = imgui.get_window_draw_list()
    radius, thick = 0.3 * size, max(1.0, theme.em(0.09))
    center = ImVec2(corner.x + size / 2, corner.y + height / 2)
    canvas.path_arc_to(center, radius, -0.75 * math.pi, 0.9 * math.pi)
    canvas.path_stroke(color, thick)
    x, y = center.x + radius * math.cos(-0.75 * math.pi), center.y + radius * math.sin(-0.75 * math.pi)
    tip = 0.22 * size
    canvas.add_triangle_filled(ImVec2(x - tip, y - tip), ImVec2(x + tip, y), ImVec2(x - tip * 0.6, y + tip), color)
    return bool(pressed)


def real(state: State, row: Real) -> None:
    """Draw a slider; Ctrl+click it to type an exact number."""
    value = getattr(state.options, row.name)
    shown = row.off[1] if value == row.off[0] else f"{value:.4g}"
    flags = imgui.SliderFlags_.logarithmic if row.logarithmic else imgui.SliderFlags_.none
    with line(state, row.label, row.help, row.name) as width, beside_value(shown, width):
        changed, new = widget_tracking.slider_float(f"##{row.name}", value, *row.slider, NO_TEXT, flags)
        tooltip(f"{value:.6g}. {TYPE_HINT}")
    if not changed or not math.isfinite(new):
        return
    # A typed number is kept exactly, without the digits that single precision adds.
    new = row.settle(new) if imgui.is_mouse_down(imgui.MouseButton_.left) else float(f"{new:.6g}")
    change(state, **{row.name: min(max(new, row.limits[0]), row.limits[1])})


def whole(state: State, name: str, text: str, help: str, values: Sequence[int], limits: tuple[int, int]) -> None:
    """Draw a field for a whole number within `limits`, with a list of common values."""
    low, high = limits
    default = min(getattr(state.started, name), high)
    with line(state, text, help, name, default) as width:
        arrow = imgui.get_frame_height()
        imgui.set_next_item_width(width - arrow - 2)
        changed, value = widget_tracking.input_int(f"##{name}", getattr(state.options, name), 0)
        if changed:
            change(state, **{name: min(max(value, low), high)})
        imgui.same_line(0, 2)
        if widget_tracking.begin_combo(
            f"##usual {name}", "", imgui.ComboFlags_.no_preview | imgui.ComboFlags_.popup_align_left
        ):
            for usual in (number for number in values if low <= number <= high):
                if widget_tracking.selectable(f"{usual:,}##{name}", usual == getattr(state.options, name))[0]:
                    change(state, **{name: usual})
            imgui.end_combo()
        tooltip("Common values")
