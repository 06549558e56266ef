"""Arrows between neighbors on Map, and the residual stream."""

from __future__ import annotations

import pytest

from atlas_viewer.state.map_flow import FAINT_FROM, GONE_FROM, Flow, flow_of, lines_of, visible_share
from compute.models.architectures import describe
from compute.models.description import Description
from compute.models.operations import Alias
from compute.models.registry import Registry
from compute.views.map_layout import MapLayout, map_layout

from helpers.make_models import TINY
from helpers.map_registry import STORIES, registry_of
from helpers.parallel_model import parallel

DESCRIPTIONS = [describe(STORIES), describe(TINY), parallel(TINY)]
NAMES = ["stories", "tiny", "parallel"]


def laid_out(description: Description) -> tuple[Registry, MapLayout, Flow]:
    registry = registry_of(description, 8)
    layout = map_layout(registry, 8)
    return registry, layout, flow_of(description, layout)


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=NAMES)
def test_ribbons_connect_the_sides_of_tensors(description: Description) -> None:
    _, layout, flow = laid_out(description)
    boxes = [(p.x, p.y, p.x + p.width, p.y + p.height) for p in layout.placements.values()]
    sides = {(x, y) for x0, y0, x1, y1 in boxes for x in (x0, x1) for y in (y0, y1)}
    assert flow.ribbons
    for ribbon in flow.ribbons:
        assert set(ribbon) <= sides


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=NAMES)
def test_the_stream_has_a_line_per_row_of_blocks_and_a_branch_per_point(description: Description) -> None:
    registry, layout, flow = laid_out(description)
    stream = registry.description.stream
    assert len(flow.sums) == len(stream) - 1
    lines = list(lines_of(list(layout.regions)))
    # Between two lines are four boxes: down, back, down, and to the first block.
    read = sum(isinstance(op, Alias) for op in description.operations())  # a block's first tensor, if it is drawn
    assert len(flow.stream) == len(lines) + 4 * (len(lines) - 1) + len(stream) + read
    along = [tip for tip in flow.tips if tip[0][0] == tip[1][0]]
    assert len(along) == len(layout.regions) - 1  # between two parts, or at the beginning of the next line
    assert all(tip[2][0] > tip[0][0] for tip in along)
    up = [tip for tip in flow.tips if tip not in along and tip[2][1] < tip[0][1]]
    assert (len(up), len(flow.tips) - len(along) - len(up)) == (len(flow.sums), read)
    for x, y, wide, high in flow.stream:
        assert wide > 0
        assert high > 0
        assert 0 <= x < layout.width
        assert 0 <= y < layout.height


def test_flow_is_gone_where_digits_begin() -> None:
    assert visible_share(FAINT_FROM / 2) == 1
    assert 0 < visible_share((FAINT_FROM + GONE_FROM) / 2) < 1
    assert visible_share(GONE_FROM) == visible_share(100) == 0
