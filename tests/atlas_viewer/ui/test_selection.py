"""The mouse over ten kinds of elements, and what every view highlights for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.app.model_switch import forget_runs
from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.map_addresses import row_and_column
from atlas_viewer.state.runs import Run
from atlas_viewer.state.selecting import describe
from atlas_viewer.state.selection import NOTHING, Selection
from atlas_viewer.state.state import ModelSummary, PromptTokens, State
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.panels import picture_marks
from atlas_viewer.ui.services import Services
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.views.map_layout import map_layout
from compute.views.strip_layout import strip_layout
from compute.views.strip_sheet import strip_sheet

from helpers.fake_generation import FakeTokenizer, fake_step
from helpers.map_registry import STORIES, registry
from helpers.screen import Screen, context, press

__all__ = ["context"]

MODEL = ModelSummary("fake", STORIES.layers, STORIES.heads, STORIES.channels, 512, 50257, 13_306_944, "bf16", "adapter")
PROMPT = "Once upon a"
TOKENS = ((1, "Once"), (2, " upon"), (3, " a"))
STEPS, ROWS, CONTEXT = 9, 12, 32
D = STORIES.head_size


@pytest.fixture
def state() -> State:
    options = GenerateOptions(max_new_tokens=16)
    steps = [fake_step(i) for i in range(STEPS)]
    run = Run(PROMPT, options, TOKENS, steps, "".join(step.text for step in steps), done=True)
    made = State(PROMPT, options, model=MODEL, run=run, prompt_tokens=PromptTokens(PROMPT, TOKENS))
    known = registry(STORIES, 256)
    known.rows = ROWS
    layout = strip_layout(known)
    spans = {span.name: span for span in layout.spans}
    made.inspection.tensors = {tensor.name: TensorInfo.of(known, tensor, spans.get(tensor.name)) for tensor in known}
    made.inspection.rows, made.inspection.layout = ROWS, layout
    sheet = strip_sheet(layout, lambda name: made.inspection.tensors[name].section)
    made.strip.lay_out(sheet, made.camera)
    made.map.lay_out(known, map_layout(known, CONTEXT))
    made.palettes = ("demo",)
    return made


class Window(Screen):
    """A window of all panels, with the boxes that the selection last drew over the picture in front."""

    boxes: np.ndarray = np.zeros((0, 4))

    def to_front(self, panel: str) -> None:
        self.state.ui.front = panel
        self.frame(3)

    @property
    def marked(self) -> set[str]:
        """Ids of what the selection highlights outside the pictures."""
        return {name.removeprefix("marked ") for name in widget_tracking.rects if name.startswith("marked ")}

    def covers(self, point: ImVec2) -> bool:
        """True when a box of the picture in front contains the point."""
        boxes = self.boxes
        inside = (boxes[:, 0] <= point.x) & (point.x <= boxes[:, 2])
        return bool((inside & (boxes[:, 1] <= point.y) & (point.y <= boxes[:, 3])).any())

    def on_map(self, target: TensorIndex) -> ImVec2:
        maps, picture = self.state.map, widget_tracking.rects["map"]
        assert maps.layout is not None
        placement = maps.layout.placements[target.name]
        x, y = placement.cell_of(*row_and_column(target, CONTEXT))
        px, py = maps.view.pixel_at(x + placement.cell_width / 2, y + placement.cell_height / 2)
        return ImVec2(picture.left + px, picture.top + py)

    def on_strip(self, target: TensorIndex) -> ImVec2:
        picture, view = widget_tracking.rects["picture"], self.state.strip.camera.view
        cell = self.state.inspection.cell_of(target)
        assert cell is not None
        position = self.state.strip.sheet.position_of(cell)
        assert position is not None
        pixels = (picture.right - picture.left) / view.width
        return ImVec2(
            picture.left + (position[0] + 0.5 - view.x) * pixels, picture.top + (position[1] + 0.5 - view.y) * pixels
        )


@pytest.fixture
def window(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Window:
    original = picture_marks.outlines

    def heard(shown: State, boxes: Any) -> None:
        Window.boxes = boxes
        original(shown, boxes)

    monkeypatch.setattr(picture_marks, "outlines", heard)
    pictures = Services(strip=imgui.ImTextureRef(1), map=imgui.ImTextureRef(1), tokenizer=FakeTokenizer("<{}>"))
    made = Window(state, monkeypatch, pictures)
    for panel in ("Map", "Prompt", "Generated tokens", "Logits", "Output"):
        made.to_front(panel)
    return made


@dataclass(frozen=True)
class Case:
    """An element to point at, and what must then be highlighted.

    at: an id of a widget, or a value on Map or Strip. marked, plain: ids that are and are not highlighted in text,
    chips, prompt tokens, logits and tensor list. lit, dark: values that are and are not highlighted on both pictures.
    """

    at: str | TensorIndex
    view: str = "Map"
    marked: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    lit: tuple[TensorIndex, ...] = ()
    dark: tuple[TensorIndex, ...] = ()


def index(name: str, *position: int) -> TensorIndex:
    return TensorIndex(name, position)


# The token at position 5 is that of step 2, the third chip, with id 2000; position 1 is the second of the prompt.
FIFTH = ("chip2", "text5")
FIFTH_ROWS = (index("h.0.ln_1", 5, 3), index("h.6.mlp.gelu", 5, 700), index("embed.sum", 5, 0))
OTHER_ROWS = (index("h.0.ln_1", 4, 3), index("h.6.mlp.gelu", 8, 700))
HEAD = (index("h.3.attn.qkv", 0, 2 * D + 1), index("h.3.attn.out", 9, 2 * D + 5))
CASES = {
    "a chip": Case("chip2", marked=FIFTH, plain=("chip3", "token1"), lit=FIFTH_ROWS, dark=OTHER_ROWS),
    "a prompt token": Case(
        "token1", marked=("token1", "text1"), plain=("chip1", "token0"), lit=(index("h.2.ln_2", 1, 9),),
        dark=(index("h.2.ln_2", 2, 9),),
    ),
    "a word of the output": Case("word", marked=FIFTH, plain=("chip1",), lit=FIFTH_ROWS, dark=OTHER_ROWS),
    "a row of the logits table": Case(
        "token 8000", marked=("token 8000", "chip8", "text11"), plain=("chip2", "token 8001"),
    ),
    "a tensor of the list": Case("h.3.attn.out", marked=("h.3.attn.out",), plain=("h.3.attn.qkv", "chip2")),
    "an activation on Map": Case(
        index("h.3.attn.out", 5, 2 * D + 5), marked=FIFTH, plain=("chip3",), lit=(*FIFTH_ROWS, *HEAD),
        dark=(*OTHER_ROWS, index("h.2.attn.out", 9, 2 * D + 5), index("h.3.attn.out", 9, 3 * D + 5)),
    ),
    "an activation on Strip": Case(
        index("h.1.resid_mid", 5, 17), view="Atlas", marked=FIFTH, plain=("chip3",), lit=FIFTH_ROWS, dark=OTHER_ROWS,
    ),
    "an attention weight": Case(
        index("h.3.attn.pattern", 2, 5, 1), marked=(*FIFTH, "token1", "text1"), plain=("chip3", "token0"),
        lit=(*FIFTH_ROWS, *HEAD), dark=OTHER_ROWS,
    ),
    "a weight of a head": Case(
        index("h.3.attn.c_attn.weight", 2 * D + 3, 40), plain=("chip2",), lit=HEAD,
        dark=(index("h.3.attn.out", 9, 3 * D + 5), index("h.4.attn.out", 9, 2 * D + 5)),
    ),
    "a hidden neuron": Case(
        index("h.4.mlp.gelu", 5, 300), marked=FIFTH, plain=("chip3",),
        lit=(index("h.4.mlp.c_fc", 9, 300), index("h.4.mlp.c_fc.bias", 300)), dark=(index("h.5.mlp.c_fc", 9, 300),),
    ),
    "a channel": Case(
        index("h.2.resid_mid", 5, 17), marked=FIFTH, plain=("chip3",),
        lit=(index("h.6.resid_post", 9, 17), index("wte", 30, 17), index("h.0.ln_1.weight", 17)),
        dark=(index("h.6.resid_post", 9, 19),),
    ),
    "a row of the token embedding": Case(
        index("wte", 2000, 17), marked=("chip2", "text5"), plain=("chip3",), lit=(index("logits", 2000),),
        dark=(index("logits", 2040),),
    ),
}  # fmt: skip


def point_at(window: Window, case: Case) -> None:
    """Move the mouse to the element of a case, after bringing its panel to the front."""
    window.to_front(case.view)
    if isinstance(case.at, TensorIndex):
        if case.view == "Map":
            window.state.map.go(case.at)  # close enough for the mouse to be on this very value
            window.frame(2)
        where = (window.on_map if case.view == "Map" else window.on_strip)(case.at)
        window.point(ImVec2(round(where.x), round(where.y)))
        return
    if case.at == "word":
        # The mark that a selection leaves shows where the word is.
        window.state.selected = Selection(position=5)
        window.frame(2)
        where = window.centers["marked text5"]
        window.state.selected = NOTHING
        window.point(where)
        return
    if case.at not in window.centers:
        window.to_front("Tensors")
        window.state.inspection.search = case.at
        window.frame(3)
    window.point(window.centers[case.at])


@pytest.mark.parametrize("name", CASES)
def test_pointing_at_an_element_highlights_it_in_all_views(window: Window, state: State, name: str) -> None:
    case = CASES[name]
    point_at(window, case)
    window.frame()  # the line is above the panels, and drawn before them
    assert state.hovered
    assert window.shows(describe(state, state.hovered))
    assert set(case.marked) <= window.marked
    assert not set(case.plain) & window.marked
    hovered = state.hovered
    # The pictures, one after the other, at a zoom that shows everything.
    window.point(ImVec2(1, 1))
    state.selected = hovered
    for view, place in (("Map", window.on_map), ("Atlas", window.on_strip)):
        window.to_front(view)
        state.map.fit()
        for lit, targets in ((True, case.lit), (False, case.dark)):
            for target in targets:
                if view == "Map":
                    state.map.go(target)
                elif target.name == "wte" or (not lit and state.inspection.tensors[target.name].count > 4000):
                    continue  # it is not on Strip, or a cell there also shows values beside it
                window.frame(3)
                assert window.covers(place(target)) == lit, f"{target} on {view}"


def test_a_click_stays_until_escape_or_a_click_on_empty_space(window: Window, state: State) -> None:
    target = index("h.3.attn.out", 5, 70)
    point_at(window, Case(target))
    for down in (True, False):
        window.io.add_mouse_button_event(0, down)
        window.frame()
    window.point(ImVec2(1, 1))
    assert state.selected == Selection(5, 3, 2, None, target)
    assert state.highlight == state.selected
    assert window.shows(f'token 5 "{state.run.steps[2].text}" · layer 3 · head 2 · h.3.attn.out[5, 70]')  # type: ignore[union-attr]
    press(window, "Escape")
    assert state.selected == NOTHING
    assert not window.marked
    state.selected = Selection(position=5)
    state.map.fit()
    window.frame(3)
    picture = widget_tracking.rects["map"]
    window.point(ImVec2(picture.left + 3, picture.top + 3))  # between tensors
    for down in (True, False):
        window.io.add_mouse_button_event(0, down)
        window.frame()
    assert state.selected == NOTHING


def test_a_pin_is_selected_once_and_then_leaves_other_selections_alone(window: Window, state: State) -> None:
    target = index("h.3.attn.out", 5, 70)
    state.inspection.pin(target)
    window.frame(2)
    assert state.selected.element == target
    state.selected = Selection(position=1)
    point_at(window, Case(index("h.2.ln_1", 3, 3)))
    assert state.hovered.position == 3
    window.point(ImVec2(1, 1))
    assert state.highlight == state.selected == Selection(position=1)
    state.inspection.point_at(index("h.4.ln_2", 2, 2))  # as by name
    window.frame(2)
    assert (state.selected.position, state.selected.layer, state.selected.channel) == (2, 4, 2)


def test_keys_move_the_selection(window: Window, state: State) -> None:
    press(window, "Ctrl+Left")
    assert state.selected == Selection(position=11, token=8000)
    press(window, "Ctrl+Left")
    assert state.selected.position == 10
    press(window, "Ctrl+Right")
    press(window, "Ctrl+Right")
    assert state.selected.position == 11  # there is no later one
    press(window, "Ctrl+Down")
    press(window, "Ctrl+Down")
    press(window, "H")
    assert (state.selected.layer, state.selected.head) == (1, 0)
    press(window, "Shift+H")
    assert state.selected.head == STORIES.heads - 1
    press(window, "Ctrl+Up")
    assert (state.selected.position, state.selected.layer) == (11, 0)
    assert {"chip8", "text11", "token 8000"} <= window.marked


@pytest.mark.parametrize("view", ["Map", "Atlas"])
def test_only_a_selected_token_dims_the_picture_wherever_the_mouse_is(
    window: Window, state: State, monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    bright: list[Any] = []
    original = picture_marks.image

    def heard(*arguments: Any) -> None:
        bright[:] = arguments[-1:]
        original(*arguments)

    monkeypatch.setattr(picture_marks, "image", heard)
    window.to_front(view)
    window.point(ImVec2(1, 1))
    for selection in (Selection(layer=2, head=1), Selection(position=5, element=index("h.0.ln_1", 5, 3)), NOTHING):
        state.selected = selection
        window.frame(2)
        assert bright == [None]
    state.selected = Selection(position=5)
    window.frame(2)
    rows = bright[0]
    assert len(rows) > 50
    window.point(window.centers["chip1"])  # the mouse is over another token
    assert state.highlight.position == 4
    assert np.array_equal(bright[0], rows)
    assert not np.array_equal(window.boxes, rows)
    if view == "Map":
        state.map.go(index("wte", 9, 9))  # nothing of the token is in sight
        window.frame(2)
        assert bright[0] is not None
        assert not len(bright[0])
    state.selected = Selection(position=99)
    window.frame(2)
    assert bright == [None]  # the token is not in the pass


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        (Selection(position=3), "it has left the context: this pass sees tokens 7 to 18"),
        (Selection(position=19), "this pass predicts it in the row of token 18; it has no row of its own yet"),
        (Selection(position=20), "it comes later: this pass sees tokens 7 to 18"),
        (Selection(position=40), "the text on screen has no such token: this pass sees tokens 7 to 18"),
        (Selection(position=9, layer=99), "this model has only 8 layers"),
        (Selection(head=99), "this model has only 6 heads"),
        (Selection(element=TensorIndex("h.0.mlp.up")), "this model has no such tensor"),
        (Selection(position=9), ""),
    ],
)
def test_a_selection_without_highlights_is_explained(
    window: Window, state: State, selection: Selection, reason: str
) -> None:
    assert state.run is not None
    state.run.steps = [fake_step(i) for i in range(18)]
    state.inspection.first_position = 7
    state.selected = selection
    window.point(ImVec2(1, 1))
    assert describe(state, selection).endswith(reason)
    assert window.shows(describe(state, selection))
    assert bool(len(window.boxes)) == (not reason or selection.position == 19 or selection.layer == 99)


def test_another_model_starts_without_a_selection(window: Window, state: State) -> None:
    state.selected, state.logits.ladder = Selection(position=5), 2000
    window.frame(2)
    forget_runs(state, 256)
    window.frame(2)
    assert (state.selected, state.highlight, state.logits.ladder) == (NOTHING, NOTHING, None)
    assert not window.marked
