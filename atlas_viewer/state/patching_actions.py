"""What a cell of a patching map selects and opens, and how maps and vectors become edits."""

from __future__ import annotations

from compute.errors import AtlasError
from compute.models.patch_points import HEADS
from compute.models.tensor_index import TensorIndex

from . import edit_list, selecting
from .navigation import open_attention, open_map, open_patching
from .patching_text import edit_of_cell
from .patching_view import ABLATE, MLP, PATCH, SECTIONS, MapResult, Steering
from .selection import Selection
from .state import State


def has_head(result: MapResult, cell: tuple[int, int] | None) -> bool:
    """True when the cell is about a head."""
    if cell is None or result.columns[cell[1]] == MLP:
        return False
    return result.job.section == ABLATE or result.job.over == HEADS


def selection_of(result: MapResult, cell: tuple[int, int]) -> Selection:
    """The layer of a cell, with its head or position."""
    layer, column = cell
    if has_head(result, cell):
        return Selection(layer=layer, head=column)
    position = column if result.job.section == PATCH else None
    return Selection(position=position, layer=layer)


def choose(state: State, result: MapResult, cell: tuple[int, int]) -> None:
    """Select the cell, and let Map go to its activation."""
    state.patching.chosen = cell
    state.selected = selection_of(result, cell)
    target = _target(state, result, cell)
    if target is not None:
        state.map.go(target)


def open_view(state: State, result: MapResult, cell: tuple[int, int]) -> None:
    """Open a head in Attention, anything else on Map."""
    if has_head(result, cell):
        open_in_attention(state, result, cell)
    else:
        open_on_map(state, result, cell)


def open_on_map(state: State, result: MapResult, cell: tuple[int, int]) -> None:
    """Open the activation of a cell on Map."""
    choose(state, result, cell)
    open_map(state)


def open_in_attention(state: State, result: MapResult, cell: tuple[int, int]) -> None:
    """Open the head of a cell in Attention."""
    choose(state, result, cell)
    open_attention(state)


def apply(state: State, result: MapResult, cell: tuple[int, int]) -> None:
    """Add the edit of a cell to the list, and run the text that it is for if another one is on screen."""
    spec, note = edit_of_cell(result, cell)
    view, base = state.patching, result.job.base
    try:
        entry = edit_list.add(state, spec, note)
    except AtlasError as error:
        view.failure = str(error)
        return
    view.failure, view.note = "", f"added: {entry.text}"
    if state.run is None or state.run.prompt != base:
        view.clean = view.clean if view.clean is not None else state.prompt  # the fields stay as they are
        state.prompt = base
        state.generate()


def applied(state: State) -> bool:
    """True while the steering vector on screen is in the list of edits."""
    return state.patching.entry is not None and state.edits.find(state.patching.entry) is not None


def steer(state: State, steering: Steering, *, only_applied: bool = False) -> None:
    """Add the vector to the list of edits, or change its strength there. only_applied: do not add it."""
    view = state.patching
    try:
        if not applied(state):
            if only_applied:
                return
            note = f"from {len(steering.job.texts_b)} texts to {len(steering.job.texts_a)} others"
            view.entry = edit_list.add(state, (f"{steering.job.at} +=", steering.vector), note).number
        assert view.entry is not None
        edit_list.set_strength(state, view.entry, view.strength, gesture="patching strength")
    except AtlasError as error:
        view.failure = str(error)


def compute(state: State) -> None:
    """Begin the sweep that the fields ask for, or end the one in progress."""
    view = state.patching
    if view.busy:
        view.cancel = True
    elif view.job is not None:
        view.start = True


def next_section(state: State) -> None:
    """Open the panel with its next section."""
    view = state.patching
    view.section = SECTIONS[(SECTIONS.index(view.section) + 1) % len(SECTIONS)]
    view.chosen = None
    open_patching(state)


def can_compute(state: State) -> bool:
    """True when a sweep is in progress or can begin."""
    return state.patching.busy or state.patching.job is not None


def _target(state: State, result: MapResult, cell: tuple[int, int]) -> TensorIndex | None:
    """The activation of a cell on Map, at its position or its head; None when Map has no such tensor."""
    name = result.points[cell[0]][cell[1]]
    info = state.inspection.tensors.get(name)
    if info is None:
        return None
    if has_head(result, cell) and len(info.shape) == 2 and info.shape[0]:
        heads = state.model.heads if state.model is not None else 1
        return TensorIndex(name, (info.shape[0] - 1, cell[1] * info.shape[1] // heads))
    row = selecting.row_of(state, cell[1]) if result.job.section == PATCH else None
    return TensorIndex(name) if row is None or row >= info.shape[0] else TensorIndex(name, (row, 0))
