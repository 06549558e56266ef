"""The parts of a logit in the Attribution panel: bars, the map, and what one head took from each token."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.attribution_view import MOST_SOURCES, Shown, marked, sources, title
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import token_at
from atlas_viewer.ui import theme
from compute.lens.attribution import LogitPart

from . import attribution_bars, attribution_map
from .widgets import dim, drawable, quoted

# In ems: the smallest widths of three columns and of two, the widest map, and the lowest part of a narrow panel.
_THREE, _TWO, _MAP, _LOWEST = 58.0, 36.0, 30.0, 8.0
_LISTED = 3  # source tokens in a tooltip


def draw(state: State, shown: Shown) -> None:
    """Draw them side by side, or below each other in a narrow panel, and mark the tokens that a head took from."""
    space = imgui.get_content_region_avail()
    chosen = shown.head(state.highlight.layer, state.highlight.head)
    if space.x >= theme.em(_THREE):
        pointed = _three(state, shown, chosen, space)
    elif space.x >= theme.em(_TWO):
        pointed = _two(state, shown, chosen, space)
    else:
        pointed = _one(state, shown, chosen, space)
    focus = pointed or chosen
    if focus is not None:
        state.attribution.marks = marked(focus, shown.start)


def _three(state: State, shown: Shown, chosen: LogitPart | None, space: ImVec2) -> LogitPart | None:
    """Bars, map and sources in columns."""
    gap = imgui.get_style().item_spacing.x
    wide = min(0.34 * space.x, theme.em(_MAP))
    left = 0.54 * (space.x - wide - 2 * gap)
    pointed = _bars(state, shown, ImVec2(left, space.y))
    imgui.same_line()
    if imgui.begin_child("map", ImVec2(wide, space.y)):
        pointed = _map(state, shown, imgui.get_content_region_avail()) or pointed
    imgui.end_child()
    imgui.same_line()
    _sources(state, shown, chosen, ImVec2(0, space.y))
    return pointed


def _two(state: State, shown: Shown, chosen: LogitPart | None, space: ImVec2) -> LogitPart | None:
    """Bars in one column, the map above the sources in the other."""
    gap = imgui.get_style().item_spacing.x
    pointed = _bars(state, shown, ImVec2((space.x - gap) / 2, space.y))
    imgui.same_line()
    if imgui.begin_child("map", ImVec2(0, space.y)):
        inner = imgui.get_content_region_avail()
        pointed = _map(state, shown, ImVec2(inner.x, max(0.62 * inner.y, theme.em(_LOWEST)))) or pointed
        _sources(state, shown, chosen, ImVec2(0, max(imgui.get_content_region_avail().y, theme.em(_LOWEST / 2))))
    imgui.end_child()
    return pointed


def _one(state: State, shown: Shown, chosen: LogitPart | None, space: ImVec2) -> LogitPart | None:
    """The map, the largest sources and the bars below each other."""
    pointed = None
    if imgui.begin_child("column"):
        width = imgui.get_content_region_avail().x
        pointed = _map(state, shown, ImVec2(width, max(0.5 * space.y, theme.em(_LOWEST))))
        part = chosen or shown.largest_head
        if part is not None:
            attribution_bars.heading(part, width)
            attribution_bars.taken_from(state, shown, part, MOST_SOURCES)
        dim("all parts")
        pointed = attribution_bars.parts(state, shown) or pointed
    imgui.end_child()
    return pointed


def _map(state: State, shown: Shown, size: ImVec2) -> LogitPart | None:
    pointed = attribution_map.draw(state, shown, size)
    if pointed is not None:
        imgui.set_tooltip(drawable(_tip(state, shown, pointed)))
    return pointed


def _bars(state: State, shown: Shown, size: ImVec2) -> LogitPart | None:
    pointed = None
    if imgui.begin_child("bars", size):
        pointed = attribution_bars.parts(state, shown)
    imgui.end_child()
    return pointed


def _sources(state: State, shown: Shown, chosen: LogitPart | None, size: ImVec2) -> None:
    """What a head took from each token: the highlighted one, or else that with the largest part."""
    part = chosen or shown.largest_head
    if part is not None and imgui.begin_child("sources", size):
        attribution_bars.heading(part, imgui.get_content_region_avail().x)
        attribution_bars.taken_from(state, shown, part)
    if part is not None:
        imgui.end_child()


def _tip(state: State, shown: Shown, part: LogitPart) -> str:
    """A part with its value and, for a head, the tokens that it took most from."""
    lines = [f"{title(part)}: {part.value:+.4f}"]
    for position, value in sources(part, shown.start)[:_LISTED]:
        known = token_at(state, position)
        lines.append(f"{value:+.4f} from token {position}" + (f" {quoted(known[1])}" if known else ""))
    lines.append("Click: go to it in Attention" if part.head is not None else "Click: go to it on Map")
    return "\n".join(lines)
