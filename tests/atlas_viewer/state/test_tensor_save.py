"""The words about tensors to save and their origin."""

from __future__ import annotations

import numpy as np

from atlas_viewer.state.tensor_save import TensorSave, listed, origin, pass_text, pass_tokens, selected_text
from compute.io.array_files import ArraySpec
from compute.io.size_text import size_text

from helpers.fake_generation import paused_state


def spec(name: str, *shape: int) -> ArraySpec:
    return ArraySpec(name, np.dtype(np.float32), shape)


def test_sizes() -> None:
    assert [size_text(n) for n in (0, 999, 1500, 2.5e6, 1234e9)] == [
        "0 bytes", "999 bytes", "1.5 kB", "2.5 MB", "1,234.0 GB"
    ]  # fmt: skip
    assert TensorSave().share == 0
    assert TensorSave(done=1, total=4).share == 0.25


def test_selected_tensors_in_one_line_and_in_a_list() -> None:
    assert selected_text([spec("a", 6, 5, 5)]) == "a [6, 5, 5], 600 bytes"
    many = [spec(f"t{n}", 25) for n in range(22)]
    assert selected_text(many).startswith("22 tensors, 2.2 kB: t0, t1, ")
    assert listed(many).splitlines()[0] == "t0 [25]"
    assert listed(many).splitlines()[-1] == "and 2 more"
    assert listed(many[:20]).splitlines()[-1] == "t19 [25]"
    assert listed([]) == ""


def test_the_origin_names_model_run_and_step() -> None:
    state = paused_state()
    assert state.model is not None
    assert state.run is not None
    assert pass_text(state.model, state.run, 2) == "step 3 of run 1, fake"
    assert pass_text(state.model, None, None) == "fake"
    found = origin(state.model, state.run, 2, 7)
    assert (found["model"], found["weights"], found["run"], found["step"]) == ("fake", "bf16", "1", "3")
    assert (found["prompt"], found["first_position"]) == ("Once upon a", "7")
    assert set(origin(state.model, None, None, 0)) == {"program", "model", "weights", "adapter"}


def test_the_tokens_of_a_pass_are_the_last_of_its_context() -> None:
    run = paused_state().run
    assert run is not None
    assert pass_tokens(run, 0, 1) == [1]
    assert pass_tokens(run, 2, 3) == [1, run.steps[0].token, run.steps[1].token]
    assert pass_tokens(run, 4, 2) == [run.steps[2].token, run.steps[3].token]
