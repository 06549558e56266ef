"""The picture keeps half of the window, and the prompt panel is whole, at every size and zoom, without a GPU."""

from __future__ import annotations

import itertools

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.arrangement import COLUMN, COLUMNS, FOLDED, FULL, arrange
from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, State
from atlas_viewer.state.ui_state import UiState
from atlas_viewer.ui import panels, theme, widget_tracking
from atlas_viewer.ui.services import Services
from compute.sampling.options import GenerateOptions
from compute.views.map_layout import map_layout

from helpers.fake_generation import FakeTokenizer, fake_step
from helpers.fake_tensor_reader import FakeObserver, fake_statistics
from helpers.map_registry import STORIES, registry
from helpers.screen import Screen, context, press

__all__ = ["context"]

MODEL = ModelSummary("fake", 8, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter", 12 << 20)
SIZES = ((640, 400), (800, 600), (1024, 768), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))
ZOOMS = (0.8, 1.0, 1.5, 2.0)
SERVICES = Services(strip=imgui.ImTextureRef(1), map=imgui.ImTextureRef(1), tokenizer=FakeTokenizer("<{}>"))


def made(ui: UiState) -> State:
    options = GenerateOptions(max_new_tokens=16)
    run = Run("Once upon a", options, [(1, "Once"), (2, " upon"), (3, " a")], [fake_step(i) for i in range(9)])
    run.continuation = "".join(step.text for step in run.steps)
    state = State("Once upon a", options, model=MODEL, run=run, ui=ui)
    known = registry(STORIES, 256)
    known.rows = 12
    state.inspection.tensors = {tensor.name: TensorInfo.of(known, tensor) for tensor in known}
    state.inspection.rows, state.inspection.statistics = 12, fake_statistics()
    state.map.lay_out(known, map_layout(known, 32))
    state.palettes, state.edges = FakeObserver.palettes, FakeObserver.edges
    return state


def screen_at(size: tuple[int, int], ui: UiState, monkeypatch: pytest.MonkeyPatch) -> Screen:
    imgui.get_io().display_size = ImVec2(*size)
    return Screen(made(ui), monkeypatch, SERVICES, view=None)


def share(size: tuple[int, int], name: str = "map") -> float:
    """The picture's fraction of the window."""
    rect = widget_tracking.rects[name]
    wide = min(rect.right, size[0]) - max(rect.left, 0)
    high = min(rect.bottom, size[1]) - max(rect.top, 0)
    return wide * high / (size[0] * size[1])


def cut_off(name: str) -> list[str]:
    """The widgets of the prompt panel that are not wholly inside the imgui window `name`, or hide behind a scroll."""
    window = imgui.internal.find_window_by_name(name)
    assert window is not None
    inner, wrong = window.inner_clip_rect, []
    for identity in ("##prompt", "##older", "##newer", "Generate", "Stop"):
        rect = widget_tracking.rects[identity]
        inside = inner.min.x <= rect.left + 1 and rect.right <= inner.max.x + 1
        if not (inside and inner.min.y <= rect.top + 1 and rect.bottom <= inner.max.y + 1):
            wrong.append(identity)
    return wrong + ["scrolls"] * (window.scroll_max.y > 1)


@pytest.mark.parametrize(("size", "zoom"), list(itertools.product(SIZES, ZOOMS)))
def test_the_picture_has_half_of_the_window(
    context: None, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], zoom: float
) -> None:
    screen = screen_at(size, UiState(zoom=zoom), monkeypatch)
    ui = screen.state.ui
    assert ui.view == "Map"
    assert share(size) >= 0.5
    if not ui.folded:
        assert cut_off("Prompt") == []
        return
    press(screen, "1")
    screen.frame(3)
    assert ui.drawers == ["Prompt"]
    assert cut_off("###drawer Prompt") == []
    press(screen, "1")
    assert ui.drawers == []


