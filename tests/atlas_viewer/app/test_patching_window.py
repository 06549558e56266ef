"""The Patching panel of a real model, drawn as in the window: from the fields to an edit that changes the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state import patching_actions
from atlas_viewer.state.navigation import open_patching
from atlas_viewer.state.patching_view import ABLATE, MapResult
from atlas_viewer.state.state import State
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device
from compute.gpu.wgpu_native import poll
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model

pytestmark = pytest.mark.gpu

PROMPT = "One day, Tom had a red ball and a very big cat. Then"


class Window:
    """A viewer of `stories` after a token, with Patching in front."""

    def __init__(self) -> None:
        runner = ModelRunner.load(open_model("stories"), load_tokenizer(), LoadOptions(context=64))
        options = GenerateOptions(max_new_tokens=2, temperature=0, context=64)
        generation = runner.start(PROMPT, options)
        generation.run()
        self.canvas = open_picture((1280, 720))
        self.state = State(PROMPT, options, live=False)
        self.viewer = Viewer(self.canvas, shared_device(), self.state, None)
        self.viewer.show(runner, generation, PROMPT)
        open_patching(self.state)
        self.frames(4)

    def frames(self, count: int = 1) -> None:
        for _ in range(count):
            self.canvas.draw()
            if self.viewer.failure is not None:
                raise self.viewer.failure
            poll(shared_device(), wait=True)

    def computed(self) -> MapResult:
        """Compute what the fields ask for, as the button does."""
        view = self.state.patching
        self.frames(2)
        assert view.job is not None, view.error
        patching_actions.compute(self.state)
        for _ in range(5000):
            self.frames()
            if view.current and not view.busy:
                assert view.result is not None
                return view.result
        raise AssertionError(f"it never ends: {view}")


def test_an_ablated_head_becomes_an_edit_of_the_run(tmp_path: Path) -> None:
    window = Window()
    state, view = window.state, window.state.patching
    view.section, view.target, view.against = ABLATE, " Tom", " Ben"
    assert state.run is not None
    before = [step.token for step in state.run.steps]
    result = window.computed()
    assert result.values.shape == (8, 7)
    layer, head = np.unravel_index(np.nanargmin(result.values[:, :6]), (8, 6))
    assert (int(layer), int(head)) == (6, 3)
    assert result.values[6, 3] == pytest.approx(-5.27, abs=0.02)  # as in docs/edits.md
    assert [step.token for step in state.run.steps] == before  # the run on screen is as it was
    patching_actions.apply(state, result, (6, 3))
    window.frames(3)
    for _ in range(200):
        window.frames()
        if not state.busy and not state.requests:
            break
    assert window.viewer.controller is not None
    model = window.viewer.controller.model
    assert isinstance(model, ModelRunner)
    assert [str(edit) for edit in model.engine.edits] == ["h.6.attn.out[head=3] = 0"]
    logits = model.engine.read_logits()
    assert np.isfinite(logits).all()
    view.save = str(tmp_path / "map.svg")
    window.frames(2)
    assert (tmp_path / "map.svg").exists()
    assert not state.messages
