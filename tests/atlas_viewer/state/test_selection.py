"""What an element of any tensor selects: token, layer, head, channel, neuron and vocabulary token."""

from __future__ import annotations

import dataclasses

import pytest

from atlas_viewer.state.selection import NOTHING, Selection
from compute.models.architectures import describe
from compute.models.tensor_index import TensorIndex

from helpers.map_registry import STORIES, registry

DESCRIPTION = describe(STORIES)
C, D = STORIES.channels, STORIES.head_size

CASES = {
    TensorIndex("embed.sum", (5, 17)): Selection(position=5, channel=17),
    TensorIndex("h.3.resid_pre", (5, 17)): Selection(position=5, layer=3, channel=17),
    TensorIndex("h.3.ln_1", (0, 0)): Selection(position=0, layer=3, channel=0),
    TensorIndex("h.3.attn.qkv", (5, 2 * D + 1)): Selection(position=5, layer=3, head=2),
    TensorIndex("h.3.attn.qkv", (5, 2 * C + 2 * D + 1)): Selection(position=5, layer=3, head=2),
    TensorIndex("h.3.attn.qkv", (5, C - 1)): Selection(position=5, layer=3, head=STORIES.heads - 1),
    TensorIndex("h.3.attn.out", (5, D)): Selection(position=5, layer=3, head=1),
    TensorIndex("h.3.attn.pattern", (2, 5, 1)): Selection(position=5, layer=3, head=2, key=1),
    TensorIndex("h.3.attn.c_proj", (5, 17)): Selection(position=5, layer=3, channel=17),
    TensorIndex("h.3.mlp.c_fc", (5, 700)): Selection(position=5, layer=3, neuron=700),
    TensorIndex("h.3.mlp.gelu", (5, 12)): Selection(position=5, layer=3, neuron=12),
    TensorIndex("h.3.attn.c_attn.weight", (C + D, 17)): Selection(layer=3, head=1, channel=17),
    TensorIndex("h.3.attn.c_attn.bias", (C + D,)): Selection(layer=3, head=1),
    TensorIndex("h.3.attn.c_proj.weight", (17, D)): Selection(layer=3, head=1, channel=17),
    TensorIndex("h.3.mlp.c_fc.weight", (700, 17)): Selection(layer=3, neuron=700, channel=17),
    TensorIndex("h.3.mlp.c_proj.weight", (17, 700)): Selection(layer=3, neuron=700, channel=17),
    TensorIndex("h.3.ln_2.weight", (17,)): Selection(layer=3, channel=17),
    TensorIndex("wte", (400, 17)): Selection(token=400, channel=17),
    TensorIndex("wpe", (5, 17)): Selection(position=5, channel=17),
    TensorIndex("logits", (400,)): Selection(token=400),
    TensorIndex("h.3.mlp.c_fc"): Selection(layer=3),
}


@pytest.mark.parametrize("element", CASES, ids=str)
def test_of_an_element(element: TensorIndex) -> None:
    found = Selection.of(element, DESCRIPTION)
    assert found.element == element
    assert dataclasses.replace(found, element=None) == CASES[element]


def test_every_tensor_has_an_axis_per_dimension() -> None:
    tensors = registry(STORIES, 64)
    tensors.rows = 7
    for tensor in tensors:
        assert len(DESCRIPTION.axes[tensor.name]) == len(tensors.shape(tensor)), tensor.name


def test_a_context_that_has_moved_shifts_tokens() -> None:
    tensors = registry(STORIES, 64)
    tensors.rows, tensors.first_position = 8, 2
    assert Selection.of(TensorIndex("h.0.ln_1", (5, 0)), tensors, 10).position == 15
    assert Selection.of(TensorIndex("h.0.attn.pattern", (0, 5, 3)), tensors, 10).key == 13
    assert Selection.of(TensorIndex("wpe", (2 + 5, 0)), tensors, 10).position == 15


def test_heads_have_their_columns_in_queries_keys_and_values() -> None:
    axis = DESCRIPTION.axes["h.0.attn.qkv"][1]
    assert axis.ranges(2, 3 * C) == tuple((part * C + 2 * D, part * C + 3 * D) for part in range(3))
    assert DESCRIPTION.axes["h.0.attn.out"][1].ranges(2, C) == ((2 * D, 3 * D),)
    assert axis.ranges(STORIES.heads, 3 * C) == ()


def test_only_a_selection_of_nothing_is_false() -> None:
    assert not Selection()
    assert not NOTHING
    assert Selection(position=0)
    assert Selection(element=TensorIndex("wte"))