def test_larger_windows_have_richer_arrangements() -> None:
    found = [arrange(width / 15, height / 15).name for width, height in SIZES]
    ranks = [(FOLDED, COLUMN, COLUMNS, FULL).index(name) for name in found]
    assert ranks == sorted(ranks)
    assert set(found) == {FOLDED, COLUMN, COLUMNS, FULL}


def test_resizing_keeps_the_share_and_ends_where_it_began(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_at((1280, 720), UiState(), monkeypatch)
    before = dict(widget_tracking.rects)
    for size in (*SIZES, *reversed(SIZES), (1280, 720)):
        screen.io.display_size = ImVec2(*size)
        screen.frame(4)
        assert share(size) >= 0.5, size
    tabs = [name for name in before if name.startswith("tab:")]
    assert len(tabs) == len(panels.NAMES)
    for name in tabs:
        now = widget_tracking.rects[name]
        assert (now.left, now.top) == pytest.approx((before[name].left, before[name].top), abs=2), name


def test_the_users_own_layout_is_kept_in_a_small_window(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_at((1280, 720), UiState(), monkeypatch)
    ui = screen.state.ui
    assert (ui.arrangement, ui.folded) == (COLUMN, False)
    edge = imgui.internal.find_window_by_name("Map").pos.x - 1
    screen.point(ImVec2(edge, 400))
    for x, down in ((edge, True), (edge - 60, True), (edge - 60, False)):
        screen.io.add_mouse_pos_event(x, 400)
        screen.io.add_mouse_button_event(0, down)
        screen.frame(2)
    screen.frame(3)
    assert ui.arrangement == ""
    wide = imgui.internal.find_window_by_name("Prompt").size.x
    screen.io.display_size = ImVec2(800, 600)
    screen.frame(4)
    assert not ui.folded
    screen.io.display_size = ImVec2(1280, 720)
    screen.frame(4)
    assert imgui.internal.find_window_by_name("Prompt").size.x == pytest.approx(wide, abs=2)
    ui.reset_layout = True
    screen.frame(4)
    assert ui.arrangement == COLUMN


@pytest.mark.parametrize("size", [(640, 400), (1280, 720), (3840, 2160)])
def test_in_lecture_mode_picture_and_text_fill_the_window_and_leave_no_trace(
    context: None, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    screen = screen_at(size, UiState(), monkeypatch)
    ui = screen.state.ui
    before, layout, shown = dict(widget_tracking.rects), ui.arrangement, set(ui.shown)
    press(screen, "F11")
    screen.frame(3)
    assert theme.zoom() == 1.5
    text = imgui.internal.find_window_by_name("##lecture")
    assert text.pos.y + text.size.y == pytest.approx(size[1], abs=1)
    left = text.pos.y / size[1]
    assert left > 0.6
    assert share(size) == pytest.approx(left, abs=0.01), "the picture ends where the text begins"
    assert "chip8" in widget_tracking.rects, "the newest token is in the strip"
    for key, name in (("1", "Prompt"), ("5", "Logits")):
        press(screen, key)
        screen.frame(2)
        assert ui.drawers[-1] == name
        assert name in ui.shown
    for _ in range(len(ui.drawers)):
        press(screen, "Escape")
    assert ui.drawers == []
    assert share(size) == pytest.approx(left, abs=0.01), "Escape closes panels before it leaves"
    press(screen, "Escape")
    screen.frame(4)
    assert not ui.lecture
    assert theme.zoom() == 1.0
    assert (ui.arrangement, ui.shown) == (layout, shown)
    for name, rect in before.items():
        now = widget_tracking.rects[name]
        assert (now.left, now.top) == pytest.approx((rect.left, rect.top), abs=2), name


def test_a_key_is_typed_into_a_field_of_a_drawer(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_at((640, 400), UiState(), monkeypatch)
    press(screen, "1")
    screen.frame(2)
    screen.click("##prompt")
    screen.io.add_input_characters_utf8("5")
    press(screen, "5")
    assert screen.state.ui.drawers == ["Prompt"]
    assert screen.state.prompt == "Once upon a5"
