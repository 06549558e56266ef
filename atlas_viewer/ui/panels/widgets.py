"""Small widgets and helpers that several panels use."""

from __future__ import annotations

from collections.abc import Callable

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.quoting import quoted
from atlas_viewer.ui import file_dialogs, theme, widget_tracking
from compute.io.escape import escaped

# Ignore keyboard focus: it stays on a widget for a long time, and a tooltip would cover its surroundings.
_RESTING = int(imgui.HoveredFlags_.for_tooltip | imgui.HoveredFlags_.no_nav_override)

__all__ = [
    "beside",
    "browse_button",
    "browse_width",
    "dim",
    "drawable",
    "elided",
    "elided_start",
    "hint",
    "hovered_still",
    "packed",
    "primary_button",
    "quoted",
    "tooltip",
    "wrapped",
]


def drawable(text: str) -> str:
    """`text`, escaping characters that imgui cannot draw: it stops at a NUL, and rejects lone surrogates."""
    return escaped(text, "\n\t")


def elided(text: str, width: float) -> str:
    """`text`, shortened to `width` pixels with an ellipsis at its end."""
    text = drawable(text)
    if imgui.calc_text_size(text).x <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if imgui.calc_text_size(text[:middle] + "...").x <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low] + "..."


def elided_start(text: str, width: float) -> str:
    """`text`, shortened to `width` pixels with an ellipsis at its start."""
    text = drawable(text)
    start = 0
    while start < len(text) and imgui.calc_text_size(("..." if start else "") + text[start:]).x > width:
        start += 1
    return ("..." if start else "") + text[start:]


def beside(width: float) -> bool:
    """Put the next widget, `width` pixels wide, on the same line if it fits; False when it goes below."""
    gap = imgui.get_style().item_spacing.x
    right = imgui.get_cursor_screen_pos().x + imgui.get_content_region_avail().x
    fits = imgui.get_item_rect_max().x + gap + width <= right
    if fits:
        imgui.same_line()
    return fits


def dim(text: str) -> None:
    """Draw one line of secondary text."""
    imgui.text_colored(theme.now.text_dim, drawable(text))


def hint(text: str) -> None:
    """Draw secondary text, wrapped at the panel's edge."""
    with theme.colored(imgui.Col_.text, theme.now.text_dim):
        imgui.text_wrapped(drawable(text))


def wrapped(text: str, color: ImVec4) -> None:
    """Draw text, wrapped at the panel's edge."""
    with theme.colored(imgui.Col_.text, color):
        imgui.text_wrapped(drawable(text))


def primary_button(label: str, size: ImVec2) -> bool:
    """Draw a panel's main button."""
    with (
        theme.colored(imgui.Col_.text, theme.now.on_primary),
        theme.colored(imgui.Col_.button, theme.now.primary),
        theme.colored(imgui.Col_.button_hovered, theme.now.primary_hover),
        theme.colored(imgui.Col_.button_active, theme.now.primary_active),
    ):
        return bool(widget_tracking.button(label, size))


def browse_button(identity: str, act: Callable[[], None], tip: str) -> None:
    """Draw a small button that opens a file dialog; without dialogs, it is disabled and gives the reason."""
    problem = file_dialogs.problem()
    imgui.begin_disabled(bool(problem) or file_dialogs.pending())
    if widget_tracking.button(f"...###{identity}", ImVec2(browse_width(), 0)):
        act()
    imgui.end_disabled()
    tooltip(problem or tip)


def browse_width() -> float:
    """Width of a `browse_button`, in pixels."""
    return float(imgui.calc_text_size("...").x + 2 * imgui.get_style().frame_padding.x)


def hovered_still() -> bool:
    """True while the mouse rests on the last item, unless it is being typed into or dragged."""
    return bool(imgui.is_item_hovered(_RESTING) and not imgui.is_item_active())


def tooltip(text: str) -> None:
    """Show `text`, if any, while the mouse rests on the last item."""
    widget_tracking.note_help(text)
    if text and not widget_tracking.is_quiet() and hovered_still():
        imgui.set_tooltip(drawable(text))


def packed(color: ImVec4, alpha: float = 1.0) -> int:
    """`color` in the form that imgui's draw lists accept."""
    return int(imgui.get_color_u32(ImVec4(color.x, color.y, color.z, color.w * alpha)))
