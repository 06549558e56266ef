"""The columns of Lens: which belong to the text, which are missing, what they show, and what is visible of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atlas_viewer.state.lens_colors import DARK_INK, LENS_COLORS, LIGHT_INK, dark_text
from atlas_viewer.state.lens_layout import ACROSS, NONE, UP, lens_layout
from atlas_viewer.state.lens_target import aim
from atlas_viewer.state.lens_view import AGREEMENT, ENTROPY, MODES, PROBABILITY, RANK, LensView, short_name
from compute.text.tokenizer import load_tokenizer
from compute.views.palettes import contrast

from helpers.fake_lens import POINTS, lens_cells

TEXT = [5, 6, 7, 8, 9]
EM = 13.0


@pytest.fixture
def view() -> LensView:
    made = LensView(points=POINTS, rows=5)
    made.follow(1, TEXT, busy=False)
    made.take(lens_cells(range(5)), 0)
    return made


def test_a_longer_text_keeps_its_columns_and_a_branch_those_before_it(view: LensView) -> None:
    epoch = view.epoch
    view.follow(2, [*TEXT, 10], busy=True)
    assert sorted(view.columns) == [0, 1, 2, 3, 4]
    assert view.epoch == epoch, "results in flight still belong to the text"
    view.follow(3, [5, 6, 99, 8, 9, 10], busy=True)
    assert sorted(view.columns) == [0, 1]
    assert view.epoch == epoch + 1


def test_undo_drops_columns_that_the_text_no_longer_has(view: LensView) -> None:
    view.follow(2, TEXT[:3], busy=False)
    assert sorted(view.columns) == [0, 1, 2]


def test_columns_ahead_of_the_text_stay_only_while_the_run_is_in_progress(view: LensView) -> None:
    view.follow(2, TEXT, busy=True)
    view.take(lens_cells(range(5, 8)), 0)
    assert max(view.columns) == 7
    view.follow(3, [*TEXT, 10], busy=False)
    assert max(view.columns) == 5


def test_the_newest_missing_positions_come_first(view: LensView) -> None:
    view.columns.clear()
    assert view.missing(True, 1) == range(4, 5)
    assert view.missing(True, 3) == range(2, 5)
    view.take(lens_cells(range(3, 5)), 0)
    assert view.missing(True, 64) == range(3)
    view.take(lens_cells(range(3)), 0)
    assert view.missing(True, 64) is None


def test_another_target_or_a_moved_context_makes_columns_missing(view: LensView) -> None:
    view.target = 17
    assert view.missing(False, 64) == range(5)
    view.take(lens_cells(range(5), 17), 0)
    assert view.missing(False, 64) is None
    view.start = 1
    assert view.missing(False, 64) == range(5, 6)
    assert view.missing(True, 64) == range(1, 6), "a run that is not in progress shows one pass"
    view.take(lens_cells(range(5), 17), 1)
    assert view.missing(True, 64) is None
    assert view.columns[1].start == 1
    assert view.positions() == range(6), "the token that has left the context keeps its column"


def test_known_is_the_point_from_which_the_prediction_stays_first(view: LensView) -> None:
    assert [view.columns[position].known for position in range(4)] == [2, 1, 2, 1]
    assert view.known_at(2, token=12) == 1
    assert view.known_at(2, token=13) is None, "not the likeliest token"
    assert view.known_at(0, token=5) is None, "nothing predicts the first token"


def test_levels(view: LensView) -> None:
    column = view.columns[1]
    assert column.level(PROBABILITY, 100) == pytest.approx([math.exp(-1)] * 3)
    assert column.level(ENTROPY, 100) == pytest.approx([3 / math.log(100)] * 3)
    assert column.level(AGREEMENT, 100).tolist() == [0, 1, 1]
    assert np.isnan(column.level(RANK, 100)).all()
    view.take(lens_cells(range(1), 17), 0)
    ranked = view.columns[0].level(RANK, 100)
    assert ranked[0] == 1
    assert 0 < ranked[2] < ranked[1] < 1
    for _ in MODES:
        view.next_mode()
    assert view.mode == PROBABILITY


def test_zooming_keeps_the_position_under_the_mouse_and_the_right_end_follows(view: LensView) -> None:
    whole = range(100)
    assert view.visible(whole) == (0, 100)
    view.zoom_by(4, 0.5, whole)
    assert view.visible(whole) == (37.5, 25)
    view.move_by(-1000, whole)
    assert view.visible(whole) == (0, 25)
    view.show(60, whole)
    left, shown = view.visible(whole)
    assert left <= 60 <= left + shown - 1
    view.move_by(1000, whole)
    assert view.left is None
    assert view.visible(range(120)) == (95, 25), "the newest position stays in sight"
    view.zoom_by(0.01, 0.5, whole)
    assert view.visible(whole) == (0, 100)


@pytest.mark.parametrize(
    ("positions", "width", "texts"), [(8, 760, ACROSS), (64, 850, UP), (256, 850, NONE), (64, 2700, ACROSS)]
)
def test_texts_fit_their_cells(positions: int, width: int, texts: str) -> None:
    whole = range(positions)
    layout = lens_layout(whole, (0, positions), 9, width, 560, EM)
    assert layout.texts == texts
    assert layout.y + layout.height <= 560
    assert layout.edge(positions) <= width + 1
    assert layout.named * layout.pitch_x >= 0.75 * EM, "the tokens above do not overlap"
    assert (layout.first, layout.stop) == (0, positions)


def test_cells_and_labels_are_found() -> None:
    layout = lens_layout(range(10, 30), (12.5, 10), 9, 800, 600, EM)
    middle = layout.y + 4.5 * layout.pitch_y
    assert layout.cell_at(layout.edge(15) + 1, middle) == (15, 4)
    assert layout.cell_at(layout.edge(15) + 1, 3) == (15, None)
    assert layout.cell_at(3, middle) == (None, 4)
    assert layout.cell_at(layout.edge(22) + 1, middle)[0] == 22
    assert layout.cell_at(layout.edge(15) + 1, layout.y + layout.height + 5) == (None, None)


def test_cells_that_are_wider_than_high_are_written_across() -> None:
    assert lens_layout(range(22), (0, 22), 9, 815, 380, EM).texts == ACROSS
    assert lens_layout(range(22), (0, 22), 9, 815, 560, EM).texts == UP


def test_a_low_panel_has_cells_without_text() -> None:
    assert lens_layout(range(8), (0, 8), 49, 800, 300, EM).texts == NONE


def test_the_target_is_one_token_or_an_id(view: LensView) -> None:
    tokenizer = load_tokenizer()
    aim(view, " Lily", 50257, tokenizer)
    assert (view.target, view.refused, view.mode) == (tokenizer.encode(" Lily")[0], "", RANK)
    aim(view, " Lily went", 50257, tokenizer)
    assert not view.target
    assert view.refused.startswith('target " Lily went": is 2 tokens, " Lily" (id:20037), " went" (id:1816); give one')
    aim(view, "id:50257", 50257, tokenizer)
    assert view.refused == 'target "id:50257": the model has 50257 tokens; give 0 to 50256'
    aim(view, "id:11", 50257, tokenizer)
    assert (view.target, view.refused) == (11, "")
    aim(view, "", 50257, tokenizer)
    assert (view.target, view.refused) == (None, "")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_texts_are_readable_on_every_color(theme: str) -> None:
    colors = LENS_COLORS[theme]
    for level in np.linspace(0, 1, 65):
        color = colors.of(float(level))
        ink = DARK_INK if dark_text(color) else LIGHT_INK
        assert contrast(color, ink) >= 4.0
    assert colors.of(math.nan) == colors.broken


def test_short_names() -> None:
    assert [short_name(point) for point in ("embed.sum", "h.11.resid_post")] == ["embed.sum", "block 11"]
