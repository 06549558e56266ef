"""What a selection highlights in tensors, compared with a search through all values."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from atlas_viewer.state.highlights import Box, Target, map_rectangles, strip_runs, tensors_of
from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.map_addresses import row_and_column
from atlas_viewer.state.runs import Run
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import State
from compute.models.tensor_index import TensorIndex, multi_index
from compute.sampling.options import GenerateOptions
from compute.views.map_layout import map_layout
from compute.views.strip_layout import strip_layout

from helpers.fake_generation import fake_step
from helpers.map_registry import STORIES, registry

ROWS, CONTEXT = 12, 32
REGISTRY = registry(STORIES, 64)
REGISTRY.rows = ROWS
LAYOUT = map_layout(REGISTRY, CONTEXT)
SPANS = {span.name: span for span in strip_layout(REGISTRY).spans}
INFOS = {tensor.name: TensorInfo.of(REGISTRY, tensor, SPANS.get(tensor.name)) for tensor in REGISTRY}
D = STORIES.head_size
SELECTIONS = (
    Selection(position=5),
    Selection(position=5, layer=3, head=2),
    Selection(layer=3, head=5),
    Selection(head=1),
    Selection(channel=191, neuron=700, layer=7),
    Selection(position=5, key=2, layer=3, head=2),
    Selection(token=400),
)
NAMES = (
    "embed.positions", "h.3.ln_1", "h.3.attn.qkv", "h.3.attn.out", "h.3.attn.pattern", "h.2.attn.pattern",
    "h.7.mlp.gelu", "h.7.mlp.c_proj.weight", "h.7.ln_2.weight", "h.3.attn.c_attn.bias", "wpe", "logits",
)  # fmt: skip


@pytest.fixture(scope="module")
def state() -> State:
    run = Run(
        "Once upon a", GenerateOptions(), [(1, "Once"), (2, " upon"), (3, " a")], [fake_step(i) for i in range(9)]
    )
    made = State("Once upon a", GenerateOptions(), run=run)
    made.inspection.tensors, made.inspection.rows = INFOS, ROWS
    return made


def inside(boxes: list[Box], index: tuple[int, ...]) -> bool:
    return any(all(start <= at < stop for at, (start, stop) in zip(index, box, strict=True)) for box in boxes)


def of_boxes(boxes: list[Box]) -> set[tuple[int, ...]]:
    return {index for box in boxes for index in product(*(range(*part) for part in box))}


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_values_share_a_coordinate_with_the_selection(state: State, name: str, selection: Selection) -> None:
    info, boxes = INFOS[name], Target.of(state, selection).boxes(INFOS[name])
    rng = np.random.default_rng(5)
    indices = [multi_index(int(flat), info.shape) for flat in rng.integers(0, info.count, 300)]
    # And some that are selected.
    indices += [
        index for box in boxes for index in [tuple(start for start, _ in box), tuple(stop - 1 for _, stop in box)]
    ]
    here = selection.layer in (None, info.layer)
    for index in indices:
        known = Selection.of(TensorIndex(name, index), REGISTRY)
        shared = [
            getattr(known, field) == getattr(selection, field) is not None for field in ("position", "token", "channel")
        ]
        heads = known.head is not None and known.head == selection.head and here
        shared.append(heads)
        shared.append(known.neuron is not None and known.neuron == selection.neuron and here)
        wanted = any(shared)
        if len(info.shape) == 3:
            # A pattern lights the rows and columns of the selected head, or all of it.
            of_head = here and selection.head in (None, known.head)
            key = selection.key is not None and known.key == selection.key
            wanted = of_head and (shared[0] or key if selection.position is not None else heads)
        assert inside(boxes, index) == wanted, index


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
@pytest.mark.parametrize(
    "name", ["h.3.ln_1", "h.3.attn.qkv", "h.3.attn.pattern", "h.7.mlp.c_proj.weight", "h.7.ln_2.weight"]
)
def test_rectangles_on_map_have_the_cells_of_the_values(state: State, name: str, selection: Selection) -> None:
    info, boxes = INFOS[name], Target.of(state, selection).boxes(INFOS[name])
    placement = LAYOUT.placements[name]
    found = map_rectangles(info, boxes, LAYOUT)
    cells = {
        (x, y)
        for left, top, wide, high in found
        for x in range(left, left + wide, placement.cell_width)
        for y in range(top, top + high, placement.cell_height)
    }
    wanted = {placement.cell_of(*row_and_column(TensorIndex(name, index), CONTEXT)) for index in of_boxes(boxes)}
    assert cells == wanted


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
@pytest.mark.parametrize("name", ["h.3.ln_1", "h.3.attn.qkv", "h.7.mlp.gelu", "h.7.ln_2.weight", "logits"])
def test_runs_on_strip_have_the_cells_of_the_values(state: State, name: str, selection: Selection) -> None:
    info, boxes = INFOS[name], Target.of(state, selection).boxes(INFOS[name])
    span = SPANS[name]
    cells = [cell for first, last in strip_runs(info, boxes, span) for cell in range(first, last + 1)]
    assert set(cells) == {span.cell_of(info.flat_index(index)) for index in of_boxes(boxes)}
    assert len(cells) == len(set(cells))


def test_a_column_that_every_cell_of_strip_has_is_left_out(state: State) -> None:
    info = INFOS["h.7.mlp.c_fc.weight"]
    boxes = Target.of(state, Selection(channel=3)).boxes(info)
    assert boxes
    assert strip_runs(info, boxes, SPANS[info.name]) == []


def test_tensors_with_something_highlighted(state: State) -> None:
    def found(selection: Selection) -> frozenset[str]:
        return tensors_of(state, Target.of(state, selection))

    head = {f"h.3.attn.{name}" for name in ("qkv", "out", "pattern", "c_attn.weight", "c_attn.bias", "c_proj.weight")}
    assert found(Selection(layer=3, head=2)) == head
    assert found(Selection(token=400)) == {"wte", "logits"}
    assert found(Selection(element=TensorIndex("wpe"))) == {"wpe"}
    activations = {info.name for info in INFOS.values() if info.per_token}
    assert found(Selection(position=5)) == activations | {"wpe"}
    assert found(Selection(position=99)) == frozenset()


def test_the_token_that_the_pass_predicts_has_the_row_that_computes_it(state: State) -> None:
    assert state.run is not None
    assert Target.of(state, Selection(position=ROWS)).row is None  # the text has no such token
    state.run.steps = [fake_step(i) for i in range(10)]
    assert Target.of(state, Selection(position=ROWS)).row == ROWS - 1
    state.run.steps = state.run.steps[:9]
