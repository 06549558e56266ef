"""The table of the Compare panel: what A and B predict after their last tokens."""

from __future__ import annotations

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.comparing import Predictions, Row
from atlas_viewer.state.protocols import TokenCodec
from atlas_viewer.state.quoting import percent
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from .widgets import quoted, tooltip

# Heading, width in ems (0 takes the remaining width), and help text.
_COLUMNS = (
    (
        "token",
        0.0,
        "Those that changed most come first; A and B mark the likeliest of each.\nA click selects the token",
    ),
    ("logit A", 5.0, "Raw logit in A"),
    ("logit B", 5.0, "Raw logit in B"),
    ("A - B", 5.0, "Logit of A minus logit of B"),
    ("prob. A", 5.2, "Model probability in A"),
    ("prob. B", 5.2, "Model probability in B"),
    ("change", 5.4, "Probability of A minus that of B, in percentage points"),
)
_TOKEN = 9.0  # ems: the least width of the first column


def draw(state: State, found: Predictions, tokenizer: TokenCodec | None) -> None:
    """Draw the table in the panel's remaining space."""
    kinds = imgui.TableFlags_
    flags = kinds.row_bg | kinds.borders_inner_h | kinds.scroll_x | kinds.scroll_y | kinds.resizable
    narrowest = sum(theme.em((width or _TOKEN) + 0.8) for _, width, _ in _COLUMNS)
    available = imgui.get_content_region_avail()
    if available.y < 2 * imgui.get_text_line_height_with_spacing():
        return
    if not imgui.begin_table("compared logits", len(_COLUMNS), flags, ImVec2(0, 0), max(available.x, narrowest)):
        return
    imgui.table_setup_scroll_freeze(1, 1)
    for heading, width, _ in _COLUMNS:
        kind = imgui.TableColumnFlags_.width_fixed if width else imgui.TableColumnFlags_.width_stretch
        imgui.table_setup_column(heading, kind, theme.em(width))
    imgui.table_next_row(imgui.TableRowFlags_.headers)
    for heading, _, meaning in _COLUMNS:
        if imgui.table_next_column():
            with theme.colored(imgui.Col_.text, theme.now.text_dim):
                widget_tracking.table_header(f"{heading}###{heading}##compared")
            tooltip(meaning)
    with theme.numbers():
        for row in found.rows:
            _row(state, found, row, tokenizer)
    imgui.end_table()


def _row(state: State, found: Predictions, row: Row, tokenizer: TokenCodec | None) -> None:
    imgui.table_next_row()
    imgui.table_next_column()
    text = quoted(tokenizer.token_label(row.token)) if tokenizer is not None else f"id:{row.token}"
    first = [letter for letter, best in (("A", found.likeliest_a), ("B", found.likeliest_b)) if best == row.token]
    text = f"{text}  {'+'.join(first)}" if first else text
    flags = imgui.SelectableFlags_.span_all_columns
    with theme.colored(imgui.Col_.text, theme.now.accent if first else theme.now.text):
        if widget_tracking.selectable(f"{text}###compared {row.token}", state.highlight.token == row.token, flags)[0]:
            state.selected = Selection(token=row.token)
    if imgui.is_item_hovered():
        state.hovered = Selection(token=row.token)
    shown = (
        f"{row.logit_a:.3f}", f"{row.logit_b:.3f}", f"{row.delta:+.3f}",
        percent(row.probability_a), percent(row.probability_b), f"{100 * row.gain:+.2f}",
    )  # fmt: skip
    for at, value in enumerate(shown):
        if imgui.table_next_column():
            changed = at in (2, 5) and abs(row.gain) >= 5e-5
            imgui.text_colored(_sign_color(row.gain if at == 5 else row.delta) if changed else theme.now.text, value)


def _sign_color(value: float) -> ImVec4:
    return theme.now.accent if value > 0 else theme.now.differs
