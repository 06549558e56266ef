"""Bars of the Attribution panel: every part of the logit by size, and what a head took from each token."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state import attribution_links
from atlas_viewer.state.attribution_view import Shown, sources, title
from atlas_viewer.state.quoting import counted
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import token_at
from atlas_viewer.ui import theme, widget_tracking
from compute.lens.attribution import LogitPart

from . import attribution_colors
from .attribution_colors import Scale
from .widgets import dim, elided, hint, packed, quoted

# In ems: widths of a row's columns, and the space before its text.
_NAME, _SOURCE, _VALUE, _INSET = 8.8, 8.0, 4.6, 0.25
_LEAST = 5e-5  # smaller contributions would be written as 0


def parts(state: State, shown: Shown) -> LogitPart | None:
    """Draw a row per part, the largest first; returns the one under the mouse. A click opens it."""
    hovered: list[LogitPart] = []
    scale = Scale.of(part.value for part in shown.ranked)
    marked = state.highlight

    def row(at: int) -> None:
        part = shown.ranked[at]
        name = title(part)
        here = part.head is not None and shown.head(marked.layer, marked.head) is part
        if _row(state, f"part {name}", name, part.value, scale, _NAME, here):
            attribution_links.open_part(state, shown, part, time.perf_counter())
        if imgui.is_item_hovered():
            hovered.append(part)
            state.hovered = attribution_links.of_part(shown, part)

    _rows(len(shown.ranked), row)
    return hovered[0] if hovered else None


def taken_from(state: State, shown: Shown, part: LogitPart, most: int | None = None) -> None:
    """Draw a row per token that a head attends to, the largest contribution first, at most `most` of them."""
    if part.sources is None:
        hint("An edit has replaced what this head took.")
        return
    taken = sources(part, shown.start)
    found = [one for one in taken if not abs(one[1]) < _LEAST][:most]
    others = [value for _, value in taken[len(found) :]]
    scale = Scale.of(value for _, value in found)

    def row(at: int) -> None:
        position, value = found[at]
        known = token_at(state, position)
        text = f"{position} {quoted(known[1]) if known else '?'}"
        here = position == state.highlight.key
        selection = attribution_links.of_source(shown, part, position)
        if _row(state, f"source {position}", text, value, scale, _SOURCE, here):
            attribution_links.open_source(state, selection)
        if imgui.is_item_hovered():
            state.hovered = selection

    _rows(len(found), row)
    if others:
        dim(f"{counted(len(others), 'other token')}: {sum(others):+.4f}")


def heading(part: LogitPart, width: float) -> None:
    """Draw the head that `taken_from` is about."""
    dim(elided(f"{title(part)}, {part.value:+.4f}, taken from", width))


def _rows(count: int, row: Callable[[int], None]) -> None:
    """Draw the rows that are in view."""
    imgui.push_style_var(imgui.StyleVar_.item_spacing, ImVec2(imgui.get_style().item_spacing.x, 0))
    clipper = imgui.ListClipper()
    clipper.begin(count, imgui.get_text_line_height() + theme.em(0.12))
    while clipper.step():
        for at in range(clipper.display_start, clipper.display_end):
            row(at)
    clipper.end()
    imgui.pop_style_var()


def _row(state: State, identity: str, name: str, value: float, scale: Scale, width: float, here: bool) -> bool:
    """Draw name, value and bar; True when the row is clicked."""
    corner, available = imgui.get_cursor_screen_pos(), imgui.get_content_region_avail().x
    height = imgui.get_text_line_height() + theme.em(0.12)
    clicked, _ = widget_tracking.selectable(f"##{identity}###{identity}", False, 0, ImVec2(available, height))
    canvas = imgui.get_window_draw_list()
    if here:
        end = ImVec2(corner.x + available, corner.y + height)
        canvas.add_rect(corner, end, packed(theme.now.mark), 2.0)
        widget_tracking.mark(identity, corner, end)
    names, inset = min(theme.em(width), 0.45 * available), theme.em(_INSET)
    canvas.add_text(ImVec2(corner.x + inset, corner.y), packed(theme.now.text), elided(name, names - inset))
    with theme.numbers():
        text = f"{value:+.4f}"
        wide = imgui.calc_text_size(text).x
        ink: ImVec4 = theme.now.text if math.isfinite(value) else theme.now.error
        canvas.add_text(ImVec2(corner.x + names + max(theme.em(_VALUE) - wide, 0.0), corner.y), packed(ink), text)
    left = names + theme.em(_VALUE + 0.6)
    if available - left > theme.em(2):
        attribution_colors.bar(state, ImVec2(corner.x + left, corner.y), available - left, height, value, scale)
    return bool(clicked)
