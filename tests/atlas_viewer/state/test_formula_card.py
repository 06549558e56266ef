"""The formula card without a window: when it appears and goes, where it lies, and its words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atlas_viewer.state.formula_card import REST_S, FormulaCard, focused, position, source_boxes
from atlas_viewer.state.formula_text import difference, equation, factors, number, numbers, rows
from atlas_viewer.state.inspection import Inspection, ProbedValue, TensorInfo
from compute.models.tensor_index import TensorIndex
from compute.views.formula import Formula, Number, Source, Terms, formula
from compute.views.map_layout import map_layout

from helpers.map_registry import STORIES, registry

HERE, THERE = TensorIndex("h.0.mlp.c_fc", (5, 12)), TensorIndex("h.0.mlp.c_fc", (5, 13))


def product_sum(element: TensorIndex = HERE, count: int = 12) -> Formula:
    """A linear formula of `count` products 1, 2, ... and a bias of 0.5."""
    left = Source("h.0.ln_2", ((5, 6), (0, count)))
    right = Source("h.0.mlp.c_fc.weight", ((12, 13), (0, count)))
    values = np.arange(1, count + 1, dtype=np.float32)
    bias = Number("bias", 0.5, TensorIndex("h.0.mlp.c_fc.bias", (12,)))
    return formula(
        element, "linear", "mlp.c_fc.bias[12] + sum of ln_2[5, :] * mlp.c_fc.weight[12, :]",
        float(values.sum()) + 0.5, Terms(values, np.ones_like(values), values, left, right),
        sources=(left, right), constants=(bias,),
    )  # fmt: skip


def shown(card: FormulaCard) -> Formula | None:
    return card.shown


def wanted(card: FormulaCard) -> TensorIndex | None:
    return card.wanted


def test_it_appears_when_the_mouse_has_rested_and_lingers_when_it_leaves() -> None:
    card = FormulaCard()
    card.follow(HERE, True, 10.0, 0.0)
    assert wanted(card) == HERE
    assert card.waits(10.0)
    card.formula = product_sum()
    assert wanted(card) is None
    card.follow(HERE, True, 10.05, 0.0)  # it still moves on the cell
    card.follow(HERE, False, 10.05 + REST_S - 0.01, 0.0)
    assert shown(card) is None
    card.follow(HERE, False, 10.05 + REST_S - 0.01, 0.02)  # the frame that is being drawn arrives in time
    assert shown(card) is card.formula
    card.follow(HERE, True, 10.2, 0.0)
    assert shown(card) is card.formula  # moving on the cell does not hide it
    assert not card.waits(10.2)
    card.follow(None, True, 10.3, 0.0)
    assert shown(card) is not None
    assert card.waits(10.3)
    card.held = True
    card.follow(None, False, 12.0, 0.0)
    assert shown(card) is not None  # the mouse is on the card
    card.held = False
    card.follow(None, False, 12.5, 0.0)
    assert shown(card) is None
    assert not card.waits(12.5)


def test_on_a_gpu_it_appears_in_the_first_frame_in_which_the_mouse_stands_still() -> None:
    card = FormulaCard(rest_s=0.0)
    card.formula = product_sum()
    card.follow(HERE, True, 10.0, 0.016)
    card.follow(HERE, True, 10.016, 0.016)
    assert shown(card) is None
    card.follow(HERE, False, 10.032, 0.016)
    assert shown(card) is card.formula


def test_another_cell_takes_its_place_and_a_new_pass_asks_again() -> None:
    card = FormulaCard(live=False)  # nothing waits for a time
    card.formula = product_sum()
    card.follow(HERE, False, 0.0, 0.0)
    assert shown(card) is card.formula
    card.follow(THERE, True, 0.0, 0.0)
    assert shown(card) is None
    assert wanted(card) == THERE
    card.formula = product_sum(THERE)
    card.stale = True
    assert wanted(card) == THERE
    card.without = THERE.name
    assert wanted(card) is None
    assert not card.waits(0.0)
    card.clear()
    assert wanted(card) is None
    assert shown(card) is None


def test_the_element_in_focus_is_a_single_one() -> None:
    inspection = Inspection()
    inspection.tensors = {HERE.name: TensorInfo(HERE.name, "activation", (8, 20), "", True, section="block 0")}
    assert focused(inspection) is None
    inspection.cursor = HERE
    assert focused(inspection) == HERE
    inspection.cursor = TensorIndex(HERE.name, (5, 0), 20)
    assert focused(inspection) is None  # until it is known which of the values is shown
    inspection.probed_values[inspection.cursor] = ProbedValue(1.0, (5, 12))
    assert focused(inspection) == HERE
    inspection.cursor = TensorIndex(HERE.name, (8, 0))
    assert focused(inspection) is None


@pytest.mark.parametrize("cell", [(400, 300, 420, 320), (5, 5, 15, 15), (780, 580, 800, 600), (395, 0, 405, 600)])
def test_it_never_covers_its_cell_where_that_is_possible(cell: tuple[int, int, int, int]) -> None:
    x, y = position((300, 200), (0, 0, 800, 600), cell, [], 10)
    assert x >= 0
    assert y >= 0
    assert x + 300 <= 800
    assert y + 200 <= 600
    assert x >= cell[2] or x + 300 <= cell[0] or y >= cell[3] or y + 200 <= cell[1]


def test_it_leaves_sources_free() -> None:
    cell, row = (400, 300, 410, 310), (420, 250, 800, 350)
    x, y = position((300, 200), (0, 0, 800, 600), cell, [row], 10)
    assert x + 300 <= row[0] or y >= row[3] or y + 200 <= row[1]


def test_boxes_of_rows_and_columns_on_map() -> None:
    known = registry(STORIES, 32)
    layout = map_layout(known, 32)
    row = source_boxes(Source("h.0.ln_2", ((5, 6), (0, 192))), layout)
    placement = layout.placements["h.0.ln_2"]
    assert sum(width for _, _, width, _ in row) == 192 * placement.cell_width
    column = source_boxes(Source("h.0.attn.qkv", ((0, 6), (424, 425))), layout)
    assert len(column) == 6
    assert len({y for _, y, _, _ in column}) == 6
    assert source_boxes(Source("nothing", ((0, 1), (0, 1))), layout) == []


def test_words_and_numbers() -> None:
    found = product_sum()
    assert equation(found) == "mlp.c_fc.bias[12] + sum of ln_2[5, :] \u00d7 mlp.c_fc.weight[12, :]"
    assert numbers(found) == "0.5 + 12 products"
    assert factors(found) == ("k", "ln_2[5, k]", "c_fc.weight[12, k]")
    lines = rows(found, str)
    assert [line.label for line in lines] == ["bias", *(str(k) for k in range(11, 1, -1)), "2 others"]
    assert lines[1].text == "12 \u00d7 1"
    assert lines[1].targets == (
        ("left", TensorIndex("h.0.ln_2", (5, 11))), ("right", TensorIndex("h.0.mlp.c_fc.weight", (12, 11))),
    )  # fmt: skip
    assert lines[-1].value == 3
    assert difference(found) == "no difference"
    assert number(-0.00012345678) == "\u22120.00012346"
    assert (number(math.nan), number(-math.inf)) == ("NaN", "\u2212infinity")
