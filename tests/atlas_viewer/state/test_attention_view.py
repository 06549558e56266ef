"""The Attention view's state: order of heads, camera, lines, and the layout of the panel."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_viewer.state.attention_layout import AttentionLayout, attention_layout
from atlas_viewer.state.attention_view import MOST_LINES, ORDERS, STEPS, AttentionView, rank, strongest
from atlas_viewer.state.selection import NOTHING, Selection
from compute.views.attention_head import HeadLine
from compute.views.attention_wall import STATISTICS, HeadStatistics

EM = 15.0


def view_of(layers: int = 3, heads: int = 4, rows: int = 10) -> AttentionView:
    view = AttentionView(rows=rows)
    names = [f"h.{layer}.attn.pattern" for layer in range(layers)]
    view.lay_out([(layer, head) for layer in range(layers) for head in range(heads)], names)
    return view


def with_statistics(view: AttentionView, name: str, values: list[float], repeats: int = 1) -> AttentionView:
    means = np.zeros((len(STATISTICS), len(view.heads)), np.float32)
    means[STATISTICS.index(name)] = values
    view.statistics = HeadStatistics(view.rows, repeats, means)
    return view


def test_nan_comes_last_and_equal_heads_keep_their_order() -> None:
    values = np.array([0.2, np.nan, 0.5, 0.2, np.inf], np.float32)
    assert rank(values, rising=False) == (4, 2, 0, 3, 1)
    assert rank(values, rising=True) == (0, 3, 2, 4, 1)


def test_lines_show_at_most_ten_weights_that_can_be_seen() -> None:
    weights = np.linspace(0.1, 0.0, 25, dtype=np.float32)
    found = strongest(weights)
    assert [index for index, _ in found] == list(range(MOST_LINES))
    few = strongest(np.array([0.004, 0.75, 0.0625, np.nan], np.float32))
    assert few == [(1, 0.75), (2, 0.0625)]


def test_heads_are_sorted_by_each_statistic_in_its_direction() -> None:
    view = view_of(1, 3)
    assert view.ranked == (0, 1, 2)
    for chosen in ORDERS[1:]:
        view.order = chosen
        assert view.ranked == (0, 1, 2), "without statistics, the order of layers"
        assert view.value(1) is None
        with_statistics(view, chosen.statistic, [0.2, 0.3, 0.1])
        assert view.ranked == ((2, 0, 1) if chosen.rising else (1, 0, 2)), chosen.name
        assert view.value(1) == pytest.approx(0.3)
        view.statistics = None


def test_induction_has_no_value_without_repeated_tokens() -> None:
    view = with_statistics(view_of(1, 2), "induction", [0.0, 0.0], repeats=0)
    view.order = next(one for one in ORDERS if one.name == "induction")
    assert view.value(0) is None
    assert view.ranked == (0, 1)


def test_keys_move_through_layers_or_through_the_ranking() -> None:
    view = view_of(3, 4)
    for columns, rows, expected in ((1, 0, (0, 1)), (0, 1, (1, 1)), (0, 5, (2, 1)), (-9, 0, (2, 0)), (0, -1, (1, 0))):
        view.select_next(columns, rows, 4)
        assert view.heads[view.chosen] == expected
    view.order = ORDERS[1]
    with_statistics(view, ORDERS[1].statistic, [float(index) for index in range(12)])
    view.chosen = 11
    view.select_next(1, 0, 4)
    assert view.chosen == 10
    view.select_next(0, 1, 4)
    assert view.chosen == 6
    view.select_next(0, 9, 4)
    assert view.chosen == 6, "beyond the last head"
    view.move_layers(1)
    assert view.heads[view.chosen] == (2, 2)


def test_layers_may_have_different_numbers_of_heads() -> None:
    view = AttentionView(rows=3)
    view.lay_out([(0, 0), (0, 1), (0, 2), (1, 0)], ["a", "b"])
    view.chosen = 2
    view.select_next(0, 1, 3)
    assert (view.layer, view.head, view.pattern) == (1, 0, "b")


def test_the_view_follows_a_new_selection_once() -> None:
    view = view_of()
    view.follow(Selection(layer=2, head=3))
    assert view.heads[view.chosen] == (2, 3)
    view.follow(Selection(layer=1))
    assert view.heads[view.chosen] == (1, 3), "the head stays"
    view.chosen = 0
    view.follow(Selection(layer=1))
    assert view.chosen == 0, "the same selection is not followed again"
    view.follow(Selection(layer=9, head=9))
    assert view.chosen == 0
    view.follow(NOTHING)
    assert view.chosen == 0


def test_another_model_starts_at_its_first_head() -> None:
    view = view_of()
    view.chosen, view.zoom = 7, 3.0
    view.lay_out(view.heads, view.patterns)
    assert (view.chosen, view.zoom) == (7, 3.0), "the same model with a longer context"
    view.lay_out([(0, 0)], ["other"])
    assert (view.chosen, view.zoom) == (0, 1.0)


def test_zooming_keeps_the_element_under_the_mouse() -> None:
    view, side = view_of(rows=40), 400.0
    for x, y, factor in ((100.0, 250.0, 2.0), (390.0, 399.0, 3.0), (5.0, 5.0, 1.5)):
        before = view.element_at(x, y, side)
        view.zoom_by(factor, x / side, y / side)
        assert view.element_at(x, y, side) == before
    view.drag(-5.0, 0.3)
    last = view.element_at(side - 1, side - 1, side)
    assert last is not None
    assert last[1] == 39, "dragging stops at the edge"
    view.zoom_by(1e-9)
    assert (view.zoom, view.origin) == (1.0, (0.0, 0.0))
    assert view.element_at(-1, 5, side) is None
    assert view.element_at(5, side, side) is None
    assert AttentionView().element_at(1, 1, side) is None


def test_values_of_another_head_or_query_are_not_shown() -> None:
    view, nothing = view_of(), np.zeros(10, np.float32)
    view.line = HeadLine(0, 0, 9, 0, (1.0, 1.0), nothing, nothing, nothing, nothing)
    assert view.current_line is view.line, "the newest query"
    for query, key, chosen, shown in ((3, None, 0, False), (None, 0, 0, True), (None, None, 1, False)):
        view.query, view.key, view.chosen = query, key, chosen
        assert (view.current_line is not None) == shown
        assert view.reads_key == (key == 0)


def parts(layout: AttentionLayout) -> list[tuple[float, float, float, float]]:
    """(left, top, right, bottom) of everything that must not overlap."""
    wall = layout.wall
    boxes: list[tuple[float, float, float, float]] = [(wall.x, wall.y, wall.x + wall.width, wall.y + wall.height)]
    for box in layout.matrices:
        above = layout.title + (layout.column_label if box.labels else 0)
        first = box.labels and box.x == min(other.x for other in layout.matrices if other.labels)
        left = box.x - (layout.row_label if first else 0)
        boxes.append((left, box.y - above, box.x + box.side, box.y + box.side))
    if layout.text[1]:
        boxes.append((0, layout.text[0], 1, layout.text[0] + layout.text[1]))
    return boxes


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", ["layer", "previous"])
@pytest.mark.parametrize("shape", [(1, 1), (8, 6), (12, 12), (48, 25)])
def test_parts_lie_in_the_panel_and_do_not_overlap(shape: tuple[int, int], name: str, step: int) -> None:
    view = view_of(*shape)
    view.step, view.order = step, next(one for one in ORDERS if one.name == name)
    for width, height in ((300, 200), (500, 330), (880, 610), (1090, 820), (2400, 500), (2500, 1300)):
        layout = attention_layout(view, width, height, EM)
        boxes = parts(layout)
        for left, top, right, bottom in boxes[1:] if shape[0] > 20 else boxes:
            assert 0 <= left < right <= width, (width, height, layout)
            assert 0 <= top < bottom <= height, (width, height, layout)
        for index, one in enumerate(boxes[1:], start=1):
            for other in boxes[index + 1 :]:
                apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
                assert apart, (width, height, one, other)
        if layout.matrices:
            assert layout.matrices[0].step == step
            assert all(other.side <= layout.matrices[0].side for other in layout.matrices)
    assert {box.step for box in attention_layout(view, 1090, 820, EM).matrices} == set(STEPS)
