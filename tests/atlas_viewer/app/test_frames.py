"""Frames of the viewer on the real engine: none waits for the GPU, and little data is read back."""

from __future__ import annotations

from typing import Any

import pytest

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.state import State
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate import generator
from compute.generate.generator import Generation
from compute.gpu import wgpu_native
from compute.gpu.device import shared_device
from compute.gpu.loading import Loading
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer
from compute.weights.checkpoint import open_model

pytestmark = pytest.mark.gpu


def test_no_frame_waits_for_the_gpu(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_model("stories")
    runner = ModelRunner.load(source, tokenizer, LoadOptions(context=64))
    options = GenerateOptions(max_new_tokens=12, context=64, temperature=0.0)
    state = State("Once upon a time", options)

    def loading() -> Loading[ModelRunner]:
        yield "weights", 1.0
        return runner

    viewer = Viewer(open_picture((640, 360)), shared_device(), state, loading())
    waits: list[str] = []

    def counted(owner: Any, name: str, what: str) -> None:
        real = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            if name != "poll" or named.get("wait"):
                waits.append(what)
            return real(*arguments, **named)

        monkeypatch.setattr(owner, name, call)

    counted(generator, "poll", "poll")
    counted(wgpu_native, "poll", "poll")
    counted(Engine, "read_logits", "logits")
    queue = type(shared_device().queue)
    counted(queue, "read_buffer", "buffer")
    counted(queue, "read_texture", "texture")
    for _ in range(2000):
        viewer.frame()  # called by the canvas, whose own readback of the picture a window does not have
        if viewer.failure is not None:
            raise viewer.failure
        if state.run is not None and state.run.done:
            break
    assert state.run is not None
    assert viewer.controller is not None
    assert (state.run.done, len(state.run.steps)) == (True, 12)
    assert waits == []
    viewer.controller.generation.step()  # type: ignore[union-attr]
    runner._engine.read_logits()
    assert {"logits", "buffer"} <= set(waits)  # the counters work
    source.close()


@pytest.mark.parametrize("top", [0, 8, 200])
def test_no_step_reads_back_more_than_64_kb(
    stories: Engine, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, top: int
) -> None:
    sizes: list[int] = []
    real = wgpu_native.Readback.read

    def read(readback: wgpu_native.Readback) -> bytes:
        data = real(readback)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(wgpu_native.Readback, "read", read)
    options = GenerateOptions(max_new_tokens=20, context=stories.context, temperature=0.0, top=top)
    Generation(stories, tokenizer, "Once upon a time", options).run()
    assert sizes
    assert max(sizes) <= 65536
