"""The Strip panel with a large model: names that are long, and blocks that have no cells left."""

from __future__ import annotations

import pytest
from imgui_bundle import imgui

from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.navigation import ATLAS, MAP
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.services import Services
from compute.models.architectures import known_shapes

from helpers.fake_generation import FakeTokenizer, paused_state
from helpers.map_registry import STORIES, registry
from helpers.screen import Screen, context

__all__ = ["context"]


def strip(model: str, monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Strip with the tensors of a model."""
    state: State = paused_state()
    known = registry(STORIES if model == "stories" else known_shapes()[model], 256)
    known.rows = 5
    state.inspection.tensors = {tensor.name: TensorInfo.of(known, tensor) for tensor in known}
    state.inspection.rows = 5
    state.ui.front = state.ui.view = ATLAS
    screen = Screen(state, monkeypatch, Services(strip=imgui.ImTextureRef(1), tokenizer=FakeTokenizer("<{}>")))
    screen.frame(3)
    return screen


def test_long_names_fit_beside_the_color_bar(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    short, whole = strip("stories", monkeypatch), widget_tracking.rects["colour bar"]
    long = strip("smollm2-135m", monkeypatch)
    bar = widget_tracking.rects["colour bar"]
    assert bar.right == whole.right
    assert bar.left > whole.left
    name = "layers.7.post_attention_layernorm.weight"
    assert name in long.state.inspection.tensors
    assert name not in short.state.inspection.tensors
    assert bar.right - bar.left > 0.55 * (bar.right - whole.left)


def test_the_notice_leads_to_the_map(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = strip("smollm2-135m", monkeypatch)
    assert not screen.shows("blocks fit")
    screen.state.spans_left_out = ("h.10.resid_mid", "h.29.ln_1", "logits")
    screen.frame(2)
    assert screen.shows("10 of 30 blocks fit")
    assert screen.state.ui.view == ATLAS
    screen.click("blocks that fit")
    assert screen.state.ui.view == MAP
