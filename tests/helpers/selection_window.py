"""A window of all panels on which a selection can be made, and what it highlights there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.map_addresses import row_and_column
from atlas_viewer.state.runs import Run
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
from helpers.screen import Screen

MODEL = ModelSummary("fake", STORIES.layers, STORIES.heads, STORIES.channels, 512, 50257, 13_306_944, "bf16", "adapter")
PROMPT = "Once upon a"
TOKENS = ((1, "Once"), (2, " upon"), (3, " a"))
STEPS, ROWS, CONTEXT = 9, 12, 32


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


def index(name: str, *position: int) -> TensorIndex:
    return TensorIndex(name, position)


def point_on_map(window: Window, target: TensorIndex) -> None:
    """Go to a value on Map, close enough for the mouse to be on this very value, and move the mouse there."""
    window.to_front("Map")
    window.state.map.go(target)
    window.frame(2)
    where = window.on_map(target)
    window.point(ImVec2(round(where.x), round(where.y)))
