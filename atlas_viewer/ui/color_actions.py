"""Actions on the colors of cells and chips."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from atlas_viewer.state.color_mapping import CURVES, SAMPLINGS, SCALES
from atlas_viewer.state.state import State
from atlas_viewer.state.ui_state import CHIP_COLORS


def _following(field: str, values: Sequence[str]) -> Callable[[State], None]:
    """An action that sets a field of the color mapping to the next of `values`, to the first after the last."""

    def change(state: State) -> None:
        inspection = state.inspection
        now = getattr(inspection.mapping, field)
        at = values.index(now) if now in values else -1
        changed: dict[str, Any] = {field: values[(at + 1) % len(values)]}
        inspection.mapping = dataclasses.replace(inspection.mapping, **changed)

    return change


toggle_sampling = _following("sampling", SAMPLINGS)
next_curve = _following("curve", CURVES)
next_range = _following("span_scale", SCALES)


def next_palette(state: State) -> None:
    """Use the next palette."""
    _following("palette", state.palettes)(state)


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


def next_chip_color(state: State) -> None:
    """Color the chips in the next way."""
    ui = state.ui
    at = CHIP_COLORS.index(ui.chip_color)
    ui.chip_color = CHIP_COLORS[(at + 1) % len(CHIP_COLORS)]
