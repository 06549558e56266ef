"""How values flow through Map: arrows between tensors that are neighbors, and the residual stream. Plain geometry."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from compute.models.description import Description
from compute.models.operations import Alias
from compute.views.map_layout import MapLayout, Region
from compute.views.map_placement import Placement

FAINT_FROM, GONE_FROM = 2.0, 9.0  # sizes of a cell in pixels between which flow fades out
_LINK = 1 / 6  # width of a link that bends, in tiles
_TURN = 14  # length of the stream before the first block of a line, relative to its width

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # x, y, width, height


@dataclass(frozen=True)
class Flow:
    """What to draw between tensors, in cells.

    ribbons: four corners each, the first two at the source, the others at the result; links: boxes of thin links that
    bend; stream: boxes of the residual stream; tips: triangles that show where the stream goes on; sums: where
    something is added to the stream, as the center of a plus sign.
    """

    ribbons: tuple[tuple[Point, ...], ...]
    links: tuple[Box, ...]
    stream: tuple[Box, ...]
    tips: tuple[tuple[Point, ...], ...]
    sums: tuple[Point, ...]


def visible_share(cell: float) -> float:
    """Opacity of the flow for cells of `cell` pixels: 1 from afar, 0 where digits begin."""
    return min(1.0, max(0.0, (GONE_FROM - cell) / (GONE_FROM - FAINT_FROM)))


def flow_of(description: Description, layout: MapLayout) -> Flow:
    """The flow for a layout. Activations that are not on Map are left out."""
    ribbons: list[tuple[Point, ...]] = []
    links: list[Box] = []
    for operation in description.operations():
        result = layout.placements.get(operation.output)
        for name in dict.fromkeys(description.canonical(term) for term in operation.inputs):
            source = layout.placements.get(name)
            if source is None or result is None or source is result:
                continue
            if description.section_of(name) is not description.section_of(operation.output):
                continue  # the residual stream connects the parts of the model
            ribbon = _ribbon(source, result)
            if ribbon is not None:
                ribbons.append(ribbon)
            elif operation.output not in description.stream:
                links += _bent(source, result, layout.grid * _LINK)
    return Flow(tuple(ribbons), tuple(links), *_stream(description, layout))


def _ribbon(source: Placement, result: Placement) -> tuple[Point, ...] | None:
    """A ribbon between sides that face each other, as wide as the tensors; None when no sides do."""
    left, right = max(source.x, result.x), min(source.x + source.width, result.x + result.width)
    top, bottom = max(source.y, result.y), min(source.y + source.height, result.y + result.height)
    below, after = source.y + source.height, source.x + source.width
    if left < right and result.y >= below:
        ends = (source.x, below), (after, below), (result.x + result.width, result.y), (result.x, result.y)
    elif left < right and result.y + result.height <= source.y:
        over = result.y + result.height
        ends = (source.x, source.y), (after, source.y), (result.x + result.width, over), (result.x, over)
    elif top < bottom and result.x >= after:
        ends = (after, source.y), (after, below), (result.x, result.y + result.height), (result.x, result.y)
    else:
        return None
    return tuple((float(x), float(y)) for x, y in ends)


def _bent(source: Placement, result: Placement, width: float) -> Iterator[Box]:
    """Two thin boxes: sideways from the middle of the source, then up or down to the middle of the result."""
    x, y = source.x + source.width / 2, source.y + source.height / 2
    to_x, to_y = result.x + result.width / 2, result.y + result.height / 2
    yield min(x, to_x) - width / 2, y - width / 2, abs(to_x - x) + width, width
    yield to_x - width / 2, min(y, to_y) - width / 2, width, abs(to_y - y) + width


def _stream(
    description: Description, layout: MapLayout
) -> tuple[tuple[Box, ...], tuple[tuple[Point, ...], ...], tuple[Point, ...]]:
    """The stream runs above the blocks from left to right, line by line, with a branch to each of its points."""
    boxes: list[Box] = []
    tips: list[tuple[Point, ...]] = []
    sums: list[Point] = []
    parts = _sections(description, layout)
    if not parts:
        return (), (), ()
    width = layout.grid / 2
    lines = list(lines_of([region for region, _ in parts]))
    for line, after in itertools.zip_longest(lines, lines[1:]):
        y = line[0].y - 1.4 * width
        end = line[-1].x + (line[-1].width + width if after is not None else line[-1].width / 2)
        boxes.append((line[0].x - width, y, end - line[0].x + width, width))
        between = [((left.x + left.width + right.x) / 2, y) for left, right in itertools.pairwise(line)]
        if after is not None:
            start = after[0].x - width, after[0].y - 1.4 * width
            boxes += _turn(layout, width, (end, y), start)
            between.append((start[0] - _TURN / 2 * width, start[1]))
        tips += [_tip(x, y + width / 2, 5 * width) for x, y in between]
    for region, points in parts:
        y = region.y - 1.4 * width
        for name in points:
            placement = layout.placements.get(name)
            if placement is None:
                continue
            x = placement.x + placement.width / 2
            boxes.append((x - width / 2, y, width, placement.y - y))
            if name not in description.stream:
                tips.append(_tip(x, placement.y - 4 * width, 3 * width, down=1))
            elif len(description.contributors(name)) and name != description.stream[0]:
                sums.append((x, y + width / 2))
                tips.append(_tip(x, y + 9 * width, 3 * width, down=-1))
    return tuple(boxes), tuple(tips), tuple(sums)


def _tip(x: float, y: float, size: float, down: int = 0) -> tuple[Point, ...]:
    """An arrowhead with its middle at (x, y): to the right, or with `down` 1 or -1, down or up."""
    if down:
        return (x - size, y - down * size), (x + size, y - down * size), (x, y + down * size)
    return (x - size, y - size), (x - size, y + size), (x + size, y)


def _turn(layout: MapLayout, width: float, start: Point, end: Point) -> Iterator[Box]:
    """From the end of a line of blocks to the beginning of the next: down, back between the lines, and down again.

    start, end: the upper left corners of the stream, which is `width` wide.
    """
    left, between = end[0] - _TURN * width, end[1] - layout.margin + 2.4 * width
    yield start[0], start[1], width, between - start[1] + width
    yield left, between, start[0] - left, width
    yield left, between, width, end[1] - between + width
    yield left, end[1], end[0] - left, width


def _sections(description: Description, layout: MapLayout) -> list[tuple[Region, list[str]]]:
    """The regions of Map with the tensors in them that the stream is read as, and its points, in order."""
    parts = []
    for region, section in zip(layout.regions, description.sections, strict=True):
        inside = {operation.output for operation in section.operations}
        read = [op.output for op in section.operations if isinstance(op, Alias) and op.source in description.stream]
        parts.append((region, [*read, *(name for name in description.stream if name in inside)]))
    return parts


def lines_of(regions: list[Region]) -> Iterator[list[Region]]:
    """Regions side by side, in order."""
    line: list[Region] = []
    for region in regions:
        if line and region.x < line[-1].x:
            yield line
            line = []
        line.append(region)
    if line:
        yield line
