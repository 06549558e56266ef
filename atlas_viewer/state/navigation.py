"""Atlas and map alike: what keys, the list of tensors and the alarm do to whichever of the two is looked at."""

from __future__ import annotations

from .inspection import frame_span
from .map_addresses import Target, made_by, parse_place
from .map_hit_test import spot_of, target_of
from .state import State

ATLAS, MAP = "Atlas", "Map"


def on_map(state: State) -> bool:
    """True when the map is the one that is looked at."""
    return state.ui.view == MAP


def show(state: State, name: str, index: int = 0) -> None:
    """Inspect a value of the tensor `name`, and frame the tensor."""
    info = state.inspection.tensors.get(name)
    if info is None:
        return
    state.inspection.point_at(name, index)
    if on_map(state):
        state.map.frame(name)
    elif info.span is not None:
        frame_span(state.camera, info.span)


def fit(state: State) -> None:
    """Show everything."""
    if on_map(state):
        state.map.fit()
    else:
        state.camera.reset()


def zoom(state: State, units: float) -> None:
    """Zoom about the middle by `units` of the wheel."""
    if on_map(state):
        state.map.zoom_by(units)
    else:
        state.camera.wheel(units, 0.5, 0.5)


def open_map(state: State) -> None:
    """Bring the map to the front."""
    state.ui.front = state.ui.view = MAP


def go(state: State, text: str) -> None:
    """Show the place on the map that `text` names, and inspect its value; or a part of the model, by its title.

    Raises `UsageError`.
    """
    layout = state.map.layout
    if layout is not None and text.strip() in (region.title for region in layout.regions):
        open_map(state)
        state.map.frame(text.strip())
        return
    tensors = state.inspection.tensors
    visit(state, parse_place(text, {info.name: info.shape for info in tensors.values()}))


def visit(state: State, target: Target) -> None:
    """Show this place on the map, and inspect its value."""
    element = spot_of(target, state.inspection.tensors)
    if element is None:
        return
    state.inspection.point_at(element.name, element.index)
    open_map(state)
    state.map.go(target)


def makers(state: State) -> Target | None:
    """The first of the weights that made the value that is inspected; None when it is a weight, or nothing is."""
    inspection, registry = state.inspection, state.map.registry
    if inspection.focus is None or registry is None:
        return None
    target = target_of(inspection.single(inspection.focus), inspection.tensors)
    if target is None or target.name not in registry or registry[target.name].rows is not None:
        return None
    return made_by(target, registry)


def go_to_makers(state: State) -> None:
    """Show the weights that made the value that is inspected."""
    target = makers(state)
    if target is not None:
        visit(state, target)
