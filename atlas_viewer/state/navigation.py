"""Navigation in Strip and Map: keys, the tensor list and the alarm act on the view in front."""

from __future__ import annotations

from compute.models.tensor_index import TensorIndex, parse_tensor_index

from .map_addresses import made_by, source_range
from .state import State

ATLAS, MAP, ATTENTION, ATTRIBUTION, LENS = "Atlas", "Map", "Attention", "Attribution", "Lens"
COMPARE, PATCHING = "Compare", "Patching"


def on_map(state: State) -> bool:
    """True when Map is the view in front."""
    return state.ui.view == MAP


def show(state: State, element: TensorIndex) -> None:
    """Inspect a value, or the first value of a whole tensor, and frame the tensor."""
    info = state.inspection.tensors.get(element.name)
    if info is None:
        return
    state.inspection.point_at(element if element.index else info.first)
    if on_map(state):
        state.map.frame(element.name)
    elif info.span is not None:
        state.strip.frame(info.span)


def fit(state: State) -> None:
    """Show everything."""
    if on_map(state):
        state.map.fit()
    elif state.ui.view == ATTENTION:
        state.attention.fit()
    elif state.ui.view == LENS:
        state.lens.fit()
    elif state.ui.view == ATLAS:
        state.strip.camera.reset()


def zoom(state: State, units: float) -> None:
    """Zoom about the center by `units` of the wheel."""
    if on_map(state):
        state.map.zoom_by(units)
    elif state.ui.view == ATTENTION:
        state.attention.zoom_by(2.0 ** (units / 300))
    elif state.ui.view == LENS:
        state.lens.zoom_by(2.0 ** (units / 300), 0.5, state.lens.positions())
    elif state.ui.view == ATLAS:
        state.strip.camera.wheel(units, 0.5, 0.5)


def open_strip(state: State) -> None:
    """Bring Strip to the front."""
    state.ui.front = state.ui.view = ATLAS


def open_map(state: State) -> None:
    """Bring Map to the front."""
    state.ui.front = state.ui.view = MAP


def open_attention(state: State) -> None:
    """Bring Attention to the front."""
    state.ui.front = state.ui.view = ATTENTION


def open_attribution(state: State) -> None:
    """Bring Attribution to the front."""
    state.ui.front = state.ui.view = ATTRIBUTION


def open_lens(state: State) -> None:
    """Bring Lens to the front."""
    state.ui.front = state.ui.view = LENS


def open_compare(state: State) -> None:
    """Bring Compare to the front."""
    state.ui.hidden.discard(COMPARE)
    state.ui.front = COMPARE


def open_patching(state: State) -> None:
    """Bring Patching to the front."""
    state.ui.front = state.ui.view = PATCHING


def arrive(state: State) -> None:
    """Go to the target on Map that was requested before Map was ready, or that Map has left out so far."""
    maps = state.map
    wanted = maps.wanted
    if wanted is None or maps.layout is None or maps.registry is None:
        return
    if wanted.name not in maps.layout.placements and wanted.name in maps.registry.description.token_tables:
        state.ui.tables = True  # Map is laid out again
        return
    maps.arrive()


def go(state: State, text: str) -> None:
    """Go to what `text` names: a value, a tensor, or a part of the model by its title.

    Raises `UsageError` when it names none of these.
    """
    layout = state.map.layout
    if layout is not None and text.strip() in (region.title for region in layout.regions):
        open_map(state)
        state.map.frame(text.strip())
        return
    tensors = state.inspection.tensors
    visit(state, parse_tensor_index(text, {info.name: info.shape for info in tensors.values()}))


def visit(state: State, target: TensorIndex) -> None:
    """Show a value or a tensor on Map, and inspect it."""
    info = state.inspection.tensors.get(target.name)
    if info is None:
        return
    state.inspection.point_at(target if target.index else info.first)
    open_map(state)
    state.map.go(target)


def fly(state: State, target: TensorIndex, now: float) -> None:
    """As `visit`, but the camera flies there; in pictures and tours it is there at once. now: in seconds."""
    info = state.inspection.tensors.get(target.name)
    if info is None or not state.live:
        visit(state, target)
        return
    state.inspection.point_at(target if target.index else info.first)
    open_map(state)
    state.map.fly(target, now)


def makers(state: State) -> TensorIndex | None:
    """The first of the weights that produced the inspected value; None for a weight, or when nothing is inspected."""
    inspection, registry = state.inspection, state.map.registry
    if inspection.focus is None or registry is None:
        return None
    target = inspection.single(inspection.focus)
    if target.name not in registry or registry[target.name].rows is not None:
        return None
    return made_by(target, registry)


def go_to_makers(state: State) -> None:
    """Show the weights that produced the inspected value. They stay outlined until the selection is cleared."""
    target, focus, registry = makers(state), state.inspection.focus, state.map.registry
    if target is not None and focus is not None and registry is not None:
        state.map.sources = source_range(state.inspection.single(focus), registry)
        visit(state, target)
