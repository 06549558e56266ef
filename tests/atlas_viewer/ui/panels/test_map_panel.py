"""The Map panel on a screen without a GPU: navigation, names, indices, pins, and keys of the current view."""

from __future__ import annotations

import math

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import navigation
from atlas_viewer.state.context_tokens import context_token
from atlas_viewer.state.inspection import ProbedValue, TensorInfo
from atlas_viewer.state.map_addresses import row_and_column
from atlas_viewer.state.map_state import GLOW, MapState
from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.inspector_rows import facts
from atlas_viewer.ui.services import Services
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.views.map_layout import map_layout

from helpers.fake_generation import FakeTokenizer, fake_step
from helpers.fake_tensor_reader import FakeObserver
from helpers.map_registry import STORIES, registry
from helpers.screen import Screen, context, press

__all__ = ["context"]

MODEL = ModelSummary("fake", 8, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter", 0)
ROWS, WINDOW = 12, 32


@pytest.fixture
def state() -> State:
    options = GenerateOptions(max_new_tokens=16)
    run = Run("Once upon a", options, [(1, "Once"), (2, " upon"), (3, " a")], [fake_step(i) for i in range(9)])
    run.done = True
    made = State("Once upon a", options, model=MODEL, run=run)
    known = registry(STORIES, 256)
    known.rows = ROWS
    made.inspection.tensors = {tensor.name: TensorInfo.of(known, tensor) for tensor in known}
    made.inspection.rows = ROWS
    made.map.lay_out(known, map_layout(known, WINDOW))
    made.palettes = FakeObserver.palettes
    return made


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    imgui.get_io().display_size = ImVec2(700, 560)
    made = Screen(state, monkeypatch, Services(map=imgui.ImTextureRef(1), tokenizer=FakeTokenizer("<{}>")))
    press(made, "M")
    made.frame(3)
    assert state.ui.view == "Map"
    assert "Map" in state.ui.shown
    return made


def place_of(screen: Screen, target: TensorIndex) -> ImVec2:
    """Point on the screen at the center of a value's cell."""
    maps, picture = screen.state.map, widget_tracking.rects["map"]
    cell = maps.cell_of(target)
    assert cell is not None
    x, y = maps.view.pixel_at(cell[0] + 0.5, cell[1] + 0.5)
    return ImVec2(picture.left + x, picture.top + y)


def double_click(screen: Screen) -> None:
    for down in (True, False, True, False):
        screen.io.add_mouse_button_event(0, down)
        screen.frame_fast()


def test_wheel_drag_fit_and_keys_move_the_map_and_not_strip(screen: Screen, state: State) -> None:
    maps, atlas = state.map, state.camera.view
    target = TensorIndex("h.3.mlp.c_fc.weight", (100, 50))
    maps.frame("h.3")  # close enough that no edge limits the camera
    screen.frame(2)
    zoom = maps.camera.pose.zoom
    before = place_of(screen, target)
    screen.point(before)
    for _ in range(8):
        screen.io.add_mouse_wheel_event(0, 1)
        screen.frame()
    assert maps.camera.pose.zoom == pytest.approx(zoom * 2 ** (8 / 5))
    after = place_of(screen, target)
    # imgui rounds the mouse position to whole pixels.
    assert (after.x, after.y) == pytest.approx((before.x, before.y), abs=3)
    screen.io.add_mouse_button_event(0, True)
    screen.frame()
    screen.point(ImVec2(before.x + 40, before.y + 25))
    screen.io.add_mouse_button_event(0, False)
    screen.frame()
    dragged = place_of(screen, target)
    assert (dragged.x, dragged.y) == pytest.approx((after.x + 40, after.y + 25), abs=0.1)
    x = maps.camera.pose.x
    screen.press(imgui.Key.right_arrow)
    assert maps.camera.pose.x > x
    zoom = maps.camera.pose.zoom
    press(screen, "+")
    assert maps.camera.pose.zoom > zoom
    press(screen, "F")
    assert maps.camera.pose.zoom == 1
    assert state.camera.view == atlas
    screen.click("tab:Atlas")
    screen.frame(3)
    press(screen, "+")
    assert maps.camera.pose.zoom == 1
    assert state.camera.zoom > 1


def test_the_cursor_inspects_and_pins_and_arrow_keys_move_it(screen: Screen, state: State) -> None:
    inspection = state.inspection
    screen.state.map.go(TensorIndex("h.2.mlp.gelu", (5, 300)))
    screen.frame(2)
    screen.point(place_of(screen, TensorIndex("h.2.mlp.gelu", (5, 300))))
    element = TensorIndex("h.2.mlp.gelu", (5, 300))
    assert inspection.cursor == element
    inspection.probed_values[element] = ProbedValue(0.5, element.index)
    screen.frame()
    assert screen.shows("h.2.mlp.gelu[5, 300] = 0.5")
    shown = dict(facts(state, element, FakeTokenizer("<{}>")))
    assert "Cell" not in shown, "Strip cells do not matter on Map"
    assert shown["Index"] == "[5, 300]"
    for down in (True, False):
        screen.io.add_mouse_button_event(1, down)
        screen.frame()
    assert [pin.element for pin in inspection.pins] == [element]
    inspection.selected = None
    screen.press(imgui.Key.down_arrow)
    screen.press(imgui.Key.left_arrow)
    assert inspection.cursor == TensorIndex("h.2.mlp.gelu", (6, 299))
    state.map.go(TensorIndex("h.2.mlp.gelu", (ROWS - 1, 300)))
    screen.frame()
    screen.point(place_of(screen, TensorIndex("h.2.mlp.gelu", (ROWS, 300))))
    assert inspection.cursor is None, "this row does not exist yet"


def test_a_double_click_goes_to_the_makers_of_a_value_and_alt_brackets_return(screen: Screen, state: State) -> None:
    maps = state.map
    target = TensorIndex("h.2.mlp.gelu", (5, 300))
    maps.go(target)
    pose = maps.camera.pose
    screen.frame(2)
    screen.point(place_of(screen, target))
    double_click(screen)
    screen.frame(2)
    assert state.inspection.cursor == TensorIndex("h.2.mlp.c_fc.weight", (300, 0))
    assert maps.sources == TensorIndex("h.2.mlp.c_fc.weight", (300, 0), 192), "the whole row is outlined"
    center = maps.cell_of(TensorIndex("h.2.mlp.c_fc.weight", (300, 0)))
    assert center == (math.floor(maps.camera.pose.x), math.floor(maps.camera.pose.y))
    there = maps.camera.pose
    press(screen, "Alt+[")
    assert maps.camera.pose == pose
    press(screen, "Alt+]")
    assert maps.camera.pose == there
    screen.point(ImVec2(screen.centers["map"].x, screen.centers["map"].y))
    for button in (3, 4):
        for down in (True, False):
            screen.io.add_mouse_button_event(button, down)
            screen.frame()
        assert maps.camera.pose == (pose if button == 3 else there)
    assert maps.sources is not None, "moving the mouse does not hide it"
    press(screen, "Escape")
    assert maps.sources is None


def test_a_click_on_a_name_frames_the_tensor(screen: Screen, state: State) -> None:
    maps = state.map
    screen.point(ImVec2(5, 5))
    picture = widget_tracking.rects["map"]
    label = next(label for label in maps.labels.made.labels if label.of == "h.4")
    screen.point(ImVec2(picture.left + label.x + 4, picture.top + label.y + 4))
    for down in (True, False):
        screen.io.add_mouse_button_event(0, down)
        screen.frame()
    screen.frame(2)
    region = next(region for region in maps.layout.regions if region.title == "h.4")  # type: ignore[union-attr]
    assert -1 < maps.view.pixel_at(region.x, region.y)[0] < maps.size[0] / 2
    assert maps.camera.pose.x == pytest.approx(region.x + region.width / 2)
    assert not any(label.of == "h.3" for label in maps.labels.made.labels)


def at_center(maps: MapState) -> tuple[str, int, int] | None:
    """Name, row and column of the value at the center of the picture."""
    assert maps.layout is not None
    return maps.layout.cell_at(math.floor(maps.camera.pose.x), math.floor(maps.camera.pose.y))


def test_an_index_is_typed(screen: Screen, state: State) -> None:
    press(screen, "G")
    screen.frame(3)
    screen.io.add_input_characters_utf8("h.1.attn.qkv[99, 0]")
    screen.frame(2)
    press(screen, "Enter")
    screen.frame(2)
    assert screen.shows("h.1.attn.qkv is 12 x 576")
    state.map.typed = ""
    screen.frame(2)
    press(screen, "Escape")
    assert not state.map.going
    press(screen, "G")
    screen.frame(3)
    screen.io.add_input_characters_utf8("h.1.attn.pattern[2, 11, 7]")
    screen.frame(2)
    press(screen, "Enter")
    screen.frame(2)
    assert not state.map.going
    assert state.inspection.cursor == TensorIndex("h.1.attn.pattern", (2, 11, 7))
    assert at_center(state.map) == ("h.1.attn.pattern", 2 * WINDOW + 11, 7)
    texts = [label.text for label in state.map.labels.made.labels]
    for row in (11, 7):
        token = context_token(state, row)
        assert token is not None
        assert quoted(token[1]) in texts, "a token is missing on one side of a pattern"


def test_a_part_of_the_model_is_typed_by_its_title(screen: Screen, state: State) -> None:
    navigation.go(state, " h.5 ")
    region = next(region for region in state.map.layout.regions if region.title == "h.5")  # type: ignore[union-attr]
    assert state.map.camera.pose.x == pytest.approx(region.x + region.width / 2)


def test_the_tensor_list_frames_a_tensor_in_the_current_view(screen: Screen, state: State) -> None:
    navigation.show(state, TensorIndex("h.6.attn.c_attn.weight"))
    box = state.map.layout.placements["h.6.attn.c_attn.weight"]  # type: ignore[union-attr]
    assert state.map.camera.pose.x == pytest.approx(box.x + box.width / 2)
    assert state.camera.zoom == 1


def test_the_minimap_moves_the_camera(screen: Screen, state: State) -> None:
    maps = state.map
    assert "minimap" not in screen.centers, "nothing is outside the view"
    maps.go(TensorIndex("wte", (7, 7)))
    screen.frame(2)
    screen.click("minimap")
    assert maps.layout is not None
    assert maps.camera.pose.x == pytest.approx(maps.layout.width / 2, abs=maps.layout.width / 50)
    press(screen, "Shift+M")
    screen.frame()
    assert "minimap" not in screen.centers


def test_a_new_context_keeps_the_visible_part(screen: Screen, state: State) -> None:
    maps = state.map
    target = TensorIndex("h.5.attn.c_proj.weight", (100, 33))
    maps.go(target)
    maps.go(TensorIndex("h.7.mlp.c_proj", (3, 3)))
    assert maps.registry is not None
    maps.lay_out(maps.registry, map_layout(maps.registry, 128))
    assert at_center(maps) == ("h.7.mlp.c_proj", 3, 3)
    maps.back()
    assert maps.layout is not None
    assert at_center(maps) == (target.name, *row_and_column(target, maps.layout.context))


@pytest.mark.parametrize("ago", [0.0, GLOW / 2, GLOW, math.inf])
def test_glow_and_pins_are_drawn_at_every_zoom(screen: Screen, state: State, ago: float) -> None:
    state.map.changed, state.map.changed_ago = (3, ROWS), ago
    state.inspection.pin(TensorIndex("h.1.attn.pattern", (2, 11, 7)))
    state.inspection.pin(TensorIndex("h.1.ln_1", (ROWS, 0)))  # not in the latest pass
    for cell in (0.05, 1, 20, 100):
        state.map.go(TensorIndex("h.1.attn.pattern", (2, 11, 7)))
        state.map.zoom_by(500 * math.log2(cell / state.map.cell))
        screen.frame(2)


def test_the_panel_says_why_there_is_no_map(screen: Screen, state: State) -> None:
    state.map.layout, state.map.problem = None, "a map of 3e10 values is too large"
    screen.frame(2)
    assert screen.shows("too large")
    navigation.go(state, "wte[3, 3]")
    assert state.map.wanted == TensorIndex("wte", (3, 3))


def test_tools_that_do_not_fit_are_in_a_popup(screen: Screen, state: State) -> None:
    assert {"##palette", "Go to##map", "auto"} <= set(widget_tracking.rects)
    assert "...##map tools" not in widget_tracking.rects
    tools = {
        identity: rect.top
        for identity, rect in widget_tracking.rects.items()
        if identity in ("<##map back", "auto", "Fit##map")
    }
    state.ui.zoom = 2.0
    screen.frame(4)
    assert "auto" not in widget_tracking.rects
    assert "Fit##map" in widget_tracking.rects
    screen.click("...##map tools")
    screen.frame(2)
    assert {"##palette", "Go to##map", "auto"} <= set(widget_tracking.rects)
    assert state.inspection.mapping.high is None
    screen.click("auto")
    assert state.inspection.mapping.high is not None
    assert max(tools.values()) - min(tools.values()) < theme.em(1)
