"""The list of tensors and the trace panel as functions of the state."""

from __future__ import annotations

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.inspection import TensorInfo, section_title
from atlas_viewer.state.requests import SaveTrace
from atlas_viewer.state.state import State
from atlas_viewer.ui.panels.tensors import rows
from atlas_viewer.ui.panels.trace import filtered
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions

from helpers.fake_tensor_reader import fake_sheet, fake_statistics, fake_tensors
from helpers.make_models import TINY
from helpers.map_registry import registry
from helpers.screen import Screen, context

__all__ = ["context"]


@pytest.fixture
def state() -> State:
    made = State("Once", GenerateOptions())
    made.inspection.tensors, made.inspection.layout = fake_tensors()
    made.strip.lay_out(fake_sheet(), made.camera)
    made.inspection.statistics = fake_statistics("h.1.mlp.gelu")
    return made


def tab(screen: Screen, title: str) -> None:
    imgui.set_window_focus(title)
    screen.frame(3)


def test_rows_are_grouped_searched_and_folded() -> None:
    tensors, _ = fake_tensors()
    everything = rows(tensors.values(), "", set())
    assert [row.group for row in everything if row.info is None] == ["embedding", "block 0", "block 1", "head"]
    assert len(everything) == len(tensors) + 4
    folded = rows(tensors.values(), "", {"block 0"})
    assert len(folded) == len(everything) - 2
    found = rows(tensors.values(), "ATTN weight", {"block 0"})
    assert [row.info.name for row in found if row.info] == ["h.0.attn.c_attn.weight"]
    assert rows(tensors.values(), "nothing", set()) == []


def test_the_tensors_of_a_registry_are_grouped_by_the_sections_of_the_model() -> None:
    known = registry(TINY, 3)
    tensors = [TensorInfo.of(known, tensor) for tensor in known]
    groups = [row.group for row in rows(tensors, "", set()) if row.info is None]
    assert groups == ["embedding", "block 0", "block 1", "output"]
    assert {info.name for info in tensors if info.by_vocabulary} == {"wte", "logits"}
    assert section_title(known.description, "h.1.attn.pattern") == "block 1"
    assert section_title(known.description, "h.2.attn.pattern") == "other", "the model has two blocks"


def test_statistics_are_read_only_while_visible(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(state, monkeypatch)
    assert not state.inspection.list_visible
    tab(screen, "Tensors")
    assert state.inspection.list_visible
    for text in ("576 x 192", "-4.25", "5.5", "0.125"):
        assert screen.shows(text), text


def test_infinities_are_counted_beside_nan(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "h.0.attn.c_attn.weight"
    vars(state.inspection.statistics[name]).update(nan=41, pos_inf=700, neg_inf=77)
    screen = Screen(state, monkeypatch)
    tab(screen, "Tensors")
    assert {"NaN", "inf", "41", "777"} <= set(screen.texts)


def test_a_click_frames_the_tensor(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(state, monkeypatch)
    tab(screen, "Tensors")
    screen.click("h.0.attn.c_attn.weight")
    view, box = state.strip.camera.view, state.strip.sheet.box_of(2624)
    assert box is not None
    assert state.inspection.focus == TensorIndex("h.0.attn.c_attn.weight", (0, 0))
    assert state.strip.camera.zoom > 1
    assert view.x <= box.x
    assert view.x + view.width >= box.x + box.columns
    assert view.y <= box.y
    assert view.y + view.height >= box.y + box.rows


def test_a_click_on_a_heading_folds_its_group(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(state, monkeypatch)
    tab(screen, "Tensors")
    screen.click("- embedding##group")
    assert state.inspection.closed == {"embedding"}


def test_the_list_scrolls_once_to_the_tensor_in_focus(
    context: None, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(state, monkeypatch)
    tab(screen, "Tensors")
    center = screen.centers["picture"]
    state.camera.look_at(64, 105.5, 5.5)
    screen.point(ImVec2(center.x, center.y))
    assert state.inspection.marked == "h.1.mlp.gelu"


def test_the_trace_is_off_by_default(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(state, monkeypatch)
    tab(screen, "Trace")
    assert not state.inspection.trace_on
    screen.click("Trace")
    assert state.inspection.trace_on
    state.inspection.trace = ["wte cells", "logits cells"]
    state.inspection.trace_filter = "logits"
    screen.frame()
    assert screen.shows("1 of 2 lines")
    copied: list[str] = []
    monkeypatch.setattr(imgui, "set_clipboard_text", copied.append)
    screen.click("Copy##trace")
    screen.click("Save##trace")
    assert copied == ["logits cells"]
    assert list(state.requests) == [SaveTrace("trace.txt", ("logits cells",))]
    screen.click("Trace")
    assert list(state.inspection.trace) == []


def test_the_filter_takes_several_words() -> None:
    assert filtered(["a b c", "a c", "B a"], "a b") == ["a b c", "B a"]
