"""Addresses of values: as text, and as numbers in row-major order."""

from __future__ import annotations

import numpy as np
import pytest

from compute.errors import UsageError
from compute.models.tensor_index import TensorIndex, flat_index, is_inside, multi_index, parse_tensor_index

SHAPES = {"wte": (50304, 192), "h.3.mlp.c_fc.weight": (768, 192), "h.3.attn.pattern": (6, 9, 9), "logits": (50304,)}


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("wte", TensorIndex("wte")),
        ("  h.3.mlp.c_fc.weight[12, 100] ", TensorIndex("h.3.mlp.c_fc.weight", (12, 100))),
        ("h.3.attn.pattern[5,8,0]", TensorIndex("h.3.attn.pattern", (5, 8, 0))),
        ("logits [ 50303 ]", TensorIndex("logits", (50303,))),
    ],
)
def test_values_and_tensors_are_parsed_and_written(text: str, target: TensorIndex) -> None:
    assert parse_tensor_index(text, SHAPES) == target
    assert parse_tensor_index(str(target), SHAPES) == target


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "write a tensor's name and an index"),
        ("wte[3", "write a tensor's name"),
        ("wte[-1, 0]", "write a tensor's name"),
        ("mlp.c_fc.weight", "there are h.3.mlp.c_fc.weight"),
        ("nothing", "no tensor has this name"),
        ("wte[]", "wte is 50304 x 192"),
        ("wte[1,]", "wte is 50304 x 192"),
        ("wte[1]", "wte is 50304 x 192"),
        ("wte[1, 192]", "there is no such value"),
        ("h.3.attn.pattern[6, 0, 0]", "6 x 9 x 9"),
        ("wte\n[1, 2]\x1b", "write a tensor's name"),
    ],
)
def test_errors_are_one_line(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse_tensor_index(text, SHAPES)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_text_of_a_run() -> None:
    run = TensorIndex("wte", (3, 7), 12)
    assert str(run) == "wte[3, 7], 12 values"
    assert str(run.first) == "wte[3, 7]"


@pytest.mark.parametrize("shape", [(7,), (5, 6), (3, 4, 5)])
def test_flat_indices_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    count = int(np.prod(shape))
    for flat in range(count):
        index = multi_index(flat, shape)
        assert index == tuple(int(part) for part in np.unravel_index(flat, shape))
        assert flat_index(index, shape) == flat
        assert is_inside(index, shape)
    assert not is_inside(multi_index(count, shape), shape)
    assert not is_inside((), shape)
    assert not is_inside((0,) * (len(shape) + 1), shape)
    assert not is_inside((-1,) * len(shape), shape)
