"""The heat map of the Patching panel: a row per layer, a column per position or head."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.color_mapping import ColorMapping
from atlas_viewer.state.lens_colors import DARK_INK, LIGHT_INK, dark_text
from atlas_viewer.state.patching_view import MLP, PATCH, MapResult
from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from compute.views.palettes import Rgb

from .attention_letters import SMALL, small_elided, small_text, small_width, upward_text
from .widgets import packed

GRID = "patching map"
_WIDEST, _TALLEST, _LABEL, _NUMBERS, _TOKEN, _TURNED = 7.0, 3.4, 2.2, 1.0, 1.1, 4.6  # ems
_ACROSS, _TEXT, _TEXT_HIGH = 2.9, 2.9, 1.0  # the smallest cell with a token across above it, or with its number in it
_LEGEND, _STEPS = 14.0, 48
_NIGHT, _PAPER, _ON_PAPER = (0.125, 0.137, 0.165), (0.975, 0.978, 0.985), 0.88
_MISSING = ImVec4(0.5, 0.5, 0.52, 1.0)


@dataclass(frozen=True)
class Place:
    """Where the cells are: the first one's corner on the screen, their size, and how many there are."""

    left: float
    top: float
    wide: float
    high: float
    rows: int
    columns: int
    across: bool  # token texts above the columns are written across
    tokens: bool  # columns are positions

    @property
    def width(self) -> float:
        """Width of all cells."""
        return self.columns * self.wide

    @property
    def height(self) -> float:
        """Height of all cells."""
        return self.rows * self.high

    def at(self, x: float, y: float) -> tuple[int, int] | None:
        """The cell at a point."""
        row, column = math.floor((y - self.top) / self.high), math.floor((x - self.left) / self.wide)
        return (row, column) if 0 <= row < self.rows and 0 <= column < self.columns else None

    def corner(self, cell: tuple[int, int]) -> ImVec2:
        """The upper left corner of a cell."""
        return ImVec2(self.left + cell[1] * self.wide, self.top + cell[0] * self.high)


def place(result: MapResult, corner: ImVec2, size: ImVec2) -> Place:
    """The cells, as large as they fit into `size`."""
    rows, columns = result.values.shape
    tokens = result.job.section == PATCH and result.job.over != "heads"
    left = theme.em(_LABEL)
    wide = min(max((size.x - left) / columns, 2.0), theme.em(_WIDEST))
    across = not tokens or wide >= theme.em(_ACROSS)
    top = theme.em((_NUMBERS + (_TOKEN if across else _TURNED)) if tokens else _TOKEN)
    high = min(max((size.y - top) / rows, 3.0), theme.em(_TALLEST))
    return Place(corner.x + left, corner.y + top, wide, high, rows, columns, across, tokens)


def color_of(state: State, value: float, limit: float) -> ImVec4:
    """The color of a value: one hue of the palette in use for each sign, and none at 0."""
    if not math.isfinite(value):
        return _MISSING
    light, part = state.ui.theme == "light", min(abs(value) / limit, 1.0)
    middle = _PAPER if light else _NIGHT
    end = _end(state.inspection.mapping.palette, value >= 0, light)
    red, green, blue = (low + (high - low) * part for low, high in zip(middle, end, strict=True))
    return ImVec4(red, green, blue, 1.0)


@functools.lru_cache(16)
def _end(palette: str, positive: bool, light: bool) -> Rgb:
    """The strongest color of a sign."""
    red, green, blue = ColorMapping(palette=palette, curve="linear").color(1.0 if positive else -1.0)
    share = _ON_PAPER if light else 1.0
    return (share * red, share * green, share * blue)


def draw(state: State, result: MapResult, size: ImVec2) -> tuple[tuple[int, int] | None, Place]:
    """Draw the map within `size`; returns the cell under the mouse, and where the cells are."""
    view, corner = state.patching, imgui.get_cursor_screen_pos()
    cells = place(result, corner, size)
    imgui.set_cursor_screen_pos(ImVec2(cells.left, cells.top))
    widget_tracking.invisible_button(GRID, ImVec2(cells.width, cells.height))
    mouse = imgui.get_io().mouse_pos
    hovered = cells.at(mouse.x, mouse.y) if imgui.is_item_hovered() else None
    control = view.shows_control and result.control is not None
    values = result.control if control and result.control is not None else result.values
    canvas, limit = imgui.get_window_draw_list(), result.limit
    space = 1.0 if min(cells.wide, cells.high) > 5 else 0.0
    texts = cells.wide >= theme.em(_TEXT) and cells.high >= theme.em(_TEXT_HIGH)
    for row in range(cells.rows):
        for column in range(cells.columns):
            value, low = float(values[row, column]), cells.corner((row, column))
            color = color_of(state, value, limit)
            end = ImVec2(low.x + cells.wide - space, low.y + cells.high - space)
            canvas.add_rect_filled(low, end, packed(color))
            if texts:
                _write(low, cells, color, value)
    _labels(result, cells)
    for cell, ink in ((view.chosen, theme.now.accent), (hovered, theme.now.mark)):
        if cell is not None and cell[0] < cells.rows and cell[1] < cells.columns:
            low = cells.corner(cell)
            end = ImVec2(low.x + cells.wide - space, low.y + cells.high - space)
            canvas.add_rect(low, end, packed(ink), 0.0, max(1.5, theme.em(theme.OUTLINE)))
            widget_tracking.mark(GRID, low, end)
    imgui.set_cursor_screen_pos(ImVec2(corner.x, cells.top + cells.height + theme.em(0.4)))
    return hovered, cells


