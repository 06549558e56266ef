"""The neurons that contribute most to the logit, in the Attribution panel."""

from __future__ import annotations

import time

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import attribution_links
from atlas_viewer.state.attribution_view import Shown
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from compute.lens.attribution import NeuronPart

from . import attribution_colors
from .widgets import elided, hint, tooltip

_COLUMNS = (
    ("#", 1.8, "By the size of the contribution"),
    ("neuron", 10.5, "Its value in the activation. Click: go to it on Map"),
    ("contribution", 9.5, "What it adds to the logit: its value times its column of the matrix after it"),
    ("value", 5.2, "The neuron's own value at this position"),
    ("weight row", 14.0, "The weights with which it reads the residual stream. Click: go to them on Map"),
    ("explanation", 0.0, "What the activation is"),
)
_LEAST = 11.5  # ems, for the explanation


def draw(state: State, shown: Shown) -> None:
    """Draw the table."""
    neurons = shown.parts.neurons
    if not neurons:
        hint("This model has no neurons between two matrices, so none is listed.")
        return
    flags = imgui.TableFlags_
    available = imgui.get_content_region_avail()
    narrow = available.x < theme.em(sum(width for _, width, _ in _COLUMNS) + _LEAST)
    style = (flags.scroll_x if narrow else 0) | flags.scroll_y | flags.row_bg | flags.sizing_fixed_fit | flags.resizable
    if not imgui.begin_table("neurons", len(_COLUMNS), style, available):
        return
    imgui.table_setup_scroll_freeze(0, 1)
    for name, width, _ in _COLUMNS:
        kind = imgui.TableColumnFlags_.width_fixed if width or narrow else imgui.TableColumnFlags_.width_stretch
        imgui.table_setup_column(name, kind, theme.em(width or _LEAST))
    imgui.table_next_row(imgui.TableRowFlags_.headers)
    for name, _, about in _COLUMNS:
        imgui.table_next_column()
        imgui.table_header(name)
        tooltip(about)
    scale = attribution_colors.Scale.of(neuron.value for neuron in neurons)
    clipper = imgui.ListClipper()
    clipper.begin(len(neurons))
    while clipper.step():
        for at in range(clipper.display_start, clipper.display_end):
            _row(state, shown, at + 1, neurons[at], scale)
    clipper.end()
    imgui.end_table()


def _row(state: State, shown: Shown, rank: int, neuron: NeuronPart, scale: attribution_colors.Scale) -> None:
    imgui.table_next_row()
    imgui.table_next_column()
    imgui.text_colored(theme.now.text_dim, str(rank))
    imgui.table_next_column()
    name = f"{neuron.name}[{shown.aim.row}, {neuron.index}]"
    with theme.numbers():
        if widget_tracking.selectable(f"{name}###neuron {rank}", False)[0]:
            attribution_links.open_neuron(state, shown, neuron, time.perf_counter())
        if imgui.is_item_hovered():
            state.hovered = attribution_links.of_neuron(shown, neuron)
        imgui.table_next_column()
        _contribution(state, neuron.value, scale)
        imgui.table_next_column()
        imgui.text(f"{neuron.activation:+.4f}")
        imgui.table_next_column()
        _weights(state, rank, neuron)
    imgui.table_next_column()
    imgui.text_colored(theme.now.text_dim, elided(neuron.about, imgui.get_content_region_avail().x))
    tooltip(neuron.about)


def _weights(state: State, rank: int, neuron: NeuronPart) -> None:
    """Draw the row of weights as stripes, each in the color of the largest of its weights; a click leads to it."""
    name = f"{neuron.reads}[{neuron.index}]"
    values = state.attribution.rows.get((neuron.reads, neuron.index))
    corner, width = imgui.get_cursor_screen_pos(), imgui.get_content_region_avail().x
    text = name if values is None else ""
    if widget_tracking.selectable(f"{text}###reads {rank}", False)[0]:
        attribution_links.open_row(state, neuron, time.perf_counter())
    if values is not None:
        attribution_colors.stripes(state, corner, ImVec2(width, imgui.get_text_line_height()), values)
    tooltip(
        f"{name}: the weights with which it reads the residual stream. Click: go to them on Map\n"
        f"It adds to the stream with column {neuron.index} of {neuron.writes}"
    )


def _contribution(state: State, value: float, scale: attribution_colors.Scale) -> None:
    corner, width = imgui.get_cursor_screen_pos(), imgui.get_content_region_avail().x
    text = f"{value:+.4f}"
    wide = theme.em(4.4)
    imgui.text(text)
    if width - wide > theme.em(1.5):
        start = ImVec2(corner.x + wide, corner.y)
        attribution_colors.bar(state, start, width - wide, imgui.get_text_line_height(), value, scale)
