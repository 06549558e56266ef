"""The map in the viewer on the real engine: loaded when visible, drawn when it changes, without waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import wgpu

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.model_switch import ModelSwitch
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.scene.glyphs import digit_glyphs
from atlas_viewer.state import navigation
from atlas_viewer.state.map_camera import CameraPose
from atlas_viewer.state.map_state import MapState
from atlas_viewer.state.protocols import MapSource, ModelLike
from atlas_viewer.state.requests import Generate, OpenModel
from atlas_viewer.state.state import State
from atlas_viewer.state.view_colors import view_colors
from atlas_viewer.ui import widget_tracking
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device
from compute.gpu.loading import Loading
from compute.gpu.wgpu_native import Dispatch
from compute.models.config import ModelConfig
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer
from compute.views import map_pass
from compute.views.map_pass import MapPass
from compute.views.palettes import CANVASES
from compute.views.strip import StripPass
from compute.weights.checkpoint import open_model

from helpers.make_models import tiny_model
from helpers.patience import wait_until

pytestmark = pytest.mark.gpu

SMALL = ModelConfig(layers=4, heads=5, channels=80, positions=64, vocabulary=50257, padded_vocabulary=50304)
SMALLER = ModelConfig(layers=2, heads=2, channels=24, positions=64, vocabulary=50257, padded_vocabulary=50304)


class Window:
    """The viewer on a canvas in memory, with counts of the GPU work it submits."""

    def __init__(self, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.source = open_model("stories")
        self.tokenizer = tokenizer
        runner = ModelRunner.load(self.source, tokenizer, LoadOptions(context=64))
        options = GenerateOptions(max_new_tokens=6, context=64, temperature=0.0)
        self.counts = {"open": 0, "update": 0, "draw": 0, "paint": 0}
        for owner, method, name in (
            (ModelRunner, "loading_map", "open"), (MapPass, "update", "update"), (MapPass, "draw", "draw"),
            (StripPass, "update", "paint"),
        ):  # fmt: skip
            self._count(monkeypatch, owner, method, name)
        self.canvas = open_picture((640, 400))
        self.state = State("Once upon a time", options)
        self.state.ui.view = navigation.ATLAS  # Map is loaded when it comes to the front
        self.viewer = Viewer(self.canvas, shared_device(), self.state, None)
        self.viewer.show(runner, runner.start(self.state.prompt, options), self.state.prompt)

    def _count(self, monkeypatch: pytest.MonkeyPatch, owner: Any, method: str, name: str) -> None:
        real = getattr(owner, method)

        def call(*arguments: Any, **named: Any) -> Any:
            self.counts[name] += 1
            return real(*arguments, **named)

        monkeypatch.setattr(owner, method, call)

    def switch(self, config: ModelConfig) -> None:
        """Request another model, and draw until its first run has ended."""

        def opening(_: str) -> Loading[ModelLike]:
            return (yield from ModelRunner.loading(tiny_model(config), self.tokenizer, LoadOptions(context=64)))

        self.viewer.switch = ModelSwitch(self.state, opening)
        self.state.requests.append(OpenModel("another"))
        before = self.runner
        while self.runner is before:
            self.frame()
            assert self.state.messages == []
        self.settle()

    @property
    def runner(self) -> MapSource:
        assert self.viewer.controller is not None
        source = self.viewer.controller.model.map_source
        assert source is not None
        return source

    def frame(self) -> np.ndarray:
        self.image = np.asarray(self.canvas.draw())
        if self.viewer.failure is not None:
            raise self.viewer.failure
        return self.image

    def settle(self) -> np.ndarray:
        """Draw until no more frames are needed; returns the last."""
        for _ in range(5):  # bringing a tab to the front takes some frames, which an event would cause
            self.frame()
        wait_until(lambda: not self.viewer._wants_frames(time.perf_counter() + 1), "frames end", meanwhile=self.frame)
        return self.image


@pytest.fixture
def window(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Window]:
    opened = Window(tokenizer, monkeypatch)
    yield opened
    opened.canvas.close()
    opened.source.close()


def test_the_map_is_loaded_when_visible_and_drawn_when_it_changes(window: Window) -> None:
    state, counts = window.state, window.counts
    window.settle()
    assert counts["open"] == counts["update"] == counts["draw"] == 0
    navigation.open_map(state)
    image = window.settle()
    rect = widget_tracking.rects["map"]
    pixels = image[round(rect.top) : round(rect.bottom), round(rect.left) : round(rect.right), :3]
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 400
    assert (pixels == np.rint(255 * np.array(CANVASES["dark"].ground))).all(-1).mean() > 0.1
    assert counts["open"] == 1
    drawn = dict(counts)
    for _ in range(5):
        window.frame()
    assert counts == drawn, "an idle frame draws nothing"
    state.map.zoom_by(500)
    window.settle()
    assert counts == drawn | {"draw": drawn["draw"] + 1}
    state.requests.append(Generate("There was a dog", state.options))
    window.frame()
    window.settle()
    assert state.run is not None
    assert state.run.prompt == "There was a dog"
    assert counts["open"] == 1
    assert counts["update"] > drawn["update"]
    assert counts["paint"] == drawn["paint"], "the strip is hidden"
    mean = state.current_distribution.logits.mean()  # type: ignore[union-attr]
    assert state.map.logits.mean == pytest.approx(mean, 1e-5)  # type: ignore[union-attr]
    assert state.inspection.rows == len(state.run.prompt_tokens) + 5
    state.ui.front = "Atlas"
    window.settle()
    assert counts["paint"] > drawn["paint"]
    before = dict(counts)
    state.map.zoom_by(500)
    window.settle()
    assert counts == before, "the map is hidden"


def test_the_map_is_loaded_in_steps_between_frames(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_pass, "_SLICE", {"texture": 1 << 20, "buffer": 1 << 20})
    submits: list[list[Dispatch]] = []
    submit = map_pass._submit

    def counted(device: wgpu.GPUDevice, work: list[Dispatch], timer: None = None) -> None:
        submits.append(work)
        submit(device, work, timer)

    monkeypatch.setattr(map_pass, "_submit", counted)
    state = window.state
    window.settle()
    navigation.open_map(state)
    seen: list[tuple[str, float]] = []
    pipelines: set[object] = set()
    while state.map.layout is None:
        window.frame()
        work = [dispatch for part in submits for dispatch in part]
        if state.map.preparing is not None:
            seen.append(state.map.preparing)
            assert len(submits) <= 1
            assert len({dispatch.pipeline for dispatch in work} - pipelines) <= 1, "one pipeline per frame"
            assert len(work) == 1 or sum(dispatch.cost for dispatch in work) <= 1 << 20
        pipelines.update(dispatch.pipeline for dispatch in work)
        submits.clear()
        assert len(seen) < 2000
    assert list(dict.fromkeys(what for what, _ in seen)) == ["layout", "weights", "activations", "pictures"]
    for what in ("weights", "activations"):
        parts = [done for step, done in seen if step == what]
        assert parts == sorted(parts)
        assert len(set(parts)) >= {"weights": 5, "activations": 2}[what]
        assert parts[-1] == 1
    assert state.map.preparing is None
    window.settle()
    state.map.camera.look_at(1e9, 100, 100, *state.map.size)
    window.settle()
    assert {dispatch.pipeline for part in submits for dispatch in part} <= pipelines, "every pipeline exists already"


def test_a_hidden_map_is_loaded_no_further(window: Window) -> None:
    state = window.state
    window.settle()
    navigation.open_map(state)
    while state.map.preparing is None:
        window.frame()
    state.ui.front = "Atlas"
    for _ in range(3):
        window.frame()
    stopped = state.map.preparing
    assert stopped is not None
    window.settle()
    assert state.map.preparing == stopped
    navigation.open_map(state)
    window.settle()
    assert state.map.layout is not None
    assert window.counts["open"] == 1


def centered(maps: MapState, pose: CameraPose) -> tuple[int, int] | None:
    """The corner of the cell at the center of a pose."""
    assert maps.layout is not None
    found = maps.layout.cell_at(int(pose.x), int(pose.y))
    return None if found is None else maps.layout.cell_of(*found)


def test_the_map_shows_the_same_place_of_another_model(window: Window) -> None:
    state = window.state
    navigation.open_map(state)
    state.ui.tables, state.ui.minimap = True, False
    window.settle()
    target = TensorIndex("h.3.attn.pattern", (1, 3, 1))
    navigation.visit(state, TensorIndex("wte", (20_000, 100)))
    navigation.visit(state, target)
    state.inspection.pin(TensorIndex("h.7.mlp.gelu", (0, 5)))
    window.settle()
    cell = state.map.cell
    for config, kept, earlier in (
        (SMALL, TensorIndex("h.3.attn.pattern", (1, 3, 1)), TensorIndex("wte", (20_000, 79))),
        (SMALLER, TensorIndex("h.1.attn.pattern", (1, 3, 1)), TensorIndex("wte", (20_000, 23))),
    ):
        window.switch(config)
        layout, registry = state.map.layout, window.runner.registry
        assert state.map.registry is registry
        assert layout is not None
        assert set(layout.placements) == {tensor.name for tensor in registry}
        pose = state.map.camera.pose
        assert centered(state.map, pose) == state.map.cell_of(kept)
        assert state.map.cell == pytest.approx(cell)
        image = window.settle()
        assert state.messages == []
        # The picture equals one from a separate map of the new model at the same camera.
        passes = MapPass.load(window.runner._engine, digit_glyphs(), layout)  # type: ignore[attr-defined]
        passes.set_color_mapping(view_colors(state))
        passes.update()
        passes.draw(state.map.view, *state.map.size)
        rect = widget_tracking.rects["map"]
        shown = image[round(rect.top) : round(rect.bottom), round(rect.left) : round(rect.right), :3]
        same = (shown == passes.read()[..., :3]).all(-1)
        assert same.mean() > 0.15  # rulers, labels and outlines cover the rest of the small picture
        navigation.visit(state, kept)
        window.settle()
        assert state.inspection.probed_values
        pose = state.map.view_history.poses[1]
        assert centered(state.map, pose) == state.map.cell_of(earlier), "the view history is kept, too"
        navigation.visit(state, kept)
    navigation.fit(state)
    window.switch(SMALL)
    assert state.map.camera.pose.zoom == 1
    assert state.map.camera.width == state.map.layout.width  # type: ignore[union-attr]


def test_a_map_that_exceeds_the_memory_is_reported_and_runs_continue(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = window.state
    window.settle()
    monkeypatch.setattr(map_pass, "free_bytes", lambda _adapter, _used: 10_000_000)
    navigation.open_map(state)
    window.settle()
    assert window.counts["open"] == 1
    assert state.map.layout is None
    assert state.map.problem == (
        "the map needs 14.1 MB of GPU memory beside the model, 10.0 MB are available:"
        " use a shorter context (context=) or a smaller model"
    )
    state.requests.append(Generate("There was a dog", state.options))
    window.frame()
    window.settle()
    assert state.run is not None
    assert len(state.run.steps) == 6
    assert not state.messages
    assert window.counts["open"] == 2, "it is tried once per run"
    assert state.map.problem
    monkeypatch.setattr(map_pass, "free_bytes", lambda _adapter, _used: None)
    state.requests.append(Generate("There was a cat", state.options))
    window.frame()
    window.settle()
    assert state.map.layout is not None
    assert state.map.problem == ""


def test_a_longer_context_loads_another_map_and_keeps_the_view(window: Window) -> None:
    state = window.state
    navigation.open_map(state)
    window.settle()
    target = TensorIndex("h.3.mlp.c_fc.weight", (100, 50))
    navigation.visit(state, target)
    window.settle()
    assert state.inspection.probed_values[target].value != 0
    layout, cell = state.map.layout, state.map.cell
    assert layout is not None
    text = " and".join(["Once upon a time"] + [" there was a little girl"] * 14)
    state.requests.append(Generate(text, GenerateOptions(max_new_tokens=4, context=300, temperature=0.0)))
    window.frame()
    window.settle()
    assert window.counts["open"] == 2
    assert state.map.layout is not None
    assert state.map.layout.context > layout.context
    pose = state.map.camera.pose
    assert centered(state.map, pose) == state.map.cell_of(target)
    assert state.map.cell == pytest.approx(cell)
    assert state.map.registry is window.runner.registry


def test_rows_glow_only_after_they_are_written(window: Window) -> None:
    state = window.state
    navigation.open_map(state)
    window.settle()
    state.ui.glow = False
    state.requests.append(Generate("There was a dog", state.options))
    window.frame()
    while state.busy:
        window.frame()
        assert state.map.changed_ago >= 1.0
    state.ui.glow = True
    state.requests.append(Generate("There was a cat", state.options))
    glowed = 0

    def frame() -> None:
        nonlocal glowed
        window.frame()
        if state.map.changed_ago < 1.0:
            glowed += 1
            first, end = state.map.changed
            assert 0 <= first < end <= state.map.layout.context  # type: ignore[union-attr]

    frame()
    wait_until(lambda: not window.viewer._wants_frames(time.perf_counter()), "frames end", meanwhile=frame)
    assert glowed > 0
    assert state.map.changed_ago >= 1.0