def _write(low: ImVec2, cells: Place, color: ImVec4, value: float) -> None:
    """Write the number into its cell."""
    text = f"{round(value, 2) + 0.0:.2f}" if math.isfinite(value) else "-"  # without minus zero
    ink = DARK_INK if dark_text((color.x, color.y, color.z)) else LIGHT_INK
    x = low.x + (cells.wide - small_width(text)) / 2
    small_text(ImVec2(x, low.y + (cells.high - theme.em(SMALL)) / 2), ImVec4(*ink, 1.0), text)


def _labels(result: MapResult, cells: Place) -> None:
    """Number the layers and the columns, and write the tokens above positions."""
    ink, high = theme.now.text_dim, theme.em(SMALL)
    every = max(1, -int(-high * 1.05 // cells.high))
    for layer in range(0, cells.rows, every):
        text = f"L{layer}"
        y = cells.top + layer * cells.high + (cells.high - high) / 2
        small_text(ImVec2(cells.left - small_width(text) - theme.em(0.4), y), ink, text)
    above = cells.top - theme.em(_TOKEN)
    if not cells.tokens:
        _heads(result, cells, above)
        return
    number = cells.top - theme.em(_NUMBERS + (_TOKEN if cells.across else _TURNED))
    every = max(1, -int(-(small_width(str(cells.columns)) + theme.em(0.4)) // cells.wide))
    named = 1 if cells.across else max(1, -int(-high // cells.wide))
    for column, name in enumerate(result.columns):
        x = cells.left + column * cells.wide
        if column % every == 0:
            text = str(column)
            small_text(ImVec2(x + (cells.wide - small_width(text)) / 2, number), ink, text)
        shown = quoted(name)[1:-1].strip(" ") or quoted(name)
        color = theme.now.accent if "/" in name and name != "/" else theme.now.text
        if cells.across:
            text = small_elided(shown, cells.wide - theme.em(0.2))
            small_text(ImVec2(x + (cells.wide - small_width(text)) / 2, above), color, text)
        elif column % named == 0:
            text = small_elided(shown, theme.em(_TURNED - 0.2))
            upward_text(ImVec2(x + (cells.wide - high) / 2, cells.top - theme.em(0.2)), color, text)


def _heads(result: MapResult, cells: Place, y: float) -> None:
    """The numbers of heads, and the MLP's column."""
    taken = 0.0
    for column, name in enumerate(result.columns):
        text = name if name == MLP or cells.wide < theme.em(3.4) else f"head {name}"
        x = cells.left + column * cells.wide + (cells.wide - small_width(text)) / 2
        if x >= taken:
            small_text(ImVec2(x, y), theme.now.text_dim, text)
            taken = x + small_width(text) + theme.em(0.3)


def legend(state: State, result: MapResult, corner: ImVec2) -> float:
    """Draw all colors with ticks below; returns the height."""
    canvas, limit, values = imgui.get_window_draw_list(), result.limit, result.values
    low = -limit if bool((values < 0).any()) else 0.0
    width, bar = theme.em(_LEGEND), theme.em(0.5)
    for step in range(_STEPS):
        x = corner.x + width * step / _STEPS
        color = color_of(state, low + (limit - low) * (step + 0.5) / _STEPS, limit)
        canvas.add_rect_filled(ImVec2(x, corner.y), ImVec2(x + width / _STEPS + 0.5, corner.y + bar), packed(color))
    canvas.add_rect(corner, ImVec2(corner.x + width, corner.y + bar), packed(theme.now.line))
    for value in (low, (low + limit) / 2, limit):
        x = corner.x + width * (value - low) / (limit - low)
        canvas.add_line(
            ImVec2(x, corner.y + bar), ImVec2(x, corner.y + bar + theme.em(0.2)), packed(theme.now.text_dim)
        )
        text = f"{value:.3g}"
        left = min(max(x - small_width(text) / 2, corner.x), corner.x + width - small_width(text))
        small_text(ImVec2(left, corner.y + bar + theme.em(0.2)), theme.now.text_dim, text)
    return bar + theme.em(0.2 + SMALL)
