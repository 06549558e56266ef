"""The table of the Logits panel: one row per token, sorted by the column that was clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.candidates import Line, LogitsView, Table
from atlas_viewer.state.quoting import percent
from atlas_viewer.state.requests import Branch
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from . import ladder
from .widgets import hovered_still, packed, quoted, tooltip

if TYPE_CHECKING:
    from compute.generate.steps import StepRecord

# Heading, field of `Line`, width in ems (0 takes the remaining width), and help text.
_COLUMNS = (
    ("rank", "rank", 4.3, "Rank by raw logit, 1 is the largest"),
    ("token id", "token", 3.6, "Index of the token in the vocabulary"),
    ("raw logit", "logit", 4.6, "Output of the model's last layer"),
    (
        "scaled delta",
        "scaled_delta",
        4.9,
        "(logit - largest logit) / temperature; at temperature 0, logit - largest logit",
    ),
    (
        "sample prob.",
        "probability",
        4.8,
        "Sampling probability: after penalty, temperature and filters.\n"
        "Greedy sampling gives the likeliest token all of it.",
    ),
    ("model prob.", "model_probability", 5.0, "Model probability: softmax of the logits"),
    (
        "top-p sum",
        "cumulative",
        4.8,
        "What top-p cuts: probabilities after penalty, temperature and top-k,\n"
        "summed from the likeliest token down to this one. Greedy: of model probabilities.",
    ),
    ("text", "text", 0, "Click a row to branch: the new run has its token instead"),
)
_COMPARED = (
    ("change", "gain", 4.8, "Model probability here minus that at the other step, in percentage points"),
    ("climb", "climb", 3.6, "How many ranks higher than at the other step"),
)
_PADDING = 0.27  # ems on each side of a column
_TEXT = 7.4  # minimum width of the last column, in ems; in a narrower panel, the table scrolls sideways
_HIDDEN_FIRST = ("logit", "scaled_delta")
_ASCENDING = ("rank", "token", "text")  # the first click sorts these in ascending order
_REMOVED = 0.6  # opacity of a token that a filter removed


def draw(state: State, step: StepRecord, table: Table, text_of: ladder.TextOf) -> None:
    """Draw the table in the panel's remaining space. text_of: the text of a token."""
    columns = _COLUMNS if state.compared_step is None else (*_COLUMNS[:-1], *_COMPARED, _COLUMNS[-1])
    kinds = imgui.TableFlags_
    flags = kinds.row_bg | kinds.borders_inner_h | kinds.scroll_x | kinds.scroll_y
    flags |= kinds.sortable | kinds.resizable | kinds.reorderable | kinds.hideable
    padding = 2 * theme.em(_PADDING)
    narrowest = sum(theme.em(width or _TEXT) + padding for _, _, width, _ in columns)
    available = imgui.get_content_region_avail().x - imgui.get_style().scrollbar_size
    # If the columns of a comparison would push the text out of sight, some columns start hidden.
    hidden = _HIDDEN_FIRST if state.compared_step is not None and available < narrowest else ()
    narrowest -= sum(theme.em(width) + padding for _, name, width, _ in columns if name in hidden)
    imgui.push_style_var(imgui.StyleVar_.cell_padding, ImVec2(theme.em(_PADDING), imgui.get_style().cell_padding.y))
    # imgui saves a table's columns under its name, so different columns need a different name.
    if imgui.begin_table(f"logits{len(columns)}", len(columns), flags, ImVec2(0, 0), max(available, narrowest)):
        _head(state.logits, columns, hidden)
        with theme.numbers():
            _lines(state, step, table, columns, text_of)
        imgui.end_table()
    imgui.pop_style_var()


def _head(view: LogitsView, columns: tuple[tuple[str, str, float, str], ...], hidden: Sequence[str]) -> None:
    kinds = imgui.TableColumnFlags_
    imgui.table_setup_scroll_freeze(0, 1)
    for heading, name, width, _ in columns:
        kind = kinds.width_fixed if width else kinds.width_stretch
        kind |= kinds.prefer_sort_ascending if name in _ASCENDING else kinds.prefer_sort_descending
        kind |= kinds.default_sort if name == "rank" else 0
        kind |= kinds.no_hide if name == "rank" else 0  # its cell is what is clicked
        kind |= kinds.default_hide if name in hidden else 0
        imgui.table_setup_column(heading, kind, theme.em(width))
    imgui.table_next_row(imgui.TableRowFlags_.headers)
    for heading, name, _, meaning in columns:
        if not imgui.table_next_column():
            continue
        with theme.colored(imgui.Col_.text, theme.now.text_dim):
            widget_tracking.table_header(f"{heading}###{name}##head")
        tooltip(f"{meaning}\nClick to sort, drag to move, right-click to choose columns")
    specs = imgui.table_get_sort_specs()
    if specs is not None and specs.specs_count:
        first = specs.get_specs(0)
        view.column = columns[first.column_index][1]
        view.descending = first.get_sort_direction() == imgui.SortDirection.descending


