"""The Logits and Distribution panels: contents, mouse and keyboard."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.candidates import LogitsView
from atlas_viewer.state.distribution import Distribution
from atlas_viewer.state.quoting import percent
from atlas_viewer.state.requests import Branch
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.panels import distribution, logits, logits_table
from atlas_viewer.ui.panels.widgets import quoted
from atlas_viewer.ui.services import Services
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import FakeTokenizer, fake_step
from helpers.screen import Screen, context

__all__ = ["context"]

OPTIONS = GenerateOptions(temperature=0.8, top_k=40, top_p=0.9)


@pytest.fixture
def state() -> State:
    run = Run("Once", OPTIONS, [(1, "Once")], [fake_step(i) for i in range(5)], done=True, stop_reason="length")
    run.changes[2] = dataclasses.replace(OPTIONS, repetition_penalty=1.25)
    state = State("Once", OPTIONS, run=run)
    return state


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    tokenizer = FakeTokenizer(found=[(50256, "<|endoftext|>"), (12, " dog")])
    return Screen(state, monkeypatch, Services(tokenizer=tokenizer))


def whole(step: int, seed: int = 0, options: GenerateOptions = OPTIONS) -> Distribution:
    """Random logits, of which the token taken at the step has the largest."""
    found = (3 * np.random.default_rng([seed, step]).standard_normal(50257)).astype(np.float32)
    found[fake_step(step).token] = found.max() + 1
    return Distribution(step, found, options)


def open_distribution(screen: Screen) -> None:
    screen.state.ui.front = distribution.NAME
    screen.frame(4)


def test_the_table_has_every_column_of_every_candidate(screen: Screen, state: State) -> None:
    screen.io.display_size = ImVec2(3840, 2160)
    screen.frame(4)
    for column in ("rank", "token", "logit", "scaled_delta", "probability", "model_probability", "cumulative", "text"):
        assert f"{column}##head" in widget_tracking.rects, column
    assert state.step is not None
    for candidate in state.step.top[:6]:
        assert str(candidate.token) in screen.texts
        assert screen.shows(f"{candidate.logit:.4f}")
        assert screen.shows(f"{candidate.scaled_delta:.4f}")
        assert screen.shows(f"{100 * candidate.probability:.3f} %")
        assert screen.shows(f"{100 * candidate.model_probability:.3f} %")
        assert screen.shows(quoted(candidate.text))


def test_the_header_shows_the_options_of_the_step(screen: Screen, state: State) -> None:
    step = state.step
    assert step is not None
    assert state.run is not None
    shown = logits.facts(state, step, state.run.options_at(4))
    assert shown == [
        "token 4000",
        "rank 1",
        "forward 12.5 ms",
        "T 0.80",
        "top-k 40",
        "top-p 0.9",
        "penalty 1.25",
        "positions 0 to 11",
    ]
    assert screen.shows("forward 12.5 ms")
    assert "penalty 1.25" not in logits.facts(state, step, state.run.options_at(1))
    assert "greedy" in logits.facts(state, step, GenerateOptions(temperature=0))


def test_a_click_on_a_row_branches_except_on_the_taken_token(screen: Screen, state: State) -> None:
    screen.click("token 4003")
    assert list(state.requests) == [Branch(4, 4003)]
    state.requests.clear()
    screen.click("token 4000")
    assert not state.requests


def test_a_press_chooses_the_row_under_the_mouse_while_the_run_is_in_progress(screen: Screen, state: State) -> None:
    assert state.run is not None
    screen.point(screen.centers["token 4003"])
    screen.io.add_mouse_button_event(0, True)
    screen.frame()
    state.run.steps = [*state.run.steps, fake_step(5)]
    screen.frame()
    assert "token 4003" not in widget_tracking.rects
    screen.io.add_mouse_button_event(0, False)
    screen.frame()
    assert list(state.requests) == [Branch(4, 4003)]


def test_the_full_distribution_replaces_the_candidates_of_the_step(screen: Screen, state: State) -> None:
    state.distribution = whole(3)  # from another step
    screen.frame()
    assert "token 4001" in widget_tracking.rects
    state.distribution = found = whole(4)
    screen.frame(2)
    first, second = (int(token) for token in found.order[:2])
    assert f"token {first}" in widget_tracking.rects
    assert "token 4001" not in widget_tracking.rects
    assert screen.shows(f"{100 * found.drawn[first]:.3f} %")
    screen.click(f"token {second}")
    assert list(state.requests) == [Branch(4, second)]


def likely(step: int, taken: int, rank: int) -> Distribution:
    """Logits in which `taken` has this rank."""
    found = np.linspace(5, -5, 50257, dtype=np.float32)
    found[[taken, rank - 1]] = found[[rank - 1, taken]]
    return Distribution(step, found, OPTIONS)


def test_the_row_of_the_taken_token_is_scrolled_to(screen: Screen, state: State) -> None:
    assert state.run is not None
    state.logits.top = 200
    state.distribution = likely(4, 4000, 150)
    screen.frame(6)
    assert "token 4000" in widget_tracking.rects
    assert "token 0" not in widget_tracking.rects
    screen.point(screen.centers["token 4000"])
    for _ in range(40):
        screen.io.add_mouse_wheel_event(0, 3)
        screen.frame()
    assert "token 0" in widget_tracking.rects, "the user may scroll away"
    state.chosen, state.distribution = 3, likely(3, 3000, 120)
    screen.frame(6)
    assert "token 3000" in widget_tracking.rects
    state.run.done, state.chosen, state.distribution = False, None, likely(4, 4000, 1)
    screen.frame(6)
    assert "token 4000" not in widget_tracking.rects, "rows must not move while a run is followed"
    state.run.done = True
    screen.frame(6)
    assert "token 4000" in widget_tracking.rects


def test_an_unlikely_token_that_was_taken_has_a_row(screen: Screen, state: State) -> None:
    state.logits.top = 20
    state.distribution = likely(4, 4000, 30_000)
    screen.frame(6)
    assert screen.shows("30,000")
    assert "token 4000" in widget_tracking.rects
    state.logits.words = "dog"
    screen.frame(2)
    assert "token 4000" not in widget_tracking.rects


def test_a_token_that_is_no_candidate_has_a_row_before_its_logits_arrive(screen: Screen, state: State) -> None:
    assert state.run is not None
    taken = dataclasses.replace(fake_step(4), token=77, text=" odd", rank=0, logit=float("nan"))
    state.run.steps = [*state.run.steps[:4], taken]
    screen.frame(2)
    assert "token 77" in widget_tracking.rects


def test_the_tooltip_of_a_row_shows_everything(screen: Screen, state: State) -> None:
    state.distribution, state.compared, state.comparison = whole(4), 1, whole(1)
    screen.frame(2)
    token = int(state.distribution.order[2])
    screen.point(screen.centers[f"token {token}"])
    screen.frame(8)
    there = int(state.comparison.rank[token])
    for part in (f"token {token}", "rank 3", "raw logit", "top-p sum", f"at #2: rank {there:,}", "click to branch"):
        assert screen.shows(part), part


def test_no_tooltip_covers_the_table_during_a_search(screen: Screen, state: State) -> None:
    screen.point(screen.centers["##find"])
    screen.frame(8)
    assert screen.shows("Any token of the vocabulary")
    screen.click("##find")
    screen.frame(8)
    assert not screen.shows("Any token of the vocabulary")


def test_a_click_on_a_heading_sorts(screen: Screen, state: State) -> None:
    state.distribution = whole(4)
    screen.click("token##head")
    assert (state.logits.column, state.logits.descending) == ("token", False)
    screen.frame()
    numbers = sorted(int(token) for token in state.distribution.order[:50])
    tops = [widget_tracking.rects[f"token {number}"].top for number in numbers[:4]]
    assert tops == sorted(tops)
    screen.click("probability##head")
    assert (state.logits.column, state.logits.descending) == ("probability", True)
    screen.click("probability##head")
    assert (state.logits.column, state.logits.descending) == ("probability", False)


def test_a_search_finds_any_token_and_a_click_branches_with_it(screen: Screen, state: State) -> None:
    state.distribution = found = whole(4)
    screen.click("##find")
    screen.io.add_input_characters_utf8("dog")
    screen.frame(3)
    assert state.logits.words == "dog"
    assert screen.shows('" dog"')
    assert screen.shows(percent(float(found.model[12])))
    assert "token 50256" in widget_tracking.rects
    screen.click("token 12")
    assert list(state.requests) == [Branch(4, 12)]
    screen.services, state.logits.words = Services(tokenizer=FakeTokenizer(found=[])), "nowhere"
    screen.frame()
    assert screen.shows("No token matches")


def test_a_step_to_compare_with_is_chosen_from_a_list(screen: Screen, state: State) -> None:
    state.distribution, state.comparison = whole(4), whole(3)
    screen.click("##compare table")
    screen.frame(2)
    screen.click("against1")
    assert state.compared == 1
    assert state.comparison is None  # a distribution from another step is not used
    state.comparison = whole(1)
    screen.frame(3)
    assert "gain##head" in widget_tracking.rects
    assert "climb##head" in widget_tracking.rects
    state.run.steps = state.run.steps[:1]
    screen.frame(2)
    assert state.compared_step is None
    assert "gain##head" not in widget_tracking.rects


def test_bad_logits_are_counted(screen: Screen, state: State) -> None:
    bad = whole(4)
    values = bad.logits.copy()
    values[[3, 5, 7]] = np.nan, np.inf, -np.inf
    state.distribution = dataclasses.replace(bad, logits=values)
    screen.frame()
    assert screen.shows("3 of 50,257 logits are not finite")
    state.distribution = dataclasses.replace(bad, logits=np.full_like(values, np.nan))
    screen.frame()
    open_distribution(screen)
    assert screen.shows("No logit of this step is finite.")


def test_the_distribution_shows_figures_and_a_plot(screen: Screen, state: State) -> None:
    open_distribution(screen)
    assert screen.shows("full distribution is read when")
    assert "distribution plot" not in widget_tracking.rects
    state.distribution = found = whole(4)
    screen.frame(2)
    shape = found.model_shape
    assert screen.shows("entropy, bits")
    assert screen.shows("tokens for 50 %")
    assert screen.shows(f"{shape.entropy:.3f}")
    assert screen.shows(f"{shape.perplexity:,.2f}")
    assert screen.shows(f"{shape.holding[2]:,}")
    screen.point(screen.centers["distribution plot"])
    screen.frame()
    assert screen.shows("its running sum")
    assert screen.shows("rank ")
    screen.click("log")
    assert not state.logits.log_probability
    screen.frame(2)
    assert "distribution plot" in widget_tracking.rects


def test_another_step_has_a_column_and_a_divergence(screen: Screen, state: State) -> None:
    open_distribution(screen)
    state.distribution, state.compared = whole(4), 1
    screen.frame(2)
    assert screen.shows("The other step's distribution is read")
    state.comparison = whole(1)
    screen.frame(2)
    difference = state.logits.difference(state.distribution, state.comparison)
    assert difference is not None
    assert screen.shows(f"{difference.divergence:.3f}")
    assert screen.shows("#2")


@pytest.mark.parametrize("size", [(200, 150), (900, 600), (3840, 2160)])
def test_panels_survive_every_size(screen: Screen, state: State, size: tuple[int, int]) -> None:
    state.distribution, state.compared, state.comparison = whole(4), 1, whole(1)
    screen.io.display_size = ImVec2(*size)
    screen.frame(3)
    open_distribution(screen)
    assert screen.shows("entropy")


def test_a_frame_with_two_hundred_rows_costs_only_the_visible_ones(
    screen: Screen, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.distribution, state.logits.top = whole(4), 200
    screen.frame(3)
    drawn: list[object] = []
    tables: list[object] = []
    line, table = logits_table._line, LogitsView.table
    monkeypatch.setattr(logits_table, "_line", lambda *given: (drawn.append(given[2]), line(*given))[1])
    monkeypatch.setattr(LogitsView, "table", lambda *given: (tables.append(found := table(*given)), found)[1])
    for _ in range(5):
        drawn.clear()
        imgui.new_frame()
        imgui.set_next_window_size(ImVec2(900, 260))
        imgui.begin("alone")
        logits.draw(state, screen.services)
        imgui.end()
        imgui.render()
    assert 5 < len(drawn) < 30
    assert len(tables[0].lines) == 200  # type: ignore[attr-defined]
    assert all(found is tables[0] for found in tables), "the table is rebuilt in every frame"
