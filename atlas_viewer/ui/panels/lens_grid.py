"""The grid of the Lens panel: a cell for each point and position, with the likeliest token."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.compared_lens import ComparedColumn
from atlas_viewer.state.lens_colors import DARK_INK, LENS_COLORS, LIGHT_INK, LensColors, dark_text
from atlas_viewer.state.lens_layout import ACROSS, NONE, LensLayout
from atlas_viewer.state.lens_view import AGREEMENT, ENTROPY, RANK, LensColumn, LensView, short_name
from atlas_viewer.state.selection import Selection
from atlas_viewer.ui import theme
from compute.views.palettes import Rgb

from .attention_letters import SMALL, small_elided, small_text, small_width, upward_text
from .lens_texts import LensTexts
from .widgets import packed

_GAP_FROM = 5.0  # pixels: cells at least this large have a gap of one pixel
_LINE = 0.14  # width of the line where the prediction is known, in ems
_STEPS_FROM = 0.55  # ems: in narrower columns that line has no upright parts
_LIGHT, _DARK = ImVec4(*LIGHT_INK, 1.0), ImVec4(*DARK_INK, 1.0)


@dataclass(frozen=True)
class _Drawn:
    """A column ready to draw: packed colors, and inks for the texts on them."""

    colors: tuple[int, ...]
    inks: tuple[ImVec4, ...]


class LensGrid:
    """Draws the grid; remembers the colors of columns that stay the same."""

    def __init__(self) -> None:
        self._key: object = None
        self._drawn: dict[LensColumn, _Drawn] = {}

    def draw(
        self, view: LensView, layout: LensLayout, corner: ImVec2, texts: LensTexts, vocabulary: int, colors: LensColors
    ) -> None:
        """Draw cells, axes and the line of what is known. corner: of the panel, on the screen."""
        key = (view.mode, colors, vocabulary)
        if key != self._key or len(self._drawn) > 4 * len(view.columns) + 64:
            self._key = key
            self._drawn.clear()
        _labels(view, layout, corner)
        canvas = imgui.get_window_draw_list()
        low = ImVec2(corner.x + layout.x, corner.y)
        canvas.push_clip_rect(low, ImVec2(low.x + layout.width + 1, corner.y + layout.y + 2e4), True)
        columns = [(position, view.columns.get(position)) for position in range(layout.first, layout.stop)]
        drawn = [None if column is None else self._of(column, view.mode, vocabulary, colors) for _, column in columns]
        _fill(layout, corner, drawn, packed(opaque(colors.unknown)))
        _headings(layout, corner, texts)
        if layout.texts != NONE:
            _write(view.mode, layout, corner, columns, drawn, texts)
        _known(view, layout, corner, colors)
        canvas.pop_clip_rect()

    def _of(self, column: LensColumn, mode: str, vocabulary: int, colors: LensColors) -> _Drawn:
        if column not in self._drawn:
            found: list[Rgb]
            if mode == RANK and column.ranks is None:
                found = [colors.unknown] * len(column.tokens)
            elif mode == AGREEMENT:
                found = [colors.agreement(level > 0) for level in column.level(mode, vocabulary)]
            elif isinstance(column, ComparedColumn):
                found = [colors.difference(float(level)) for level in column.level(mode, vocabulary)]
            else:
                found = [colors.of(float(level)) for level in column.level(mode, vocabulary)]
            self._drawn[column] = _Drawn(
                tuple(packed(opaque(color)) for color in found),
                tuple(_DARK if dark_text(color) else _LIGHT for color in found),
            )
        return self._drawn[column]


def opaque(color: Rgb) -> ImVec4:
    """A color as imgui has it."""
    return ImVec4(*color, 1.0)


def _fill(layout: LensLayout, corner: ImVec2, drawn: list[_Drawn | None], unknown: int) -> None:
    """Fill the cells; without gaps, neighbors of the same color are one rectangle."""
    canvas = imgui.get_window_draw_list()
    gap = 1.0 if min(layout.pitch_x, layout.pitch_y) >= _GAP_FROM else 0.0
    for row in range(layout.rows):
        top = corner.y + layout.y + row * layout.pitch_y
        bottom = top + layout.pitch_y - (1.0 if layout.pitch_y >= _GAP_FROM else 0.0)
        row_colors = [unknown if column is None else column.colors[row] for column in drawn]
        begin = 0
        for index in range(1, len(row_colors) + 1):
            same = index < len(row_colors) and row_colors[index] == row_colors[begin]
            if same and not gap:
                continue
            left = corner.x + layout.edge(layout.first + begin)
            right = corner.x + layout.edge(layout.first + index) - gap
            canvas.add_rect_filled(ImVec2(left, top), ImVec2(right, bottom), row_colors[begin])
            begin = index


def _labels(view: LensView, layout: LensLayout, corner: ImVec2) -> None:
    """Name the rows, and what columns and the row below are."""
    high, dim = theme.em(SMALL), theme.now.text_dim
    every = max(1, -int(-high * 1.05 // layout.pitch_y))
    right = corner.x + layout.x - theme.em(0.45)
    for row, point in enumerate(view.points):
        if row % every and row != layout.rows - 1:
            continue
        text = short_name(point)
        y = corner.y + layout.y + row * layout.pitch_y + (layout.pitch_y - high) / 2
        small_text(ImVec2(right - small_width(text), y), dim, text)
    foot = corner.y + layout.y - theme.em(0.12) - high
    small_text(ImVec2(right - small_width("after token"), foot), dim, "after token")
    if layout.next_row:
        y = corner.y + layout.y + layout.height + theme.em(0.1)
        small_text(ImVec2(right - small_width("came next"), y), dim, "came next")


def _headings(layout: LensLayout, corner: ImVec2, texts: LensTexts) -> None:
    """Number the columns, and write their tokens above them."""
    high, pad = theme.em(SMALL), theme.em(0.15)
    below = corner.y + layout.y
    for position in range(layout.first, layout.stop):
        left = corner.x + layout.edge(position)
        if position % layout.numbered == 0:
            inset = pad if layout.headings == ACROSS else max((layout.pitch_x - high) / 2, 0.0)
            small_text(ImVec2(left + inset, corner.y), theme.now.text_dim, str(position))
        if position % layout.named:
            continue
        text = texts.of_text(position)
        if layout.headings == ACROSS:
            shown = _across(text, round(layout.pitch_x - 2 * pad))
            small_text(ImVec2(left + pad, below - high - pad), theme.now.text, shown)
            continue
        shown = _across(text, round(layout.y - high - 3 * pad))
        x = left + max((layout.pitch_x - high) / 2, 0.0)
        upward_text(ImVec2(x, below - pad), theme.now.text, shown)


def _write(
    mode: str,
    layout: LensLayout,
    corner: ImVec2,
    columns: list[tuple[int, LensColumn | None]],
    drawn: list[_Drawn | None],
    texts: LensTexts,
) -> None:
    """Write the likeliest token into each cell; below, the token that came next."""
    high, pad = theme.em(SMALL), theme.em(0.15)
    across = layout.texts == ACROSS
    space = round(layout.pitch_x - 2 * pad if across else layout.pitch_y - 3 * pad)
    two = across and layout.pitch_y >= 2.3 * theme.em(SMALL)
    foot = corner.y + layout.y + layout.height + theme.em(0.1)
    for (position, column), ready in zip(columns, drawn, strict=True):
        left = corner.x + layout.edge(position)
        x = left + (pad if across else max((layout.pitch_x - high) / 2, 0.0))
        if layout.next_row:
            _next(layout, ImVec2(x, foot), texts.of_text(position + 1), across, pad)
        if column is None or ready is None:
            continue
        for row, token in enumerate(column.tokens[:, 0].tolist()):
            shown = _across(texts.of_token(token), space)
            top = corner.y + layout.y + row * layout.pitch_y
            if not across:
                upward_text(ImVec2(x, top + layout.pitch_y - pad), ready.inks[row], shown)
                continue
            y = top + (layout.pitch_y - high * (2 if two else 1)) / 2
            small_text(ImVec2(x, y), ready.inks[row], shown)
            if two:
                ink = ready.inks[row]
                small_text(ImVec2(x, y + high), ImVec4(ink.x, ink.y, ink.z, 0.85), _number(mode, column, row))


def _next(layout: LensLayout, corner: ImVec2, text: str, across: bool, pad: float) -> None:
    """The token that came next."""
    if across:
        small_text(corner, theme.now.text, _across(text, round(layout.pitch_x - 2 * pad)))
        return
    shown = _across(text, round(layout.pitch_y - pad))
    upward_text(ImVec2(corner.x, corner.y + small_width(shown)), theme.now.text, shown)


def _number(mode: str, column: LensColumn, row: int) -> str:
    """The number that the color of a cell stands for, in few characters."""
    if isinstance(column, ComparedColumn):
        return column.number(mode, row)
    if mode == RANK:
        return "" if column.ranks is None or column.ranks[row] < 0 else f"rank {column.ranks[row]}"
    if mode == ENTROPY:
        return f"{column.entropy[row]:.1f} nats"
    share = float(column.probabilities[row, 0])
    return "" if np.isnan(share) else f"{100 * share:.0f} %" if share >= 0.0095 else "< 1 %"


@functools.lru_cache(maxsize=16384)
def _elided(text: str, width: int, _font: float) -> str:
    return small_elided(text, width)


def _across(text: str, width: int) -> str:
    return _elided(text, width, imgui.get_font_size())


def _known(view: LensView, layout: LensLayout, corner: ImVec2, colors: LensColors) -> None:
    """Draw the line from which on the final prediction stays first."""
    canvas, thick = imgui.get_window_draw_list(), max(1.5, theme.em(_LINE))
    color, before = packed(opaque(colors.known)), None
    steps = layout.pitch_x >= theme.em(_STEPS_FROM)
    for position in range(layout.first, layout.stop):
        column = view.columns.get(position)
        if column is None:
            before = None
            continue
        y = corner.y + layout.y + column.known * layout.pitch_y - 0.5
        left, right = corner.x + layout.edge(position), corner.x + layout.edge(position + 1)
        canvas.add_line(ImVec2(left, y), ImVec2(right, y), color, thick)
        if steps and before is not None and before != y:
            canvas.add_line(ImVec2(left - 0.5, before), ImVec2(left - 0.5, y), color, thick)
        before = y


def mark(layout: LensLayout, corner: ImVec2, shown: Selection, strong: bool) -> tuple[ImVec2, ImVec2] | None:
    """Outline the column and the row that a selection names; returns the corners of what is outlined."""
    position = shown.position
    row = None if shown.layer is None or shown.layer + 1 >= layout.rows else shown.layer + 1
    column = position if position is not None and layout.first <= position < layout.stop else None
    canvas, color = imgui.get_window_draw_list(), packed(theme.now.mark if strong else theme.now.text_dim)
    left, right = corner.x + layout.x, corner.x + layout.x + layout.width
    top, bottom = corner.y + layout.y, corner.y + layout.y + layout.height
    if column is not None:
        start = max(corner.x + layout.edge(column), left)
        left, right = start, min(max(corner.x + layout.edge(column + 1), start + 2.0), right)
    if row is not None:
        top += row * layout.pitch_y
        bottom = top + max(layout.pitch_y, 2.0)
    if row is None and column is None:
        return None
    low, high = ImVec2(left - 1, top - 1), ImVec2(right, bottom)
    canvas.add_rect(low, high, color, 0.0, max(1.0, theme.em(theme.OUTLINE)))
    return low, high


def colors_of(theme_name: str) -> LensColors:
    """The colors for a theme."""
    return LENS_COLORS["light" if theme_name == "light" else "dark"]
