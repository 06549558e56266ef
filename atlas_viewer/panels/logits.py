"""The candidates that the chosen token was taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from .. import items, theme
from ..requests import Branch
from ..runs import Run
from ..state import State
from .widgets import hint, packed, quoted, tooltip

if TYPE_CHECKING:
    from compute.records import Candidate, StepRecord

TITLE = "Logits"

# Heading, its width in pixels (0 takes the rest), and what it means.
COLUMNS = (
    ("token id", 66, "Number of the token in the vocabulary"),
    ("raw logit", 84, "What the model's last matrix gave"),
    ("scaled delta", 96, "(logit - largest logit) / temperature; at temperature 0 logit - largest logit"),
    ("probability", 100, "What the draw used: at the run's temperature and filters"),
    ("model probability", 130, "The model's own belief: softmax of the logits"),
    ("text", 0, "Click to go on with this token instead"),
)
# Below this width, in pixels, the table scrolls sideways.
_NARROWEST = 640.0


def draw(state: State) -> None:
    """Facts on the chosen token, then the table."""
    run, step = state.run, state.step
    if run is None or step is None:
        hint("The likeliest next tokens of the chosen step, with logits and probabilities.")
        return
    _header(run, step)
    kinds = imgui.TableFlags_
    flags = kinds.row_bg | kinds.borders_inner_h | kinds.scroll_x | kinds.scroll_y
    width = max(imgui.get_content_region_avail().x, _NARROWEST)
    with theme.numbers():
        if imgui.begin_table("logits", len(COLUMNS), flags, ImVec2(0, 0), width):
            _table(state, step)
            imgui.end_table()


def _header(run: Run, step: StepRecord) -> None:
    with theme.numbers(), theme.coloured(imgui.Col_.text, theme.now.accent):
        imgui.text(f"#{step.index + 1} {quoted(step.text)}")
    first, last = step.context_start, step.context_start + step.context_length - 1
    facts = [
        f"token {step.token}",
        f"rank {step.rank}",
        f"forward {step.forward_ms:.1f} ms",
        f"temperature {run.options.temperature:.2f}",
        f"positions {first} to {last}",
    ]
    imgui.same_line()
    with theme.coloured(imgui.Col_.text, theme.now.text_dim):
        imgui.text_wrapped(",  ".join(facts))


def _table(state: State, step: StepRecord) -> None:
    imgui.table_setup_scroll_freeze(0, 1)
    for heading, width, _ in COLUMNS:
        kind = imgui.TableColumnFlags_.width_fixed if width else imgui.TableColumnFlags_.width_stretch
        imgui.table_setup_column(heading, kind, width)
    imgui.table_next_row(imgui.TableRowFlags_.headers)
    for heading, _, meaning in COLUMNS:
        imgui.table_next_column()
        imgui.text_colored(theme.now.text_dim, heading)
        tooltip(meaning)
    for candidate in step.top:
        _row(state, step, candidate)


def _row(state: State, step: StepRecord, candidate: Candidate) -> None:
    imgui.table_next_row()
    imgui.table_next_column()
    taken = candidate.token == step.token
    span = imgui.SelectableFlags_.span_all_columns
    clicked, _ = items.selectable(f"{candidate.token}##{candidate.token}", taken, span)
    if clicked:
        state.requests.append(Branch(step.index, candidate.token))
    tooltip("taken in this step" if taken else COLUMNS[-1][2])
    imgui.table_next_column()
    imgui.text(f"{candidate.logit:9.4f}")
    imgui.table_next_column()
    imgui.text(f"{candidate.scaled_delta:9.4f}")
    imgui.table_next_column()
    _share(candidate.probability)
    imgui.table_next_column()
    _share(candidate.model_probability)
    imgui.table_next_column()
    imgui.text(quoted(candidate.text))


def _share(value: float) -> None:
    """A probability in percent over a bar of that length."""
    corner = imgui.get_cursor_screen_pos()
    width = imgui.get_content_region_avail().x * (min(max(value, 0.0), 1.0) if value == value else 0.0)
    end = ImVec2(corner.x + width, corner.y + imgui.get_text_line_height())
    imgui.get_window_draw_list().add_rect_filled(corner, end, packed(theme.now.accent, 0.45), 2.0)
    imgui.text(f"{100 * value:7.3f} %")