def _lines(
    state: State,
    step: StepRecord,
    table: Table,
    columns: tuple[tuple[str, str, float, str], ...],
    text_of: ladder.TextOf,
) -> None:
    height = imgui.get_text_line_height() + 2 * imgui.get_style().cell_padding.y
    _scroll_to_taken(state, step, table, height)
    opened = next((at for at, line in enumerate(table.lines) if line.token == state.logits.ladder), None)
    end = len(table.lines)
    if state.logits.revealing and opened is not None:
        imgui.set_scroll_y(max(opened - 1, 0) * height)
        state.logits.revealing = False
    for first, stop in ((0, end),) if opened is None else ((0, opened + 1), (opened + 1, end)):
        clipper = imgui.ListClipper()
        clipper.begin(stop - first, height)
        while clipper.step():
            for at in range(first + clipper.display_start, first + clipper.display_end):
                cuts = table.cuts.get(at, ())
                _line(state, step, table.lines[at], columns, cuts)
                if cuts:
                    _cut()
        clipper.end()
        if first == 0 and opened is not None:
            _ladder(state, table.lines[opened].token, text_of)


def _ladder(state: State, token: int, text_of: ladder.TextOf) -> None:
    """Draw the ladder of a token across all columns, as a row of its own."""
    shown = ladder.content(state, state.current_distribution, token, text_of)
    left, width = imgui.get_window_pos().x, imgui.get_window_size().x - imgui.get_style().scrollbar_size
    imgui.table_next_row(imgui.TableRowFlags_.none, ladder.height(shown, width))
    imgui.table_next_column()
    top = imgui.get_cursor_screen_pos().y - imgui.get_style().cell_padding.y
    imgui.internal.table_push_background_channel()
    ladder.draw(shown, token, ImVec2(left, top), width)
    imgui.internal.table_pop_background_channel()


def _scroll_to_taken(state: State, step: StepRecord, table: Table, height: float) -> None:
    """Bring the row of the token that was taken into view when another step or its logits appear.

    While a run is followed, rows would move under the cursor, so the table stays where it is until the run pauses.
    """
    at = next((index for index, line in enumerate(table.lines) if line.token == step.token), None)
    followed = state.busy and state.chosen is None
    if at is None or followed or state.run is None:
        state.logits.scrolled = None
        return
    known = state.current_distribution is not None
    if not state.logits.needs_scroll((state.run.number, step.index, step.token, known)):
        return
    style = imgui.get_style()
    visible = imgui.get_window_size().y - height  # below the headings
    if imgui.get_scroll_max_x() > 0:
        visible -= style.scrollbar_size
    top, scroll = at * height, imgui.get_scroll_y()
    if top < scroll or top + height > scroll + visible:
        imgui.set_scroll_y(max(top - (visible - height) / 2, 0.0))


def _line(
    state: State,
    step: StepRecord,
    line: Line,
    columns: tuple[tuple[str, str, float, str], ...],
    cuts: Sequence[str],
) -> None:
    taken = line.token == step.token
    ink = theme.now.text  # the bar across the row marks the token that was taken
    if line.left_out_by and not taken:
        ink = ImVec4(ink.x, ink.y, ink.z, ink.w * _REMOVED)
    imgui.table_next_row()
    if state.highlight.token == line.token:
        mark = theme.now.mark
        shade = ImVec4(mark.x, mark.y, mark.z, 0.3)
        imgui.table_set_bg_color(imgui.TableBgTarget_.row_bg1, imgui.get_color_u32(shade))
    with theme.colored(imgui.Col_.text, ink):
        for at, (_, name, _, _) in enumerate(columns):
            if not imgui.table_next_column() and at:
                continue
            if at == 0:
                _first(state, step, line, taken)
            elif name == "text":
                _text(quoted(line.text), cuts)
            else:
                _cell(name, line)


def _first(state: State, step: StepRecord, line: Line, taken: bool) -> None:
    """Draw the rank, in a selectable that spans the row, and the sign at its right end that opens the ladder."""
    flags = imgui.SelectableFlags_.span_all_columns | widget_tracking.SELECT_AT_ONCE
    corner, width, size = (
        imgui.get_cursor_screen_pos(),
        imgui.get_content_region_avail().x,
        imgui.get_text_line_height(),
    )
    clicked, _ = imgui.selectable(f"{_count(line.rank)}##{line.token}", taken, flags)
    widget_tracking.track(f"token {line.token}")
    if state.highlight.token == line.token:
        widget_tracking.mark(f"token {line.token}", imgui.get_item_rect_min(), imgui.get_item_rect_max())
    hovered, still = imgui.is_item_hovered(), hovered_still()
    sign = ImVec2(corner.x + width - size, corner.y)
    on_sign = _opener(state, line.token, sign, size) and hovered
    if hovered:
        state.hovered = Selection(token=line.token)
    if clicked and on_sign:
        opened = state.logits.ladder == line.token
        state.logits.ladder = None if opened else line.token
        state.selected = state.selected if opened else Selection(token=line.token)
    elif clicked and not taken:
        state.requests.append(Branch(step.index, line.token))
    if still and on_sign:
        imgui.set_tooltip("Show how this token gets its probability, or hide it  S")
    elif still:
        imgui.set_tooltip(tooltip_text(line, taken, state))


