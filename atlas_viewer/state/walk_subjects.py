"""Where the subject of a page is on Map, and which tensor it belongs to."""

from __future__ import annotations

from atlas_viewer.walk.subject import LAST, Kind, Subject
from compute.models.registry import Registry
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import MapLayout

from .map_addresses import box_of, range_boxes
from .spotlight import Box


def element_of(subject: Subject, registry: Registry) -> TensorIndex | None:
    """The value that an element, or the first value of a row, stands for in the latest pass; None if it has none."""
    if subject.kind not in (Kind.ROW, Kind.ELEMENT):
        return None
    shape = registry.shape(registry[subject.name])
    if subject.kind is Kind.ELEMENT:
        index = subject.index
    else:
        row = LAST if subject.row is None else subject.row
        index = ((row, 0) if subject.head is None else (subject.head, row, 0))[-len(shape) :]
    found = tuple(size - 1 if part == LAST else part for part, size in zip(index, shape, strict=True))
    if any(not 0 <= part < size for part, size in zip(found, shape, strict=True)):
        return None
    return TensorIndex(subject.name, found)


def missing(subject: Subject, registry: Registry) -> str:
    """Why the latest pass does not have the subject; empty when it has it, or when it is no row or value."""
    if subject.kind not in (Kind.ROW, Kind.ELEMENT) or element_of(subject, registry) is not None:
        return ""
    return f"The text is still too short for {subject.text}: it has {registry.rows} tokens. Here is the whole tensor."


def box_of_subject(subject: Subject, registry: Registry, layout: MapLayout) -> Box | None:
    """The box of the subject on Map; None when Map does not show it."""
    if subject.kind is Kind.WHOLE:
        return 0.0, 0.0, float(layout.width), float(layout.height)
    if subject.kind is Kind.PART:
        region = next((region for region in layout.regions if region.title == subject.name), None)
        return None if region is None else (region.x, region.y, region.width, region.height)
    placement = layout.placements.get(subject.name)
    if placement is None:
        return None
    element = element_of(subject, registry)
    if element is not None and subject.kind is Kind.ELEMENT:
        return box_of(element, layout)
    if element is not None:
        columns = placement.columns if subject.head is None else element.index[1] + 1
        return _union(range_boxes(TensorIndex(element.name, element.index, columns), layout))
    if subject.head is not None:
        return _filled(placement.band_box(subject.head), registry.rows, layout.context, across=True)
    if registry[subject.name].rows is None and not registry[subject.name].vector and not registry[subject.name].heads:
        bands = (placement.band_box(band) for band in range(placement.bands))
        return _union([_filled(box, registry.rows, layout.context, across=False) for box in bands])
    return placement.x, placement.y, placement.width, placement.height


def _filled(box: Box, rows: int, context: int, *, across: bool) -> Box:
    """The part of an activation's band that the latest pass has filled, at least an eighth. across: of a pattern."""
    x, y, width, height = box
    share = max(min(rows / context, 1.0), 1 / 8)
    return x, y, width * share if across else width, height * share


def _union(boxes: list[Box] | list[tuple[int, int, int, int]]) -> Box | None:
    if not boxes:
        return None
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, below = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return left, top, right - left, below - top
