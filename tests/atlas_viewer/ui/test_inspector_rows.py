"""The inspector's rows about a quantized weight: how the value is stored, and how it is decoded."""

from __future__ import annotations

import pytest

from atlas_viewer.state.inspection import ProbedValue
from atlas_viewer.state.state import ModelSummary, State
from atlas_viewer.ui.inspector_rows import facts
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.views.block_value import BlockValue

from helpers.fake_generation import FakeTokenizer
from helpers.fake_tensor_reader import fake_tensors

MODEL = ModelSummary("fake", 2, 6, 192, 512, 50257, 13_306_944, "q4_0", "an adapter", 0)
TOKENIZER = FakeTokenizer("<{}>")


@pytest.mark.parametrize(("block", "decoded"), [
    (BlockValue("q4_0", 11, 0.0125, None), "0.0125 x (11 - 8)"),
    (BlockValue("q4_1", 11, 0.0125, -0.5), "0.0125 x 11 - 0.5"),
    (BlockValue("q5_k", 30, 0.0125, 0.25), "0.0125 x 30 + 0.25"),
    (BlockValue("q8_0", -7, 0.0125, None), "0.0125 x -7"),
])  # fmt: skip
def test_facts_of_a_quantized_weight(block: BlockValue, decoded: str) -> None:
    state = State("", GenerateOptions(), model=MODEL)
    state.inspection.tensors, state.inspection.layout = fake_tensors()
    element = TensorIndex("wte", (3, 1))
    assert "Stored as" not in dict(facts(state, element, TOKENIZER))
    state.inspection.probed_values[element] = ProbedValue(0.5, element.index)
    assert "Stored as" not in dict(facts(state, element, TOKENIZER))
    state.inspection.probed_values[element] = ProbedValue(block.value, element.index, block)
    shown = dict(facts(state, element, TOKENIZER))
    assert shown["Stored as"] == f"{block.dtype}, {block.bits} bits: code {block.code}"
    assert shown["Decoded"] == decoded
    assert shown["Scale of"] == "32 values"
