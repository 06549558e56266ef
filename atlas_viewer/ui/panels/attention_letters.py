"""Small text in the Attention panel: upright, and turned to read upward."""

from __future__ import annotations

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.ui import theme

from .widgets import drawable, packed

SMALL = 0.86  # height of the letters, in ems


def small_width(text: str) -> float:
    """Width of `text` in small letters, in pixels."""
    return float(imgui.calc_text_size(text).x * SMALL)


def small_text(corner: ImVec2, color: ImVec4, text: str) -> None:
    """Write `text` in small letters."""
    canvas = imgui.get_window_draw_list()
    canvas.add_text(imgui.get_font(), theme.em(SMALL), corner, packed(color), text)


def upward_text(foot: ImVec2, color: ImVec4, text: str) -> None:
    """Write `text` in small letters from bottom to top. foot: the lower left corner of the turned text."""
    canvas = imgui.get_window_draw_list()
    # Text outside of the clip rectangle is not drawn: write it inside, then turn it.
    begin = canvas.get_clip_rect_min()
    first = canvas.vtx_buffer.size()
    canvas.add_text(imgui.get_font(), theme.em(SMALL), begin, packed(color), text)
    imgui.internal.shade_verts_transform_pos(canvas, first, canvas.vtx_buffer.size(), begin, 0.0, -1.0, foot)


def small_elided(text: str, width: float) -> str:
    """A quoted text, shortened to `width` pixels in small letters."""
    text = drawable(text)
    if small_width(text) <= width:
        return text
    count = len(text)
    while count > 1 and small_width(text[:count] + "...") > width:
        count -= 1
    return text[:count] + "..."