def _opener(state: State, token: int, corner: ImVec2, size: float) -> bool:
    """Draw the sign that opens or closes the row's ladder; True while the mouse is in its square."""
    end, half = ImVec2(corner.x + size, corner.y + size), size / 5
    widget_tracking.rects[f"ladder {token}"] = widget_tracking.WidgetRect(corner.x, corner.y, end.x, end.y)
    over = bool(imgui.is_mouse_hovering_rect(corner, end))
    x, y = (corner.x + end.x) / 2, (corner.y + end.y) / 2
    ink, canvas = packed(theme.now.text if over else theme.now.text_dim), imgui.get_window_draw_list()
    if state.logits.ladder == token:
        low, high, tip = ImVec2(x - half, y - half), ImVec2(x + half, y - half), ImVec2(x, y + half)
    else:
        low, high, tip = ImVec2(x - half, y - half), ImVec2(x + half, y), ImVec2(x - half, y + half)
    canvas.add_triangle_filled(low, high, tip, ink)
    return over


def _cell(name: str, line: Line) -> None:
    value = getattr(line, name)
    if name == "token":
        imgui.text(str(value))
    elif value != value:
        imgui.text_colored(theme.now.text_dim, "-")
    elif name in ("logit", "scaled_delta"):
        imgui.text(f"{value:9.4f}")
    elif name == "gain":
        imgui.text(f"{100 * value:+8.3f}")
    elif name == "climb":
        imgui.text(f"{int(value):+,}")
    else:
        _share(value, 0.2 if name == "cumulative" else 0.45)


def _share(value: float, opacity: float) -> None:
    """Draw a probability in percent, over a bar of proportional length."""
    corner = imgui.get_cursor_screen_pos()
    width = imgui.get_content_region_avail().x * min(max(value, 0.0), 1.0)
    if width >= 0.5:
        end = ImVec2(corner.x + width, corner.y + imgui.get_text_line_height())
        imgui.get_window_draw_list().add_rect_filled(corner, end, packed(theme.now.accent, opacity), theme.em(0.13))
    imgui.text(percent(value))


def _cut() -> None:
    """Draw a line across the panel below the last row drawn."""
    floor = round(imgui.get_item_rect_max().y + imgui.get_style().cell_padding.y)
    left = imgui.get_window_pos().x
    right = left + imgui.get_window_size().x - imgui.get_style().scrollbar_size
    imgui.internal.table_push_background_channel()
    ink, weight = packed(theme.now.accent), max(1.0, theme.em(0.1))
    imgui.get_window_draw_list().add_line(ImVec2(left, floor), ImVec2(right, floor), ink, weight)
    imgui.internal.table_pop_background_channel()


def _text(text: str, cuts: Sequence[str]) -> None:
    """Draw a token and, right-aligned in its cell, as many names of the cuts below it as fit."""
    corner, available = imgui.get_cursor_screen_pos(), imgui.get_content_region_avail().x
    imgui.text(text)
    left = available - imgui.calc_text_size(text).x - theme.em(0.8)
    for count in range(len(cuts), 0, -1):
        names = ", ".join(cuts[:count])
        width = imgui.calc_text_size(names).x
        if width <= left:
            canvas = imgui.get_window_draw_list()
            canvas.add_text(ImVec2(corner.x + available - width, corner.y), packed(theme.now.accent), names)
            return


def tooltip_text(line: Line, taken: bool, state: State) -> str:
    """Everything known about the token of a row, for its tooltip."""
    lines = [f"{quoted(line.text)}, token {line.token}"]
    if line.rank:
        lines.append(f"rank {line.rank:,}" + (f", {line.draw_rank:,} in sampling" if line.draw_rank else ""))
    for name, value in (("raw logit", line.logit), ("scaled delta", line.scaled_delta)):
        lines += [f"{name} {value:.6g}"] if value == value else []
    for name, value in (
        ("sampling probability", line.probability),
        ("model probability", line.model_probability),
        ("top-p sum up to here", line.cumulative),
    ):
        lines += [f"{name} {100 * value:.4g} %"] if value == value else []
    if line.left_out_by:
        lines.append(f"removed by {line.left_out_by}")
    if state.compared_step is not None and line.gain == line.gain:
        other_step = f"#{state.compared_step.index + 1}"
        lines.append(f"at {other_step}: rank {line.rank + int(line.climb):,}, model probability")
        lines[-1] += f" {100 * (line.model_probability - line.gain):.4g} %"
    lines.append("taken at this step" if taken else "click to branch with this token instead")
    return "\n".join(lines)


def _count(rank: int) -> str:
    return f"{rank:,}" if rank else "-"
