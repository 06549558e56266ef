"""Edited values in the views: which boxes are marked, and what formula cards say, with a real model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from atlas_viewer.app.run_controller import RunController
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state import edit_list, formula_edits
from atlas_viewer.state.edited_places import edited_boxes, edited_heads, edits_of_element
from atlas_viewer.state.requests import Generate
from atlas_viewer.state.state import State
from compute.forward.load_options import LoadOptions
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.views.formula_pass import FormulaPass
from compute.weights.checkpoint import open_model

pytestmark = pytest.mark.gpu

PROMPT = "Once upon a time, there was a little"
OPTIONS = GenerateOptions(max_new_tokens=3, context=64, temperature=0.0)


@pytest.fixture(scope="module")
def runner() -> Iterator[ModelRunner]:
    runner = ModelRunner.load(open_model("stories"), load_tokenizer(), LoadOptions(context=64, measured=False))
    yield runner
    runner.close()


def _edited(runner: ModelRunner, *edits: str) -> State:
    """The state after a run with these edits."""
    runner.set_edits(())
    state = State(PROMPT, OPTIONS)
    controller = RunController(runner, state)
    for text in edits:
        edit_list.add(state, text)
    state.requests.clear()
    controller.do(Generate(PROMPT, OPTIONS))
    while controller.pending:
        controller.advance(0.0, 1.0)
    inspection, reader = state.inspection, runner.tensor_reader
    assert state.edits.problems == {}
    inspection.rows, inspection.first_position = reader.rows, reader.first_position
    inspection.tensors = reader.tensors()
    return state


def test_boxes_are_the_values_that_edits_change(runner: ModelRunner) -> None:
    state = _edited(
        runner, "h.2.attn.out[head=4] = 0", "h.1.attn.k[pos=3, head=1] *= 2",
        "h.0.attn.pattern[head=2, pos=5, key=1] = 0",
        "h.4.mlp.gelu[-1, 10:20] = 1", "wpe[3] *= 2", "logits[:, 11] += 1", "h.5.resid_post[2] = mean",
    )  # fmt: skip
    rows = state.inspection.rows
    assert state.run is not None
    last = len(state.run.prompt_tokens) - 1
    assert edited_boxes(state) == {
        "h.2.attn.out": [((0, rows), (128, 160))],
        "h.1.attn.qkv": [((3, 4), (192 + 32, 192 + 64))],
        "h.0.attn.pattern": [((2, 3), (5, 6), (1, 2))],
        "h.4.mlp.gelu": [((last, last + 1), (10, 20))],
        "wpe": [((3, 4), (0, 192))],
        "logits": [((11, 12),)],
        "h.5.resid_post": [((2, 3), (0, 192))],
    }
    assert edited_heads(edited_boxes(state), state.inspection.tensors) == {(2, 4), (1, 1), (0, 2)}
    assert edits_of_element(state, TensorIndex("h.2.attn.out", (0, 127))) == []
    assert len(edits_of_element(state, TensorIndex("h.2.attn.out", (0, 128)))) == 1


@pytest.mark.parametrize(
    ("text", "element", "value"),
    [
        ("h.2.attn.out[head=4] = 0", TensorIndex("h.2.attn.out", (3, 130)), 0.0),
        ("h.2.attn.out[head=4] *= -3", TensorIndex("h.2.attn.out", (3, 130)), None),
        ("h.4.mlp.gelu[2, 10:20] += 1", TensorIndex("h.4.mlp.gelu", (2, 12)), None),
        ("h.5.resid_post[2] = mean", TensorIndex("h.5.resid_post", (2, 7)), None),
        ("h.0.attn.pattern[head=2, pos=5, key=1] = 0.25", TensorIndex("h.0.attn.pattern", (2, 5, 1)), 0.25),
    ],
)
def test_a_formula_gives_the_value_before_the_edit(
    runner: ModelRunner, text: str, element: TensorIndex, value: float | None
) -> None:
    state = _edited(runner, text)
    found = FormulaPass(runner.engine).explain(element)
    edits = formula_edits.edits_of(state, found)
    assert formula_edits.lines(edits) == [f"edited by {text}"]
    assert formula_edits.foot(found, edits, 0).startswith("before the edit; after it ")
    assert value is None or found.value == value
    assert abs(found.total - found.value) > 1e-4, "the sum is of the value before the edit"
    other = TensorIndex(element.name, (*element.index[:-1], 0) if element.name != "h.5.resid_post" else (1, 0))
    assert edits_of_element(state, other) == []
    unedited = FormulaPass(runner.engine).explain(other)
    assert formula_edits.foot(unedited, (), 0).startswith("sum: ")
    assert abs(unedited.difference) <= unedited.rounding
