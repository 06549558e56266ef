"""The map of the Attribution panel: a row per layer, a column per head, and columns for bias and MLP."""

from __future__ import annotations

import time
from dataclasses import dataclass

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import attribution_links
from atlas_viewer.state.attribution_view import Grid, Shown
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from compute.lens.attribution import LogitPart

from . import attribution_colors
from .attention_letters import SMALL, small_text, small_width
from .widgets import packed

BUTTON = "attribution map"
# In ems: the largest cell, the space for the numbers of layers, and the gap between heads and other columns.
_WIDEST, _TALLEST, _LABEL, _GAP = 3.6, 2.6, 1.9, 0.3
_LEGEND = 12.0  # ems, minimum width of the legend


@dataclass(frozen=True)
class Cells:
    """Where the cells are, in pixels on the screen: the first one's corner, their size, and `gap` before others."""

    grid: Grid
    heads: int
    left: float
    top: float
    wide: float
    high: float
    gap: float

    @property
    def width(self) -> float:
        """Width of all cells."""
        return len(self.grid.columns) * self.wide + self.gap

    @property
    def height(self) -> float:
        """Height of all cells."""
        return self.grid.layers * self.high

    def x_of(self, column: int) -> float:
        """The left edge of a column."""
        return self.left + column * self.wide + (self.gap if column >= self.heads else 0.0)

    def at(self, x: float, y: float) -> LogitPart | None:
        """The part at a point."""
        column = next((at for at in range(len(self.grid.columns)) if 0 <= x - self.x_of(at) < self.wide), -1)
        return self.grid.cells.get((int((y - self.top) // self.high), column))


def place(grid: Grid, corner: ImVec2, size: ImVec2) -> Cells:
    """The cells, as large as they fit into `size` with labels and legend."""
    heads = sum(name.isdigit() for name in grid.columns)
    left, top = theme.em(_LABEL), theme.em(SMALL + 0.3)
    gap = theme.em(_GAP) if heads < len(grid.columns) else 0.0
    below = attribution_colors.legend_height() + theme.em(0.4)
    wide = min(max((size.x - left - gap) / len(grid.columns), 2.0), theme.em(_WIDEST))
    high = min(max((size.y - top - below) / grid.layers, 3.0), theme.em(_TALLEST))
    return Cells(grid, heads, corner.x + left, corner.y + top, wide, high, gap)


def draw(state: State, shown: Shown, size: ImVec2) -> LogitPart | None:
    """Draw the map with its legend within `size`; returns the part under the mouse. A click opens it."""
    grid, corner = shown.grid, imgui.get_cursor_screen_pos()
    if not grid.cells:
        return None
    cells = place(grid, corner, size)
    imgui.set_cursor_screen_pos(ImVec2(cells.left, cells.top))
    widget_tracking.invisible_button(BUTTON, ImVec2(cells.width, cells.height))
    mouse, hovered = imgui.get_io().mouse_pos, None
    if imgui.is_item_hovered():
        hovered = cells.at(mouse.x, mouse.y)
    _fill(state, shown, cells, hovered)
    _labels(cells)
    foot = ImVec2(cells.left, cells.top + cells.height + theme.em(0.4))
    width = max(cells.width, theme.em(_LEGEND))
    attribution_colors.legend(state, foot, width, shown.largest)
    imgui.set_cursor_screen_pos(corner)
    bottom = foot.y + attribution_colors.legend_height()
    imgui.dummy(ImVec2(cells.left + width - corner.x, bottom - corner.y))
    if hovered is not None:
        state.hovered = attribution_links.of_part(shown, hovered)
        if imgui.is_mouse_clicked(imgui.MouseButton_.left):
            attribution_links.open_part(state, shown, hovered, time.perf_counter())
    return hovered


def _fill(state: State, shown: Shown, cells: Cells, hovered: LogitPart | None) -> None:
    """Draw the cells, with the highlighted head outlined."""
    canvas, marked = imgui.get_window_draw_list(), state.highlight
    space = 1.0 if min(cells.wide, cells.high) > 5 else 0.0
    outlines = []
    for (layer, column), part in cells.grid.cells.items():
        low = ImVec2(cells.x_of(column), cells.top + layer * cells.high)
        end = ImVec2(low.x + cells.wide - space, low.y + cells.high - space)
        canvas.add_rect_filled(low, end, packed(attribution_colors.cell_color(state, part.value, shown.largest)))
        if part.head is not None and (marked.layer, marked.head) == (layer, part.head):
            outlines.append((low, end, packed(theme.now.mark)))
            widget_tracking.mark(f"{BUTTON} {layer} {part.head}", low, end)
        elif part is hovered:
            outlines.append((low, end, packed(theme.now.mark)))
    for low, end, ink in outlines:
        canvas.add_rect(low, end, ink, 0.0, max(1.5, theme.em(theme.OUTLINE)))


def _labels(cells: Cells) -> None:
    """Number layers and heads, and name the other columns."""
    ink, high = theme.now.text_dim, theme.em(SMALL)
    every = max(1, -int(-high * 1.05 // cells.high))
    for layer in range(0, cells.grid.layers, every):
        text = f"L{layer}"
        y = cells.top + layer * cells.high + (cells.high - high) / 2
        small_text(ImVec2(cells.left - small_width(text) - theme.em(0.35), y), ink, text)
    taken = 0.0
    y = cells.top - high - theme.em(0.15)
    numbers = [small_width(name) for name in cells.grid.columns[: cells.heads]]
    every = max(1, -int(-(max(numbers, default=0.0) + theme.em(0.4)) // cells.wide))
    for column, name in enumerate(cells.grid.columns):
        wide = small_width(name)
        x = cells.x_of(column) + (cells.wide - wide) / 2
        if (column < cells.heads and column % every) or x < taken:
            continue
        small_text(ImVec2(x, y), ink, name)
        taken = x + wide + theme.em(0.25)
