"""The formula updater with a source that has no GPU."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from atlas_viewer.app.formula_updater import FormulaUpdater
from atlas_viewer.state.formula_card import REST_S
from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.state import State
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.views.formula import Formula, Terms, formula

NAME = "h.0.ln_1"


class Source:
    """Formulas arrive at the next poll."""

    def __init__(self) -> None:
        self.latest: Formula | None = None
        self.asked: list[TensorIndex] = []
        self.warmed = 0
        self.rows = 4
        self.pending = False
        self.slow = True

    def warming(self) -> Iterator[None]:
        for _ in range(3):
            self.warmed += 1
            yield

    def explains(self, name: str) -> bool:
        return name == NAME

    def has(self, element: TensorIndex) -> bool:
        return element.index[0] < self.rows

    def request(self, element: TensorIndex) -> bool:
        self.asked.append(element)
        self.pending = True
        return True

    def poll(self) -> bool:
        if not self.pending:
            return False
        self.pending = False
        one = np.ones(1, np.float32)
        at = self.asked[-1]
        self.latest = formula(at, "alias", "x", 1.0, Terms(one, one, one, (at,), (None,)), sources=())
        return True


def waits(updater: FormulaUpdater) -> bool:
    return updater.pending


def made() -> tuple[State, Source, FormulaUpdater]:
    state, source = State("", GenerateOptions()), Source()
    for name in (NAME, "wte"):
        state.inspection.tensors = {
            **state.inspection.tensors, name: TensorInfo(name, "", (4, 4), "", True, section=""),
        }  # fmt: skip
    return state, source, FormulaUpdater(source, state)


def test_cards_wait_for_the_mouse_to_rest_only_where_formulas_are_slow() -> None:
    state, source, _ = made()
    assert state.formula.rest_s == REST_S
    source.slow = False
    FormulaUpdater(source, state)
    assert state.formula.rest_s == 0.0


def test_what_the_panels_want_is_requested_once_per_pass() -> None:
    state, source, updater = made()
    card, element = state.formula, TensorIndex(NAME, (1, 2))
    updater.frame(0.0, settled=False, idle=True)
    card.follow(element, True, 0.0, 0.0)
    updater.ask()
    assert source.asked == []  # the tensors do not belong to one pass
    for now in (0.1, 0.2, 0.3):
        updater.frame(now, settled=True, idle=True)
        card.follow(element, False, now, 0.0)
        updater.ask()
    assert source.asked == [element]
    assert card.shown is source.latest is not None
    assert not waits(updater)
    updater.passed()
    assert waits(updater)
    updater.ask()
    assert source.asked == [element] * 2


def test_an_element_that_a_shorter_pass_lacks_is_not_requested() -> None:
    state, source, updater = made()
    source.rows = 1
    updater.frame(0.0, settled=True, idle=True)
    state.formula.follow(TensorIndex(NAME, (1, 2)), True, 0.0, 0.0)
    updater.ask()
    assert source.asked == []


def test_weights_have_no_card_and_cost_no_frames() -> None:
    state, source, updater = made()
    updater.frame(0.0, settled=True, idle=True)
    state.formula.follow(TensorIndex("wte", (1, 2)), True, 0.0, 0.0)
    assert waits(updater)
    updater.ask()
    assert source.asked == []
    assert not waits(updater)


def test_switched_off_it_asks_nothing_and_forgets() -> None:
    state, source, updater = made()
    updater.frame(0.0, settled=True, idle=True)
    state.formula.follow(TensorIndex(NAME, (1, 2)), True, 0.0, 0.0)
    state.ui.formulas = False
    updater.ask()
    updater.frame(0.1, settled=True, idle=True)
    assert source.asked == []
    assert state.formula.element is None
    assert not waits(updater)


def test_kernels_are_prepared_one_per_frame_when_the_run_is_idle() -> None:
    _, source, updater = made()
    updater.frame(0.0, settled=True, idle=False)
    assert source.warmed == 0
    for count in range(1, 6):
        updater.frame(0.0, settled=True, idle=True)
        assert source.warmed == min(count, 3)


def test_a_recording_without_its_model_has_no_formulas() -> None:
    state = State("", GenerateOptions())
    updater = FormulaUpdater(None, state)
    state.formula.follow(TensorIndex(NAME, (1, 2)), True, 0.0, 0.0)
    updater.frame(0.0, settled=True, idle=True)
    updater.ask()
    assert not waits(updater)
