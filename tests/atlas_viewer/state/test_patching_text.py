"""Maps of the Patching panel in words, as edits and as drawings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from atlas_viewer.media.svg import svg
from atlas_viewer.state import patching_actions, patching_text
from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.patching_drawing import map_drawing
from atlas_viewer.state.patching_view import ABLATE, Steering, SteerJob
from atlas_viewer.state.requests import ApplyEdits, Generate
from atlas_viewer.state.runs import Run
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import ModelSummary, State
from compute.edits.grammar import edit_of
from compute.edits.values import Array
from compute.lens.self_check import SelfCheck
from compute.sampling.options import GenerateOptions

from helpers.map_registry import STORIES, registry
from helpers.patching_results import TEXTS, WIDTH, map_job, map_result


@pytest.fixture
def state() -> State:
    made = State(TEXTS[0], GenerateOptions())
    made.model = ModelSummary("fake", 8, 6, WIDTH, 512, 50257, 1, "bf16", "an adapter")
    known = registry(STORIES, 256)
    known.rows = made.inspection.rows = 4
    made.inspection.tensors = {tensor.name: TensorInfo.of(known, tensor) for tensor in known}
    made.run = Run(TEXTS[0], made.options, [(index, name) for index, name in enumerate("abcd")])
    return made


def test_a_cell_says_its_value_and_error_and_when_it_has_no_effect() -> None:
    result = map_result(control=True)
    text = patching_text.cell_text(result, (7, 3))
    assert "layer 7, position 3" in text
    assert "+1.550 \u00b1 2e-06" in text
    assert "random vector -0.775" in text
    assert "192 values changed" in text
    assert "no effect" in patching_text.cell_text(result, (2, 0))
    result.values[1, 1] = 1e-7
    assert "no larger than the floating-point error" in patching_text.cell_text(result, (1, 1))


def test_safeguards_are_beside_every_result() -> None:
    lines = dict(patching_text.safeguards(map_result()))
    assert lines["patching the run with itself changes nothing: error 0 (limit 0.002)"] is False
    assert lines["floating-point error of a value: about 2e-06"] is False
    assert lines["no effect: 8 of 32 cells changed no value"] is False
    wrong = (SelfCheck("patching", 1.0),)
    broken = replace(map_result(), checks=wrong, error=float("nan"), warnings=("no effect: x",), edits=("wte *= 2",))
    lines = dict(patching_text.safeguards(broken))
    assert lines["violated: patching: error 1 (limit 0.002)"] is True
    assert lines["no effect: x"] is True
    assert lines["edit in force: wte *= 2"] is False
    assert any("the map has no values" in line for line in lines)


def test_the_edit_of_a_cell_has_the_values_of_the_other_run() -> None:
    spec, note = patching_text.edit_of_cell(map_result(), (3, 2))
    edit = edit_of(spec)
    assert str(edit) == "h.3.resid_pre[pos=2] = array of 192"
    assert isinstance(edit.value, Array)
    assert np.array_equal(edit.value.values, np.arange(2 * WIDTH, 3 * WIDTH, dtype=np.float32))
    assert note == f"from the clean run: {TEXTS[0]}"
    spec, note = patching_text.edit_of_cell(map_result(map_job(over="heads", direction="noise")), (3, 2))
    edit = edit_of(spec)
    assert str(edit) == "h.3.attn.out[pos=0:4, head=2] = array of 4 x 32"
    assert note == f"from the corrupt run: {TEXTS[1]}"
    ablation = map_result(map_job(ABLATE))
    assert patching_text.edit_of_cell(ablation, (3, 2)) == ("h.3.attn.out[head=2] = 0", "")
    assert patching_text.edit_of_cell(ablation, (3, 6)) == ("h.3.mlp.c_proj = 0", "")
    mean = map_result(map_job(ABLATE, to="mean"))
    assert patching_text.edit_of_cell(mean, (3, 6)) == ("h.3.mlp.c_proj = mean", "")


def test_a_click_selects_and_lets_map_and_attention_go_there(state: State) -> None:
    result = map_result()
    patching_actions.choose(state, result, (3, 2))
    assert state.selected == Selection(position=2, layer=3)
    assert state.map.wanted is not None
    assert (state.map.wanted.name, state.map.wanted.index) == ("h.3.resid_pre", (2, 0))
    patching_actions.open_view(state, result, (3, 2))
    assert state.ui.view == "Map"
    heads = map_result(map_job(ABLATE))
    patching_actions.open_view(state, heads, (5, 4))
    assert state.ui.view == "Attention"
    assert state.selected == Selection(layer=5, head=4)
    assert state.map.wanted.index == (3, 128)
    patching_actions.open_view(state, heads, (5, 6))
    assert state.ui.view == "Map"
    assert state.map.wanted.name == "h.5.mlp.c_proj"


def test_apply_as_edit_runs_the_text_that_was_patched(state: State) -> None:
    patching_actions.apply(state, map_result(map_job(ABLATE)), (3, 2))
    assert [entry.text for entry in state.edits.entries] == ["h.3.attn.out[head=2] = 0"]
    assert [type(request) for request in state.requests] == [ApplyEdits]  # the text is on screen already
    patching_actions.apply(state, map_result(), (3, 2))
    assert state.prompt == TEXTS[1]
    assert state.patching.clean == TEXTS[0]  # the fields stay as they were
    assert isinstance(state.requests[-1], Generate)
    assert state.edits.entries[-1].note.startswith("from the clean run")


def test_a_steering_vector_is_one_edit_with_a_strength(state: State) -> None:
    job = SteerJob(("glad",), ("sad",), "h.3.resid_post", -1)
    steering = Steering(job, np.ones(WIDTH, np.float32), 1.0, 1.0)
    view = state.patching
    view.strength = 2.5
    patching_actions.steer(state, steering, only_applied=True)
    assert not state.edits.entries
    patching_actions.steer(state, steering)
    assert [entry.strength for entry in state.edits.entries] == [2.5]
    view.strength = -4.0
    patching_actions.steer(state, steering, only_applied=True)
    assert [(entry.text, entry.strength) for entry in state.edits.entries] == [("h.3.resid_post += array of 192", -4.0)]


def test_a_drawing_has_title_ticks_tokens_legend_and_safeguards() -> None:
    for result in (map_result(), map_result(map_job(over="heads")), map_result(map_job(ABLATE))):
        text = svg(map_drawing(result)).decode()
        assert patching_text.title(result).replace("&", "&amp;").replace('"', "&quot;") in text or "logit of" in text
        assert "layer 7" in text
        assert "floating-point error" in text
        assert f">{result.columns[-1]}<" in text or "head 5" in text
        assert f">{result.limit:.3g}<" in text
    drawn = map_drawing(map_result())
    assert all(box.x >= 0 and box.x + box.width <= drawn.width for box in drawn.boxes)
    assert max(box.y + box.height for box in drawn.boxes) <= drawn.height
