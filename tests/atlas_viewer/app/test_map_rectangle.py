"""A rectangle is drawn over a tensor on Map with Shift and the mouse, and edited."""

from __future__ import annotations

import pytest
from imgui_bundle import imgui

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.navigation import open_map
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.panels.formula_view import view_of
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device
from compute.gpu.wgpu_native import poll
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model

pytestmark = [pytest.mark.gpu, pytest.mark.slow]

PROMPT = "Once upon a time, there was a"


def test_a_rectangle_is_drawn_with_shift_and_set_to_zero() -> None:
    runner = ModelRunner.load(open_model("stories"), load_tokenizer(), LoadOptions(context=64))
    options = GenerateOptions(max_new_tokens=2, temperature=0, context=64)
    generation = runner.start(PROMPT, options)
    generation.run()
    canvas = open_picture((1280, 720))
    state = State(PROMPT, options, live=False)
    viewer = Viewer(canvas, shared_device(), state, None)
    viewer.show(runner, generation, PROMPT)
    open_map(state)

    def draw(count: int = 4) -> None:
        for _ in range(count):
            canvas.draw()
            if viewer.failure is not None:
                raise viewer.failure
            poll(shared_device(), wait=True)

    draw(40)
    state.map.frame("h.3.resid_post")
    draw(60)
    pose = state.map.camera.pose
    view = view_of(state)
    assert view is not None
    corners = [view.cell(TensorIndex("h.3.resid_post", index)) for index in ((2, 50), (4, 70))]
    (left, top, right, bottom), (low, high, end, foot) = (corner or (0.0,) * 4 for corner in corners)
    imgui.get_io().add_key_event(imgui.Key.mod_shift, True)
    for x, y, down in (
        ((left + right) / 2, (top + bottom) / 2, None), (0, 0, True), ((low + end) / 2, (high + foot) / 2, None),
    ):  # fmt: skip
        if down is None:
            imgui.get_io().add_mouse_pos_event(x, y)
        else:
            imgui.get_io().add_mouse_button_event(0, down)
        draw()
    assert "marked rectangle" in widget_tracking.rects
    imgui.get_io().add_mouse_button_event(0, False)
    draw()
    imgui.get_io().add_key_event(imgui.Key.mod_shift, False)
    draw()
    assert state.map.camera.pose == pose, "Map stays where it is"
    imgui.get_io().add_mouse_pos_event(*widget_tracking.rects["edit Zero"].center)
    draw()
    for down in (True, False):
        imgui.get_io().add_mouse_button_event(0, down)
        draw()
    draw(40)
    (edit,) = map(str, state.edits.active)
    assert edit == "h.3.resid_post[2:5, 50:71] = 0"
    assert [str(one) for one in runner.engine.edits] == [edit]
    assert "marked edited on map" in widget_tracking.rects
    assert "marked rectangle" not in widget_tracking.rects
    canvas.close()
    runner.close()
