"""Every tensor of the model, by block, with statistics of the latest pass; a click shows it on Strip or Map."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.color_mapping import spread
from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.navigation import on_map, show
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from compute.models.names import split_name
from compute.models.tensor_index import TensorIndex
from compute.views.statistics import TensorStatistics

from . import edit_marks, highlight_cache, plots, value_histogram
from .widgets import hint, packed, tooltip

NAME = "Tensors"

# Heading and width in ems (0 takes the remaining width). Below the minimum width, the table scrolls sideways.
_COLUMNS = (
    ("tensor", 0), ("shape", 6.2),
    ("min", 4.2), ("max", 4.2), ("mean", 4.8), ("std", 4.2), ("values", 4.8), ("NaN", 2.2), ("inf", 2.2)
)  # fmt: skip
_MIN_WIDTH = 46.9
_AXIS = (
    "Histogram of the values on a linear axis from min at the left to max at the right, with a line at 0.\n"
    "Bar heights are square roots of counts. The inspector shows it large, with labels."
)
_BARS = 40  # of a histogram
_LIT = 0.25  # ems, the width of the bar beside a tensor with something highlighted
_EXAMPLE = "search, for example: 3 attn weight"


@dataclass(frozen=True)
class Row:
    """A row of the list: the heading of a group, or a tensor in it."""

    group: str
    info: TensorInfo | None = None


def rows(tensors: Iterable[TensorInfo], search: str, closed: set[str]) -> list[Row]:
    """The rows to show. Names must contain all words of `search`; during a search, every group is open."""
    words = search.lower().split()
    matching = [info for info in tensors if all(word in info.name.lower() for word in words)]
    lines: list[Row] = []
    for info in matching:
        if not lines or lines[-1].group != info.section:
            lines.append(Row(info.section))
        if words or info.section not in closed:
            lines.append(Row(info.section, info))
    return lines


def draw(state: State) -> None:
    """Draw the search field, then the table."""
    inspection = state.inspection
    if not inspection.tensors:
        hint("Every tensor of the model, with its range, mean and histogram.")
        return
    imgui.set_next_item_width(-1)
    _, inspection.search = widget_tracking.input_text_with_hint("##search", _EXAMPLE, inspection.search)
    lines = rows(inspection.tensors.values(), inspection.search, inspection.closed)
    if not lines:
        hint("No tensor matches this name.")
        return
    kinds = imgui.TableFlags_
    flags = kinds.row_bg | kinds.borders_inner_h | kinds.scroll_x | kinds.scroll_y
    width = max(imgui.get_content_region_avail().x - imgui.get_style().scrollbar_size, theme.em(_MIN_WIDTH))
    with theme.numbers():
        if imgui.begin_table("tensors", len(_COLUMNS), flags, ImVec2(0, 0), width):
            _table(state, lines)
            imgui.end_table()


def _table(state: State, lines: list[Row]) -> None:
    inspection = state.inspection
    imgui.table_setup_scroll_freeze(0, 1)
    for heading, width in _COLUMNS:
        kind = imgui.TableColumnFlags_.width_fixed if width else imgui.TableColumnFlags_.width_stretch
        imgui.table_setup_column(heading, kind, theme.em(width))
    imgui.table_next_row(imgui.TableRowFlags_.headers)
    for heading, _ in _COLUMNS:
        imgui.table_next_column()
        imgui.text_colored(theme.now.text_dim, heading)
        if heading == "values":
            tooltip(_AXIS)
    hovered = inspection.cursor.name if inspection.cursor else None
    marked = _row_of(lines, inspection.tensors.get(hovered) if hovered else None)
    lit, edited = highlight_cache.names(state), frozenset(edit_marks.boxes(state))
    clipper = imgui.ListClipper()
    clipper.begin(len(lines))
    while clipper.step():
        for number in range(clipper.display_start, clipper.display_end):
            _row(state, lines[number], number == marked, lit, edited)
    # The list scrolls to the tensor under the cursor only once per tensor, so that it can still be scrolled by hand.
    if marked is not None and inspection.marked != hovered:
        height = imgui.get_text_line_height() + 2 * imgui.get_style().cell_padding.y
        imgui.set_scroll_y(max(0.0, (marked + 1) * height - imgui.get_window_height() / 2))
        inspection.marked = hovered
    clipper.end()


def _row_of(lines: list[Row], info: TensorInfo | None) -> int | None:
    """Index of the tensor's row, or of its group's heading while the group is closed."""
    if info is None:
        return None
    heading = None
    for number, line in enumerate(lines):
        if line.info is not None and line.info.name == info.name:
            return number
        if line.info is None and line.group == info.section:
            heading = number
    return heading


def _row(state: State, line: Row, marked: bool, lit: frozenset[str], edited: frozenset[str]) -> None:
    """Draw a row. marked: the mouse is over its tensor; lit, edited: names of highlighted and of edited tensors."""
    inspection = state.inspection
    imgui.table_next_row()
    if marked:
        imgui.table_set_bg_color(imgui.TableBgTarget_.row_bg1, imgui.get_color_u32(theme.now.accent_dim))
    imgui.table_next_column()
    span_all = imgui.SelectableFlags_.span_all_columns
    if line.info is None:
        sign = "+" if line.group in inspection.closed and not inspection.search else "-"
        clicked, _ = widget_tracking.selectable(f"{sign} {line.group}##group", False, span_all)
        if clicked:
            inspection.closed ^= {line.group}
        return
    info = line.info
    focus = inspection.focus
    chosen = focus is not None and focus.name == info.name
    corner = imgui.get_cursor_screen_pos()
    clicked, _ = widget_tracking.selectable(f"  {split_name(info.name)[1]}###{info.name}", chosen, span_all)
    if info.name in edited:
        start = ImVec2(corner.x + 1.5 * theme.em(_LIT), corner.y)
        edge = ImVec2(start.x + theme.em(_LIT), corner.y + imgui.get_text_line_height())
        imgui.get_window_draw_list().add_rect_filled(start, edge, packed(theme.now.edit))
        widget_tracking.mark(f"edited {info.name}", start, edge)
    if info.name in lit:
        end = ImVec2(corner.x + theme.em(_LIT), corner.y + imgui.get_text_line_height())
        imgui.get_window_draw_list().add_rect_filled(corner, end, packed(theme.now.mark))
        widget_tracking.mark(info.name, corner, end)
    if imgui.is_item_hovered():
        state.hovered = Selection(layer=info.layer, element=TensorIndex(info.name))
    if clicked:
        show(state, TensorIndex(info.name))
    missing = info.span is None and not on_map(state)
    changed = "\nEdits change values of it." if info.name in edited else ""
    tooltip(info.sentence + changed + ("\nNot on Strip: a click inspects its first value." if missing else ""))
    imgui.table_next_column()
    imgui.text_colored(theme.now.text_dim, " x ".join(map(str, info.shape)))
    _numbers(state, info)


def _numbers(state: State, info: TensorInfo) -> None:
    """Draw statistics and histogram."""
    known = state.inspection.statistics.get(info.name)
    if known is None:
        return
    for value in (known.min, known.max, known.mean, known.std):
        imgui.table_next_column()
        imgui.text("-" if value is None else f"{value:.3g}")
    imgui.table_next_column()
    corner = imgui.get_cursor_screen_pos()
    width, height = imgui.get_content_region_avail().x, imgui.get_text_line_height()
    _histogram(state, known, corner, width, height)
    for count in (known.nan, known.pos_inf + known.neg_inf):
        imgui.table_next_column()
        imgui.text_colored(theme.now.error if count else theme.now.text_dim, str(count))
        if count:
            tooltip(f"{known.nan} NaN, {known.pos_inf} +inf, {known.neg_inf} -inf; first at {known.first_nonfinite}")


def _histogram(state: State, known: TensorStatistics, corner: ImVec2, width: float, height: float) -> None:
    """Draw a histogram from the lowest to the highest value."""
    if not known.finite or not known.histogram:
        return
    axis = value_histogram.axis_for(known, "linear")
    bars = spread(tuple(known.histogram), tuple(state.edges), axis, (known.min, known.max), _BARS)
    plots.histogram(bars, corner, width, height, theme.now.accent, 0.8)
    if known.min <= 0 <= known.max:
        x = round(corner.x + width * axis.x_at(0.0))
        imgui.get_window_draw_list().add_line(
            ImVec2(x, corner.y), ImVec2(x, corner.y + height), packed(theme.now.text_dim), max(1.0, theme.em(0.07))
        )
