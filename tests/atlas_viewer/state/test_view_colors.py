"""The colors that the views use, and the tensor that the color bar describes, on plain state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from atlas_viewer.state.distribution import Distribution
from atlas_viewer.state.map_logits import LogitsCenter
from atlas_viewer.state.navigation import ATLAS, MAP
from atlas_viewer.state.state import State
from atlas_viewer.state.view_colors import axis_of, center_of, ends, shown_tensor, view_colors
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.views.palettes import ColorMapping, ViewColors

from helpers.fake_tensor_reader import fake_statistics, fake_tensors


@pytest.fixture
def state() -> State:
    state = State("", GenerateOptions())
    state.inspection.tensors, state.inspection.layout = fake_tensors()
    state.inspection.statistics = fake_statistics()
    return state


def measured(state: State, low: float, high: float) -> str:
    """Give the first tensor values from `low` to `high`, and return its name."""
    statistics: dict[str, Any] = dict(state.inspection.statistics)
    name = next(iter(statistics))
    statistics[name] = SimpleNamespace(
        **vars(statistics[name]) | {"min": low, "max": high, "absmax": max(abs(low), abs(high))}
    )
    state.inspection.statistics = statistics
    return name


def test_the_views_follow_the_theme_and_the_mapping(state: State) -> None:
    state.ui.theme = "light"
    state.inspection.mapping = ColorMapping(palette="purple-green", exposure=2.0, curve="log")
    colors = view_colors(state)
    assert isinstance(colors, ViewColors)
    assert (colors.canvas, colors.palette, colors.exposure, colors.curve) == ("light", "purple-green", 2.0, "log")


@pytest.mark.parametrize(
    ("low", "high", "one_sign"),
    [(0.0, 1.0, True), (0.25, 3.0, True), (-9.0, -2.0, True), (-1.0, 1e-6, False), (2.0, 2.0, False)],
)
def test_tensors_with_values_of_one_sign(state: State, low: float, high: float, one_sign: bool) -> None:
    name = measured(state, low, high)
    assert ((name, low, high) in view_colors(state).one_signed) == one_sign
    axis = axis_of(state.inspection, name)
    assert axis is not None
    assert axis.one_sign == one_sign
    assert (axis.low, axis.high) == ((low, high) if one_sign else (-max(abs(low), abs(high)), max(abs(low), abs(high))))


def test_patterns_are_probabilities_without_being_measured(state: State) -> None:
    patterns = [name for name, info in state.inspection.tensors.items() if len(info.shape) == 3]
    state.inspection.statistics = {}
    assert {(name, 0.0, 1.0) for name in patterns} == set(view_colors(state).one_signed)
    for name in patterns:
        assert ends(state.inspection, name) == (0.0, 1.0)


def test_one_range_for_all_tensors_is_as_wide_as_the_widest(state: State) -> None:
    widest = max(known.absmax for known in state.inspection.statistics.values())
    state.inspection.mapping = ColorMapping(span_scale="all")
    axis = axis_of(state.inspection, None)
    assert axis is not None
    assert (axis.low, axis.high, axis.one_sign) == (-widest, widest, False)


def test_on_map_the_logits_are_shown_relative_to_their_mean(state: State) -> None:
    name = measured(state, -100.0, -60.0)
    state.map.logits = LogitsCenter(name, -85.0, 25.0)
    state.ui.view = ATLAS
    assert center_of(state) is None, "Strip shows the values themselves"
    state.ui.view = MAP
    center = center_of(state)
    assert center is not None
    other = list(state.inspection.statistics)[1]
    assert axis_of(state.inspection, other, center) == axis_of(state.inspection, other)
    axis = axis_of(state.inspection, name, center)
    assert axis is not None
    assert (axis.low, axis.high, axis.one_sign) == (-25.0, 25.0, False)
    logits = np.array([-60, np.nan, -84, -86, -100, np.inf], np.float32)
    bars = center.histogram(Distribution(0, logits, GenerateOptions()), axis, 4)
    assert list(bars) == [1, 1, 1, 1]
    state.inspection.mapping = ColorMapping(span_scale="all")
    axis = axis_of(state.inspection, None, center)
    widest = max(known.absmax for key, known in state.inspection.statistics.items() if key != name)
    assert axis is not None
    assert axis.high == max(widest, 25.0)


def test_the_color_bar_describes_the_focus_or_the_middle_of_the_view(state: State) -> None:
    spans, state.ui.view = state.inspection.layout.spans, ATLAS
    state.camera.look_at(64.0, spans[0].first % 640, spans[0].first // 640)
    assert shown_tensor(state) == spans[0].name
    state.inspection.cursor = TensorIndex(spans[-1].name, ())
    assert shown_tensor(state) == spans[-1].name
    state.inspection.cursor, state.inspection.statistics = None, {}
    assert shown_tensor(state) is None
