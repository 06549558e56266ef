"""The inspector without a GPU: values under the cursor, pins, keys, and GPU requests."""

from __future__ import annotations

import numpy as np
import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.app.inspection_updater import InspectionUpdater
from atlas_viewer.state.color_mapping import CURVES, ColorMapping, RangeAxis, brightness, spread
from atlas_viewer.state.inspection import PINS_MOST, Inspection, Pin, ProbedValue, TensorInfo
from atlas_viewer.state.navigation import ATLAS
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, State
from atlas_viewer.state.strip_view import StripView
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.inspector_rows import facts, summary
from atlas_viewer.ui.services import Services
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.views.statistics import HISTOGRAM_EDGES

from helpers.fake_generation import FakeTokenizer, fake_step
from helpers.fake_tensor_reader import ROWS, FakeObserver, fake_sheet, fake_statistics, fake_tensors
from helpers.screen import Screen, context

__all__ = ["context"]

MODEL = ModelSummary("fake", 2, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter", 0)
TOKENIZER = FakeTokenizer("<{}>")


@pytest.fixture
def state() -> State:
    options = GenerateOptions(max_new_tokens=16)
    run = Run("Once upon a", options, [(1, "Once"), (2, " upon"), (3, " a")], [fake_step(i) for i in range(9)])
    made = State("Once upon a", options, model=MODEL, run=run)
    inspection = made.inspection
    inspection.tensors, inspection.layout = fake_tensors()
    made.strip.lay_out(fake_sheet(), made.camera)
    inspection.rows, inspection.statistics = ROWS, fake_statistics()
    made.edges = FakeObserver.edges
    return made


def rows_of(state: State, element: TensorIndex) -> dict[str, str]:
    return dict(facts(state, element, TOKENIZER))


def test_facts_of_an_activation(state: State) -> None:
    element = TensorIndex("h.1.mlp.gelu", (4, 5))
    assert rows_of(state, element)["Value"] == "..."
    assert "Sign" not in rows_of(state, element)
    state.inspection.probed_values[element] = ProbedValue(-1.5, element.index)
    shown = rows_of(state, element)
    assert shown["Value"] == "-1.5"
    assert shown["Index"] == "[4, 5]"
    assert shown["Shape"] == "12 x 768"
    assert shown["Sign"] == f"negative, brightness {(1.5 / 6.5) ** 0.5:.2f}"
    assert shown["Token"] == '" girl"  1000'  # three tokens of the prompt, then those of the steps
    assert shown["Position"] == "5 of 12, position 4"
    assert "Vocabulary" not in shown
    assert summary(state, element) == "h.1.mlp.gelu[4, 5] = -1.5"


def test_facts_of_a_vector_and_of_vocabulary_rows(state: State) -> None:
    state.ui.view = ATLAS
    assert rows_of(state, TensorIndex("h.0.ln_1.weight", (7,)))["Index"] == "[7]"
    assert rows_of(state, TensorIndex("h.0.ln_1.weight", (7,)))["Cell"] == "7 of 192"
    assert rows_of(state, TensorIndex("h.0.ln_1.weight", (7,)))["Shows"] == "value 7"
    assert rows_of(state, TensorIndex("wte", (3, 1)))["Vocabulary"] == '3 "<3>"'
    assert "Cell" not in rows_of(state, TensorIndex("wte", (0, 0)))
    inspection = state.inspection
    element = inspection.element_at(4288 + 1)
    assert element == TensorIndex("logits", (12,), 12)
    shown = rows_of(state, element)
    assert shown["Shows"] == "most extreme of values 12 to 23"
    assert shown["Index"] == "..."
    inspection.probed_values[element] = ProbedValue(-7.0, (20,))
    shown = rows_of(state, element)
    assert (shown["Value"], shown["Index"]) == ("-7", "[20]")
    assert summary(state, element) == "logits[20] = -7"
    inspection.pin(element)
    assert inspection.pins[0].element == TensorIndex("logits", (20,))
    inspection.mapping = ColorMapping(sampling="point")
    assert inspection.element_at(4288 + 1) == TensorIndex("logits", (12,))
    shown = rows_of(state, TensorIndex("logits", (12,)))
    assert shown["Shows"] == "values 12 to 23"
    assert shown["Vocabulary"] == '12 "<12>", 13 "<13>", 14 "<14>" ... 23 "<23>"'
    assert rows_of(state, TensorIndex("logits", (50303,)))["Vocabulary"].endswith("50303 (padding)")


def test_a_value_outside_the_latest_context_is_reported_as_missing(state: State) -> None:
    assert rows_of(state, TensorIndex("h.1.mlp.gelu", (12, 0)))["Value"] == "not in the latest pass"


@pytest.mark.parametrize(("value", "sign"), [(float("nan"), "NaN"), (float("-inf"), "infinite, negative"), (0.0, "ze")])
def test_signs_of_nan_and_infinity(state: State, value: float, sign: str) -> None:
    state.inspection.probed_values[TensorIndex("logits", (0,))] = ProbedValue(value, (0,))
    assert rows_of(state, TensorIndex("logits", (0,)))["Sign"].startswith(sign)


def test_cells_and_values_match() -> None:
    inspection = Inspection()
    inspection.tensors, inspection.layout = fake_tensors()
    for span in inspection.layout.spans:
        covered = 0
        for cell in range(span.cells):
            element = inspection.element_at(span.first + cell)
            assert element is not None
            assert inspection.cell_of(element) == span.first + cell
            first, last = span.source_range(cell)
            assert (first, first <= last) == (covered, True)
            assert {span.cell_of(first), span.cell_of(last)} == {cell}
            covered = last + 1
        assert covered == span.values
    assert inspection.element_at(2310) is None


def test_arrow_keys_step_by_cells_and_stay_inside() -> None:
    inspection = Inspection()
    inspection.tensors, inspection.layout = fake_tensors()
    strip = StripView(fake_sheet())
    assert not strip.moved(inspection, 1, 0)
    inspection.pin(TensorIndex("embed.tokens", (0, 0)))
    inspection.pins[0].follow(1, 2.0)
    assert strip.moved(inspection, 1, 0)
    assert (inspection.pins[0].element, inspection.pins[0].history) == (TensorIndex("embed.tokens", (0, 1)), [])
    strip.moved(inspection, 0, 1)
    assert inspection.focus == TensorIndex("embed.tokens", (0, 129))  # a box of 128 columns
    inspection.selected, inspection.cursor = None, TensorIndex("embed.tokens", (0, 0))
    strip.moved(inspection, -1, 0)
    assert inspection.cursor == TensorIndex("embed.tokens", (0, 0))
    inspection.cursor = TensorIndex("wte", (0, 0))  # not on Strip, so it steps by columns and rows
    strip.moved(inspection, 1, 2)
    assert inspection.cursor == TensorIndex("wte", (2, 1))


def test_the_oldest_pin_is_dropped_and_removing_keeps_the_selection() -> None:
    inspection = Inspection()
    for index in range(PINS_MOST + 3):
        inspection.pin(TensorIndex("logits", (index,)))
    assert len(inspection.pins) == PINS_MOST
    assert inspection.pins[0].element.index == (3,)
    assert inspection.selected == PINS_MOST - 1
    inspection.unpin(0)
    assert inspection.selected == PINS_MOST - 2
    inspection.unpin(PINS_MOST - 2)
    assert inspection.selected is None


def test_a_pin_keeps_one_value_per_step_and_starts_over() -> None:
    pin = Pin(TensorIndex("logits", (0,)))
    assert pin.follow(1, 2.0)
    assert not pin.follow(1, 2.0)
    assert pin.follow(3, 4.0)
    assert pin.history == [(1, 2.0), (3, 4.0)]
    assert pin.follow(0, 1.0)
    assert pin.history == [(0, 1.0)]


def test_hover_pin_move_and_copy_on_the_screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(state, monkeypatch, Services(strip=imgui.ImTextureRef(1), tokenizer=TOKENIZER))
    copied: list[str] = []
    monkeypatch.setattr(imgui, "set_clipboard_text", copied.append)
    inspection = state.inspection
    state.camera.look_at(64, 105.5, 5.5)  # cell 3305, of h.1.mlp.gelu, in the middle
    screen.point(screen.centers["picture"])
    element = inspection.cursor
    assert element is not None
    assert element.name == "h.1.mlp.gelu"
    assert inspection.cell_of(element) in (3305, 3304, 3305 - 32, 3304 - 32)  # in a box of 32 columns
    assert screen.shows("What h.1.mlp.gelu is.")
    extreme = TensorIndex(element.name, (*element.index[:-1], element.index[-1] + 2))
    inspection.probed_values[element] = ProbedValue(0.1 + 0.2, extreme.index)
    screen.click("picture", 1)
    assert [pin.element for pin in inspection.pins] == [extreme]
    screen.press(imgui.Key.c, ctrl=True)
    assert copied == ["0.3"]
    screen.press(imgui.Key.right_arrow)
    assert inspection.cell_of(inspection.pins[0].element) == inspection.cell_of(element) + 1  # type: ignore[operator]
    screen.press(imgui.Key.escape)
    screen.click("x##unpin0")
    assert not inspection.pins
    screen.point(ImVec2(5, 5))
    assert inspection.cursor is None


def test_keys_move_the_camera_unless_text_is_typed(
    context: None, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(state, monkeypatch, Services(strip=imgui.ImTextureRef(1), tokenizer=TOKENIZER))
    screen.point(ImVec2(5, 5))
    for _ in range(5):
        screen.press(imgui.Key.equal)
    assert state.camera.zoom == pytest.approx(2)
    x, y = state.strip.camera.center
    screen.point(ImVec2(screen.centers["picture"].x, screen.centers["picture"].y - 190))  # in the panel, off the cells
    screen.press(imgui.Key.right_arrow)
    screen.press(imgui.Key.up_arrow)
    assert (state.strip.camera.center[0] > x, state.strip.camera.center[1] < y) == (True, True)
    screen.press(imgui.Key.minus)
    assert state.camera.zoom < 2
    screen.press(imgui.Key.f)
    assert state.camera.zoom == 1
    screen.click("##prompt")
    screen.press(imgui.Key.equal)
    assert state.camera.zoom == 1


def test_the_alarm_names_the_tensor_and_shows_it(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    inspection = state.inspection
    inspection.bad, inspection.statistics = "h.0.attn.c_attn.weight", fake_statistics("h.0.attn.c_attn.weight")
    screen = Screen(state, monkeypatch, Services(strip=imgui.ImTextureRef(1), tokenizer=TOKENIZER))
    assert screen.shows("First NaN or infinity: ")
    screen.click("Go##alarm")
    assert state.strip.camera.zoom > 1
    assert inspection.focus == TensorIndex("h.0.attn.c_attn.weight", (0, 7))


def test_the_fixed_range_is_dragged_on_the_color_bar(
    context: None, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.inspection.mapping = ColorMapping(high=5.0)
    screen = Screen(state, monkeypatch, Services(strip=imgui.ImTextureRef(1), tokenizer=TOKENIZER))
    center = screen.centers["colour bar"]
    half = widget_tracking.rects["colour bar"].right - center.x
    for share, check in ((0.8, "high"), (0.1, "low")):
        screen.point(ImVec2(center.x + share * half, center.y))
        screen.io.add_mouse_button_event(0, True)
        screen.frame(2)
        screen.io.add_mouse_button_event(0, False)
        screen.frame()
        assert getattr(state.inspection.mapping, check) != getattr(ColorMapping(high=5.0), check)
    mapping = state.inspection.mapping
    assert mapping.high is not None
    assert 0 < mapping.low < mapping.high


def test_the_color_bar_names_what_it_describes(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(state, monkeypatch, Services(strip=imgui.ImTextureRef(1), tokenizer=TOKENIZER))
    state.inspection.statistics = fake_statistics()
    for mapping, focus, shown in (
        (ColorMapping(), None, f"Histogram of {state.inspection.layout.spans[-1].name}"),
        (ColorMapping(), TensorIndex("h.1.mlp.gelu", (0, 0)), "Histogram of h.1.mlp.gelu"),
        (ColorMapping(span_scale="all"), None, "Histogram of all tensors"),
        (ColorMapping(high=5.0), None, "Histogram of all tensors"),
    ):
        state.inspection.mapping, state.inspection.pins = mapping, []
        if focus is not None:
            state.inspection.pin(focus)
        screen.point(screen.centers["colour bar"])
        screen.frame(6)
        assert screen.shows(shown), shown
        state.inspection.selected = None


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize(("low", "high", "one_sign"), [(-4.0, 4.0, False), (0.0, 1.0, True), (-9.0, -2.0, True)])
def test_the_axis_is_its_own_inverse(curve: str, low: float, high: float, one_sign: bool) -> None:
    axis = RangeAxis(low, high, curve, one_sign)
    for x in (0.0, 0.1, 0.33, 0.5, 0.77, 1.0):
        assert axis.x_at(axis.value_at(x)) == pytest.approx(x)
    assert (axis.value_at(0.0), axis.value_at(1.0)) == pytest.approx((low, high))
    positions = [axis.x_at(tick) for tick in axis.ticks()]
    assert positions[:2] == pytest.approx([0.0, 1.0])
    assert len(set(positions)) == len(positions) >= 3


def test_a_spread_histogram_has_no_hole_at_zero() -> None:
    """Values of a normal distribution, counted in octaves as on the GPU, peak at 0 on a linear axis."""
    values = np.random.default_rng(0).normal(0, 0.02, 200_000).astype(np.float32)
    counts = tuple(np.histogram(values, np.array(HISTOGRAM_EDGES))[0].tolist())
    ends = float(values.min()), float(values.max())
    bars = spread(counts, tuple(HISTOGRAM_EDGES), RangeAxis(*ends, "linear", True), ends, 60)
    assert sum(bars) == pytest.approx(len(values))
    highest = int(np.argmax(bars))
    assert abs(highest / 60 - (0 - ends[0]) / (ends[1] - ends[0])) < 0.1
    assert min(bars[highest - 6 : highest + 7]) > 0.5 * max(bars)


def test_brightness_follows_the_mapping() -> None:
    assert brightness(0.0, 0.0, 1.0) == 0.05
    assert brightness(-0.25, 0.0, 1.0) == 0.5
    assert brightness(1e-9, 0.0, 1.0) == 0.04
    assert brightness(0.25, 0.0, 1.0, ColorMapping(exposure=1.0, curve="linear")) == 0.5
    assert brightness(-0.25, 0.0, 1.0, ColorMapping(offset=0.75, curve="linear")) == 0.5


def test_the_deviation_and_the_histogram_of_the_tensor_in_focus(
    context: None, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(state, monkeypatch, Services(strip=imgui.ImTextureRef(1), tokenizer=TOKENIZER))
    state.inspection.statistics = fake_statistics()
    state.inspection.pin(TensorIndex("h.1.mlp.gelu", (0, 0)))
    screen.frame(2)
    assert screen.shows("mean 0.125, standard deviation 0.5")
    assert "value histogram" in screen.centers


def test_only_visible_values_are_requested(state: State) -> None:
    tensor_reader = FakeObserver(bad="logits")
    inspection_updater = InspectionUpdater(tensor_reader, state)
    assert inspection_updater.mapping_changed()
    assert not inspection_updater.mapping_changed()
    inspection_updater.painted()
    state.inspection.cursor = TensorIndex("logits", (5,))
    state.inspection.pin(TensorIndex("embed.tokens", (0, 9)))
    inspection_updater.frame(0.0, pass_complete=False, done=False)
    assert tensor_reader.asked == []  # the tensors do not belong to one complete pass
    for _ in range(5):
        inspection_updater.frame(0.0, pass_complete=True, done=True)
    assert tensor_reader.asked == [(TensorIndex("logits", (5,)), TensorIndex("embed.tokens", (0, 9)))]
    assert not inspection_updater.pending
    probed_values = state.inspection.probed_values
    assert probed_values == {
        TensorIndex("logits", (5,)): ProbedValue(5.125, (5,)),
        TensorIndex("embed.tokens", (0, 9)): ProbedValue(9.125, (0, 9)),
    }
    assert tensor_reader.measured == 0
    assert state.run is not None
    state.run.steps = [*state.run.steps, fake_step(9)]
    inspection_updater.passed()
    for _ in range(5):
        inspection_updater.frame(1.0, pass_complete=True, done=True)
    assert [value for _, value in state.inspection.pins[0].history] == [9.125, 9.25]
    assert (tensor_reader.measured, state.inspection.bad) == (1, "logits")
    assert tensor_reader.traced == 0  # a trace that is off takes no time
    state.inspection.trace_on = True
    for _ in range(3):
        inspection_updater.frame(2.0, pass_complete=True, done=True)
    assert tensor_reader.traced == 1
    assert len(state.inspection.trace) == 6


def test_pattern_indices_stay_when_the_context_grows() -> None:
    for rows in (5, 8):
        info = TensorInfo("h.0.attn.pattern", "activation", (3, rows, rows), "", True, section="block 0")
        inspection = Inspection(tensors={info.name: info})
        element = TensorIndex(info.name, (2, 4, 3))
        assert inspection.exists(element)
        assert not inspection.exists(TensorIndex(info.name, (2, rows, 3)))
        assert not inspection.exists(TensorIndex(info.name, (0, 0, rows)))
        assert inspection.moved(element, 1, -1) == TensorIndex(info.name, (2, 3, 4))
