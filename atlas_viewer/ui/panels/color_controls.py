"""The color mapping: palette, range and sampling. Part of the Strip and Map panels."""

from __future__ import annotations

import dataclasses

from imgui_bundle import imgui

from atlas_viewer.state.color_mapping import CURVES, SAMPLINGS, SCALES
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.inspector_rows import largest

from .toolbar import Tool
from .widgets import tooltip

_PALETTE, _CHOICE = 7.2, 4.6  # ems
_AUTO = "auto"
_SAMPLING_TIPS = (
    "pool: a cell shows the value of largest magnitude among those it represents; NaN and infinity take precedence\n"
    "point: a cell shows the first of them"
)
_CURVE_TIPS = (
    "root: brightness is the square root of the share of the range, so that small values can be seen\n"
    "linear: brightness is the share of the range\nlog: three decades on a logarithmic scale, for each sign"
)
_SCALE_TIPS = "tensor: each tensor has its own range\nall: all tensors share one range"


def tools(state: State, palettes: tuple[str, ...], *, sampled: bool = True) -> list[Tool]:
    """Palette, range, and whether the range is automatic. sampled: also offer pool and point sampling."""

    def choice(field: str, names: tuple[str, ...], width: float, tip: str) -> Tool:
        return Tool(theme.em(width), lambda: _pick(state, field, names, width, tip))

    palette_tip = "Palette; all except demo are safe for color blindness"
    choices = [
        choice("palette", palettes, _PALETTE, palette_tip),
        choice("span_scale", SCALES, _CHOICE, _SCALE_TIPS),
        choice("curve", CURVES, _CHOICE, _CURVE_TIPS),
        choice("sampling", SAMPLINGS, _CHOICE, _SAMPLING_TIPS),
    ]
    box = imgui.get_frame_height() + imgui.get_style().item_inner_spacing.x + imgui.calc_text_size(_AUTO).x
    return [*(choices if sampled else choices[:3]), Tool(box, lambda: _automatic(state))]


def _automatic(state: State) -> None:
    mapping = state.inspection.mapping
    changed, automatic = widget_tracking.checkbox(f"{_AUTO}###auto", mapping.high is None)
    tooltip("On: the range follows the values. Off: drag the two handles of the color bar.")
    if changed:
        high = None if automatic else (known_largest(state) or 1.0)
        state.inspection.mapping = dataclasses.replace(mapping, low=0.0, high=high)


def _pick(state: State, field: str, names: tuple[str, ...], width: float, tip: str) -> None:
    mapping = state.inspection.mapping
    current = str(getattr(mapping, field))
    imgui.set_next_item_width(theme.em(width))
    if widget_tracking.begin_combo(f"##{field}", current):
        for name in names:
            clicked, _ = widget_tracking.selectable(f"{name}##{field}", name == current)
            if clicked:
                state.inspection.mapping = dataclasses.replace(mapping, **{field: name})  # type: ignore[arg-type]
        imgui.end_combo()
    else:
        tooltip(tip)


def known_largest(state: State) -> float | None:
    """The magnitude shown brightest, for the tensor in focus or for all tensors; None while unknown."""
    inspection = state.inspection
    focus = inspection.focus
    if focus is not None and focus.name in inspection.statistics and inspection.mapping.span_scale == "tensor":
        return largest(inspection, focus.name)
    if inspection.mapping.high is not None:
        return inspection.mapping.high
    return max((known.absmax for known in inspection.statistics.values()), default=None)
