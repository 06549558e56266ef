"""Tiles of the pyramid: every tensor has its own, and they fit closely into one texture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.views.map_layout import map_layout
from compute.views.map_packing import Packing, packed
from compute.views.map_placement import tiles_of
from compute.weights.checkpoint import open_model

from helpers.map_registry import registry

LARGEST_TEXTURE = 16384


def taken(packing: Packing, sizes: dict[str, tuple[int, int]]) -> np.ndarray:
    """How many rectangles cover each tile [height, width]."""
    count: np.ndarray = np.zeros((packing.height, packing.width), int)
    for name, (x, y) in packing.corners.items():
        wide, high = sizes[name]
        assert x + wide <= packing.width
        assert y + high <= packing.height
        count[y : y + high, x : x + wide] += 1
    return count


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=60))
def test_rectangles_do_not_overlap(shapes: list[tuple[int, int]]) -> None:
    sizes = {str(number): shape for number, shape in enumerate(shapes)}
    packing = packed(sizes)
    assert packing.corners.keys() == sizes.keys()
    assert taken(packing, sizes).max() == 1


@pytest.mark.parametrize(
    ("name", "context", "tables"),
    [("stories", 256, False), ("stories", 512, True), ("random:gpt2", 256, False), ("random:gpt2", 1024, True),
     ("random:gpt2-xl", 64, True)],
)  # fmt: skip
def test_the_map_of_a_model_leaves_little_empty(name: str, context: int, tables: bool) -> None:
    layout = map_layout(registry(open_model(name).config, context), context, tables=tables)
    sizes = {name: tiles_of(placement, layout.grid) for name, placement in layout.placements.items()}
    packing = layout.packing
    assert taken(packing, sizes).mean() > 0.9
    blocks = layout.grid // layout.base
    assert max(packing.width, packing.height * 3 // 2) * blocks <= LARGEST_TEXTURE


def test_one_rectangle() -> None:
    assert packed({"a": (3, 5)}) == Packing({"a": (0, 0)}, 3, 5)
