"""The inspector's facts about a quantized weight: its code, and what makes the value from it."""

from __future__ import annotations

import pytest

from atlas_viewer.state.inspection import ProbedValue
from atlas_viewer.state.navigation import ATLAS
from atlas_viewer.state.state import State
from atlas_viewer.ui.inspector_rows import facts
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.views.block_value import BlockValue

from helpers.fake_tensor_reader import fake_tensors


@pytest.mark.parametrize(("block", "decoded"), [
    (BlockValue("q4_0", 11, 0.0125, None), "0.0125 x (11 - 8)"),
    (BlockValue("q4_1", 11, 0.0125, -0.5), "0.0125 x 11 - 0.5"),
    (BlockValue("q5_k", 30, 0.0125, 0.25), "0.0125 x 30 + 0.25"),
    (BlockValue("q8_0", -7, 0.0125, None), "0.0125 x -7"),
])  # fmt: skip
def test_facts_of_a_quantized_weight(block: BlockValue, decoded: str) -> None:
    state = State("", GenerateOptions())
    state.inspection.tensors, state.inspection.layout = fake_tensors()
    state.ui.view = ATLAS
    element = TensorIndex("wte", (3, 1))
    assert "Stored as" not in dict(facts(state, element, None))
    state.inspection.probed_values[element] = ProbedValue(0.5, element.index)
    assert "Stored as" not in dict(facts(state, element, None))
    state.inspection.probed_values[element] = ProbedValue(block.value, element.index, block)
    shown = dict(facts(state, element, None))
    assert shown["Stored as"] == f"{block.dtype}, {block.bits} bits: code {block.code}"
    assert shown["Decoded"] == decoded
    assert shown["Scale of"] == "32 values"
