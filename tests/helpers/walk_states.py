"""A state with a paused run on Map, without a GPU, for tests of walks and the slow motion."""

from __future__ import annotations

from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, State
from compute.sampling.options import GenerateOptions
from compute.views.map_layout import map_layout

from helpers.fake_generation import fake_step
from helpers.fake_tensor_reader import FakeObserver
from helpers.map_registry import STORIES, registry

MODEL = ModelSummary("fake", 8, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter", 0)
ROWS, WINDOW = 12, 32
PANELS = {name: name for name in ("Logits", "Sampling", "Generated tokens", "Attention")}


def paused_state() -> State:
    """The state: 3 tokens of a prompt and 9 generated ones have been read, and Map is in front."""
    options = GenerateOptions(max_new_tokens=16)
    run = Run("Once upon a", options, [(1, "Once"), (2, " upon"), (3, " a")], [fake_step(i) for i in range(9)])
    run.done, run.stop_reason = True, "paused"
    made = State("Once upon a", options, model=MODEL, run=run)
    known = registry(STORIES, 256)
    known.rows = ROWS
    made.inspection.tensors = {tensor.name: TensorInfo.of(known, tensor) for tensor in known}
    made.inspection.rows = ROWS
    made.map.size = (800, 450)
    made.map.lay_out(known, map_layout(known, WINDOW))
    made.palettes = FakeObserver.palettes
    made.ui.shown = {"Map"}
    return made
