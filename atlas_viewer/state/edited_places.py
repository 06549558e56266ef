"""Which values of the pass on screen edits have changed, as boxes of indices of the registry's tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compute.edits.resolved import ResolvedEdit
from compute.edits.selection import Span
from compute.edits.targets import Kind
from compute.models.tensor_index import TensorIndex

from .highlights import Box
from .inspection import TensorInfo
from .state import State
from .text_tokens import context_start

_MOST = 64  # boxes of one edit; one with more is shown as the box around them


def edits_shown(state: State) -> Sequence[ResolvedEdit]:
    """The edits with which the pass on screen was computed."""
    run = state.run
    if run is None:
        return ()
    step = len(run.steps) if state.busy or state.step is None else state.step.index
    return run.edits_at(step) or ()


def edited_boxes(state: State) -> dict[str, list[Box]]:
    """What the edits of the pass on screen change, by tensor."""
    found: dict[str, list[Box]] = {}
    tensors, start = state.inspection.tensors, context_start(state)
    for edit in edits_shown(state):
        info = tensors.get(edit.target.point)
        if info is not None:
            found.setdefault(info.name, []).extend(boxes_of(edit, info, start, state.inspection.rows))
    return {name: boxes for name, boxes in found.items() if boxes}


def boxes_of(edit: ResolvedEdit, info: TensorInfo, start: int, rows: int) -> list[Box]:
    """What the edit changes of its tensor. start: index in the text of the first of its `rows` rows."""
    selection, kind = edit.selection, edit.target.kind
    if kind.of_attention:
        spans = (
            _ranges(selection.outer, 0, info.shape[0]),
            _ranges(selection.rows, start, info.shape[1]),
            _ranges(selection.inner, start, info.shape[2]),
        )
        return _product(spans)
    columns = _columns(edit, info.shape[-1])
    if len(info.shape) == 1:  # the logits of the last row, or a vector
        last = start + max(1, rows) - 1
        here = kind is not Kind.LOGITS or last in selection.rows.numbers(last + 1)
        return [(part,) for part in columns] if here else []
    return _product((_ranges(selection.rows, start if info.per_token else 0, info.shape[0]), columns))


def edits_of_element(state: State, element: TensorIndex) -> list[ResolvedEdit]:
    """The edits that have changed this value of the pass on screen, in order."""
    info = state.inspection.tensors.get(element.name)
    if info is None or not element.index:
        return []
    start, rows = context_start(state), state.inspection.rows
    return [
        edit
        for edit in edits_shown(state)
        if edit.target.point == info.name
        and any(_inside(element.index, box) for box in boxes_of(edit, info, start, rows))
    ]


def edited_heads(boxes: Mapping[str, Sequence[Box]], tensors: Mapping[str, TensorInfo]) -> set[tuple[int, int]]:
    """Layer and number of the heads whose queries, keys, values, pattern or output are edited."""
    found: set[tuple[int, int]] = set()
    for name, parts in boxes.items():
        info = tensors[name]
        at = next((number for number, axis in enumerate(info.axes) if axis.kind == "head"), None)
        if at is None or info.layer is None:
            continue
        axis = info.axes[at]
        for box in parts:
            first, end = box[at]
            found |= {(info.layer, axis.coordinate(index)) for index in range(first, end, axis.size)}
            found.add((info.layer, axis.coordinate(end - 1)))
    return found


def _columns(edit: ResolvedEdit, size: int) -> list[tuple[int, int]]:
    """The ranges of columns: those of each part side by side, joined where they touch."""
    selection = edit.selection
    found: list[tuple[int, int]] = []
    for part in selection.outer.numbers(size):
        first = selection.base + part * selection.group
        for low, high in _ranges(selection.inner, 0, min(selection.group or size, size)):
            if found and found[-1][1] == first + low:
                found[-1] = (found[-1][0], first + high)
            else:
                found.append((first + low, first + high))
    return [(low, min(high, size)) for low, high in found if low < size]


def _ranges(span: Span, start: int, size: int) -> list[tuple[int, int]]:
    """The ranges [first, end) of a span's numbers less `start`, between 0 and `size`."""
    numbers = [number - start for number in span.numbers(start + size) if number >= start]
    if not numbers:
        return []
    if span.step == 1 or len(numbers) > _MOST:
        return [(numbers[0], numbers[-1] + 1)]
    return [(number, number + 1) for number in numbers]


def _product(spans: Sequence[list[tuple[int, int]]]) -> list[Box]:
    found: list[Box] = [()]
    for ranges in spans:
        if len(found) * len(ranges) > _MOST:
            ranges = [(ranges[0][0], ranges[-1][1])]
        found = [(*box, part) for box in found for part in ranges]
    return found


def _inside(index: Sequence[int], box: Box) -> bool:
    return all(first <= number < end for number, (first, end) in zip(index, box, strict=True))
