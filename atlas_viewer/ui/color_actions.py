"""Actions on the color mapping."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from atlas_viewer.state.color_mapping import CURVES, SAMPLINGS, SCALES
from atlas_viewer.state.state import State


def toggle_sampling(state: State) -> None:
    """Switch between pool and point sampling."""
    inspection = state.inspection
    now = SAMPLINGS.index(inspection.mapping.sampling)
    inspection.mapping = dataclasses.replace(inspection.mapping, sampling=SAMPLINGS[(now + 1) % len(SAMPLINGS)])


def next_palette(state: State) -> None:
    """Use the next palette."""
    inspection = state.inspection
    at = state.palettes.index(inspection.mapping.palette) if inspection.mapping.palette in state.palettes else -1
    palette = state.palettes[(at + 1) % len(state.palettes)]
    inspection.mapping = dataclasses.replace(inspection.mapping, palette=palette)


def next_curve(state: State) -> None:
    """Use the next curve from shares of the range to brightness."""
    inspection = state.inspection
    at = CURVES.index(inspection.mapping.curve)
    inspection.mapping = dataclasses.replace(inspection.mapping, curve=CURVES[(at + 1) % len(CURVES)])


def next_range(state: State) -> None:
    """Switch between a range per tensor and one for all."""
    inspection = state.inspection
    at = SCALES.index(inspection.mapping.span_scale)
    inspection.mapping = dataclasses.replace(inspection.mapping, span_scale=SCALES[(at + 1) % len(SCALES)])


def adjust(exposure: float, offset: float) -> Callable[[State], None]:
    """An action that adds `exposure`, in stops, and `offset`, a fraction of the range."""

    def change(state: State) -> None:
        mapping = state.inspection.mapping
        state.inspection.mapping = mapping.adjusted(mapping.exposure + exposure, mapping.offset + offset)

    return change


def reset_colors(state: State) -> None:
    """Reset exposure, offset and range."""
    state.inspection.mapping = dataclasses.replace(
        state.inspection.mapping, exposure=0.0, offset=0.0, low=0.0, high=None
    )
