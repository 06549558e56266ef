"""Panels are docked, hidden, shown, saved and reset, at every size and zoom, without a GPU."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.arrangement import COLUMNS
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, State
from atlas_viewer.state.ui_state import UiState
from atlas_viewer.ui import panels, theme, widget_tracking
from atlas_viewer.ui.panels import inspector, layout, logits, tensors, tokens, trace
from atlas_viewer.ui.services import Services
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import fake_step
from helpers.fake_tensor_reader import ROWS, FakeObserver, fake_statistics, fake_tensors
from helpers.screen import SIZE, Screen, context, new_context

__all__ = ["context"]

SERVICES = Services(strip=imgui.ImTextureRef(1))
MODEL = ModelSummary("fake", 2, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter", 12 << 20)
DOCKED = panels.docked(COLUMNS)
SIZES = ((1280, 720), (200, 150), (3840, 2160), (0, 0), (1, 1), (900, 600), (150, 2000), (2560, 60), SIZE)


def made(ui: UiState | None = None) -> State:
    options = GenerateOptions(max_new_tokens=16)
    run = Run("Once upon a", options, [(1, "Once"), (2, " upon"), (3, " a")], [fake_step(i) for i in range(9)])
    run.continuation = "".join(step.text for step in run.steps)
    state = State("Once upon a", options, model=MODEL, run=run, ui=ui or UiState())
    state.inspection.tensors, state.inspection.layout = fake_tensors()
    state.inspection.rows, state.inspection.statistics = ROWS, fake_statistics()
    state.edges = FakeObserver.edges
    return state


@pytest.fixture
def screen(context: None, monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(made(), monkeypatch, SERVICES)


def corners() -> dict[str, float]:
    """Left and top of each tab, in one dictionary for comparisons."""
    tabs = {title: tab(title) for title in panels.NAMES if f"tab:{title}" in widget_tracking.rects}
    return {f"{t} left": p.left for t, p in tabs.items()} | {f"{t} top": p.top for t, p in tabs.items()}


def tab(title: str) -> widget_tracking.WidgetRect:
    return widget_tracking.rects[f"tab:{title}"]


def choose(screen: Screen, label: str) -> None:
    """Click an entry of the View menu, or a panel in its submenu of panels."""
    screen.click("View##menu")
    screen.frame(2)
    if label in panels.NAMES:
        screen.point(screen.centers["Panels"])
        screen.frame(3)
        label += "##panel"
    screen.click(label)
    screen.frame(3)


def test_every_panel_has_a_tab_and_the_first_of_an_area_is_in_front(screen: Screen) -> None:
    assert {f"tab:{title}" for title in panels.NAMES} <= set(widget_tracking.rects)
    front = layout.front(DOCKED)
    assert [title for title in panels.NAMES if not imgui.internal.find_window_by_name(title).hidden] == front
    assert not screen.state.inspection.list_visible
    screen.click(f"tab:{tensors.NAME}")
    screen.frame(2)
    assert screen.state.inspection.list_visible


def test_a_saved_layout_contains_names_of_panels_not_titles(screen: Screen) -> None:
    for name, title in (("Atlas", "Strip"), ("Session", "Recording"), ("Prompt", "Prompt")):
        window = imgui.internal.find_window_by_name(name)
        assert window.name.partition("###")[0] == title
        assert f"\n[Window][{name}]\n" in f"\n{screen.state.ui.layout}"
    assert "###" not in screen.state.ui.layout


def test_the_menu_hides_and_shows_panels(screen: Screen) -> None:
    hidden = screen.state.ui.hidden
    screen.click(f"tab:{tensors.NAME}")
    for title in (tensors.NAME, inspector.NAME):
        choose(screen, title)
    assert hidden == {tensors.NAME, inspector.NAME}
    assert f"tab:{inspector.NAME}" not in widget_tracking.rects
    assert not screen.shows("Point at a cell")
    assert not screen.state.inspection.list_visible
    choose(screen, tensors.NAME)
    assert hidden == {inspector.NAME}
    assert screen.state.inspection.list_visible, "a panel that is shown again must come to the front"
    assert tab(tensors.NAME).top == pytest.approx(tab(logits.NAME).top)


def test_the_close_button_of_a_tab_hides_its_panel(screen: Screen) -> None:
    rect = tab(tokens.NAME)
    screen.point(ImVec2(*rect.center))
    x = ImVec2(rect.right - theme.em(0.8), rect.center[1])
    screen.point(x)
    for down in (True, False):
        screen.io.add_mouse_button_event(0, down)
        screen.frame(2)
    assert screen.state.ui.hidden == {tokens.NAME}


def test_the_layout_is_reset(screen: Screen) -> None:
    usual = corners()
    ui = screen.state.ui
    ui.hidden |= {tokens.NAME, trace.NAME}
    imgui.internal.dock_builder_dock_window(logits.NAME, 0)  # floats
    screen.frame(3)
    assert layout.floats(logits.NAME, imgui.internal.find_window_by_name(tensors.NAME).dock_node.id_)
    choose(screen, "view.reset")
    assert not ui.hidden
    assert not ui.reset_layout
    assert corners() == pytest.approx(usual, abs=3)


def test_tabs_in_any_order_are_sorted_at_once(screen: Screen) -> None:
    """Several tabs may have to move, because floating panels return in any order."""
    areas: dict[str, list[str]] = {}
    for title, where in reversed(DOCKED):
        areas.setdefault(where, []).append(title)
    layout.order_tabs([(title, where) for where, titles in areas.items() for title in titles])
    screen.frame(2)
    for titles in areas.values():
        lefts = [tab(title).left for title in titles if f"tab:{title}" in widget_tracking.rects]
        assert lefts == sorted(lefts)
    assert max(map(len, areas.values())) > 2


def test_tabs_of_hidden_panels_return_in_order(screen: Screen) -> None:
    ui = screen.state.ui
    usual = corners()
    ui.hidden |= set(panels.NAMES)
    screen.frame(2)
    screen.press(imgui.Key.m)
    screen.frame(2)
    assert ui.hidden == set(panels.NAMES) - {"Map"}
    choose(screen, "view.reset")
    screen.frame(2)
    assert corners() == pytest.approx(usual, abs=3)


@pytest.mark.parametrize("front", [{"Logits", "Atlas"}, {"Distribution", "Map"}, {"Trace", "Atlas", "Runs"}])
def test_the_tabs_in_front_are_restored(screen: Screen, front: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for title in front:
        screen.click(f"tab:{title}")
        screen.frame(2)
    ui = screen.state.ui
    shown = set(ui.shown)
    assert front <= shown
    with new_context(ui.layout):
        again = Screen(made(UiState(layout=ui.layout, view=ui.view)), monkeypatch, SERVICES, view=None)
        assert again.state.ui.shown == shown
        assert again.state.ui.view == next(iter(front & {"Atlas", "Map"}))
        focused = imgui.internal.find_window_by_name(again.state.ui.view)
        assert imgui.get_current_context().nav_window.root_window.id_ == focused.id_


def test_a_separator_moves_and_the_layout_is_saved(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    ui = screen.state.ui
    x = tab("Atlas").left
    edge = ImVec2(imgui.internal.find_window_by_name("Atlas").pos.x - 1, 500)
    before = ui.layout
    screen.point(edge)
    screen.io.add_mouse_button_event(0, True)
    screen.frame(2)
    screen.point(ImVec2(edge.x + 90, edge.y))
    assert ui.layout == before, "a layout in the middle of a drag is not saved"
    screen.io.add_mouse_button_event(0, False)
    screen.frame(2)
    moved = tab("Atlas").left
    assert moved == pytest.approx(x + 90, abs=2)
    assert ui.layout != before
    screen.frame(3)
    assert ui.arrangement == "", "the layout is the user's own"
    ui.hidden.add(trace.NAME)
    screen.click(f"tab:{tensors.NAME}")
    with new_context(ui.layout):
        again = Screen(made(ui), monkeypatch, SERVICES)
        assert tab("Atlas").left == moved
        assert again.state.inspection.list_visible, "the tab in front must be the same"
        assert f"tab:{trace.NAME}" not in widget_tracking.rects
        choose(again, trace.NAME)
        assert tab(trace.NAME).top == tab(logits.NAME).top


def test_a_panel_missing_from_a_saved_layout_is_docked_in_its_area(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    ui = screen.state.ui
    before, rest = ui.layout.split(f"[Window][{trace.NAME}]")
    ui.layout = before + "[Window]" + rest.split("[Window]", 1)[1]
    with new_context(ui.layout):
        Screen(made(ui), monkeypatch, SERVICES)
        assert tab(trace.NAME).top == tab(logits.NAME).top


@pytest.mark.parametrize(
    "text", ["nonsense", "[Docking][Data]\nDockSpace ID=1", "[Window][Atlas]\nDockId=0x77,0\n", "[[\0"]
)
def test_a_bad_layout_is_replaced_with_the_default(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    ui = UiState(layout=text)
    with new_context(ui.layout):
        Screen(made(ui), monkeypatch, SERVICES)
        assert {f"tab:{title}" for title in panels.NAMES} <= set(widget_tracking.rects)
        assert tab("Prompt").left < tab("Atlas").left < tab("Output").left


def widths() -> tuple[float, float]:
    """Widths of the left and the right column, in pixels."""
    find: Callable[[str], imgui.internal.Window] = imgui.internal.find_window_by_name
    return find("Prompt").size.x, find("Output").size.x


def test_the_users_columns_follow_the_zoom_in_both_directions(screen: Screen) -> None:
    left, right = widths()
    ui = screen.state.ui
    ui.arrangement = ""
    for entry, ratio in (
        ("view.larger", 1.1),
        ("view.larger", 1.25),
        ("view.smaller", 1.1),
        ("view.automatic", 1.0),
    ):
        choose(screen, entry)
        assert theme.zoom() == pytest.approx(ratio)
        assert widths() == pytest.approx((left * ratio, right * ratio), abs=4)
    assert ui.zoom == 0
    for zoom in (4.0, 0.5, 1.0):
        ui.zoom = zoom
        screen.frame(3)
    assert widths() == pytest.approx((left, right), abs=8)
    screen.io.display_size = ImVec2(3840, 2160)
    ui.zoom = 0
    screen.frame(3)
    assert widths() == pytest.approx((left, right), abs=8), "a larger window shows more, not everything larger"


def test_strip_keeps_space_in_the_users_layout_at_every_zoom(screen: Screen) -> None:
    left, right = widths()
    ui = screen.state.ui
    ui.arrangement = ""
    for zoom in (1.5, 2.0):
        ui.zoom = zoom
        screen.frame(3)
    assert max(widths()) < 0.4 * SIZE[0]
    picture = widget_tracking.rects["picture"]
    assert picture.right - picture.left > 180
    assert picture.bottom - picture.top > 100
    ui.zoom = 1.0
    screen.frame(3)
    assert widths() == pytest.approx((left, right), abs=4)
    ui.zoom, ui.reset_layout = 2.0, True
    screen.frame(4)
    assert max(widths()) < 0.4 * SIZE[0]


def test_a_window_that_starts_tiny_gets_the_default_columns(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = widths()
    with new_context():
        imgui.get_io().display_size = ImVec2(1, 1)
        tiny = Screen(made(), monkeypatch, SERVICES)
        tiny.io.display_size = ImVec2(*SIZE)
        tiny.frame(3)
        assert widths() == pytest.approx(usual, abs=8)


def test_themes_are_chosen_in_the_menu(screen: Screen) -> None:
    for name in ("light", "dark"):
        choose(screen, "view.theme")
        assert screen.state.ui.theme == name
        assert theme.now is theme.THEMES[name]


@pytest.mark.parametrize("zoom", [0.0, 0.5, 4.0])
def test_every_size_can_be_drawn(context: None, monkeypatch: pytest.MonkeyPatch, zoom: float) -> None:
    state = made(UiState(zoom=zoom))
    screen = Screen(state, monkeypatch, SERVICES)
    usual = corners()
    for size in SIZES:
        screen.io.display_size = ImVec2(*size)
        for scale in (1.0, 1.25, 2.0):
            screen.io.display_framebuffer_scale = ImVec2(scale, scale)
            screen.frame(2)
        state.messages = [] if state.messages else ["something went wrong: try " + "again " * 40]
    state.messages = []
    screen.io.display_framebuffer_scale = ImVec2(1, 1)
    screen.frame(3)
    assert corners() == pytest.approx(usual, abs=3)
    for title in panels.NAMES:
        state.ui.front = title
        screen.frame(2)
        assert title in state.ui.shown
    state.ui.hidden = set(panels.NAMES)
    screen.frame(2)
    assert not any(label.startswith("tab:") for label in widget_tracking.rects)
