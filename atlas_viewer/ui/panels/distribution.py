"""The full distribution of the chosen step: figures, a plot by rank, and the distribution at another step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui, implot

from atlas_viewer.state.distribution import SHARES, Curve, Cut, Distribution, Shape
from atlas_viewer.state.protocols import TokenCodec
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.services import Services

from .step_compare import compare_choice
from .widgets import dim, elided, hint, packed, quoted, tooltip

NAME = "Distribution"

# In ems.
_LABELS, _VALUES = 7.6, 4.8
_LEAST_PLOT = 16.0  # minimum width for placing the plot beside the figures instead of below them
_NAMED = 13.0  # minimum height of a plot with axis labels
_LOWEST = 1e-10  # probability at the bottom of the logarithmic plot
_SOFT = 0.4  # opacity of a running sum
_MEANINGS = {
    "entropy": "Uncertainty in bits: 0 is certain. Recordings and JSON give it in nats; 1 bit is 0.693 nats.",
    "perplexity": "2 to the power of the entropy: the number of equally likely tokens with the same uncertainty",
    "divergence": "Kullback-Leibler divergence of this step from the other one, in bits",
    "model": "Model probability: softmax of the logits. Bright: probability; faint: its running sum",
    "draw": "Sampling probability: after penalty, temperature and filters",
}


@dataclass(frozen=True)
class Drawn:
    """A curve of the plot, and its figures."""

    name: str
    shape: Shape
    curve: Curve
    ink: ImVec4
    summed: bool  # True: its running sum is drawn, too


def draw(state: State, services: Services) -> None:
    """Draw the figures, and the plot beside them, or below them in a narrow panel."""
    if state.step is None:
        hint("The probability of every token at the chosen step by rank, the running sum, and the filters' cuts.")
        return
    whole = state.current_distribution
    if whole is None:
        hint("The full distribution is read when the run is paused or finished.")
        return
    if whole.nonfinite == whole.logits.size:
        imgui.text_colored(theme.now.error, "No logit of this step is finite.")
        return
    drawn = _drawn(state, whole)
    available, style = imgui.get_content_region_avail(), imgui.get_style()
    figures = theme.em(_LABELS + _VALUES * len(drawn)) + style.scrollbar_size
    figures += 2 * style.cell_padding.x * (1 + len(drawn))
    beside = available.x >= figures + theme.em(_LEAST_PLOT)
    size = ImVec2(figures, 0) if beside else ImVec2(0, min(theme.em(11), 0.5 * available.y))
    if imgui.begin_child("figures", size):
        _figures(state, whole, drawn)
    imgui.end_child()
    if beside:
        imgui.same_line()
    _plot(state, whole, drawn, services.tokenizer)


def _drawn(state: State, whole: Distribution) -> list[Drawn]:
    drawn = [
        Drawn("model", whole.model_shape, whole.model_curve, theme.now.accent, True),
        Drawn("draw", whole.drawn_shape, whole.drawn_curve, theme.now.text, False),
    ]
    other = state.compared_distribution
    if other is not None:
        drawn.append(Drawn(f"#{other.step + 1}", other.model_shape, other.model_curve, theme.now.text_dim, True))
    return drawn


# -- figures


def _figures(state: State, whole: Distribution, drawn: Sequence[Drawn]) -> None:
    log = "log"
    toggle = imgui.get_frame_height() + imgui.calc_text_size(log).x + 2 * imgui.get_style().item_spacing.x
    compare_choice(state, "plot", imgui.get_content_region_avail().x - toggle)
    imgui.same_line()
    _, state.logits.log_probability = widget_tracking.checkbox(f"{log}###log", state.logits.log_probability)
    tooltip("Probabilities on a logarithmic scale")
    if imgui.begin_table("figures", 1 + len(drawn), imgui.TableFlags_.sizing_fixed_fit):
        imgui.table_setup_column("what", imgui.TableColumnFlags_.width_fixed, theme.em(_LABELS))
        for column in drawn:
            imgui.table_setup_column(column.name, imgui.TableColumnFlags_.width_fixed, theme.em(_VALUES))
        _headings(state, whole, drawn)
        for label, meaning, values in _rows([column.shape for column in drawn]):
            _row(label, meaning, values)
        difference = state.logits.difference(whole, state.compared_distribution)
        if difference is not None:
            _row("divergence, bits", _MEANINGS["divergence"], ["", "", f"{difference.divergence:.3f}"])
        for cut in whole.cuts:
            _row(cut.label, f"This filter keeps the {cut.kept:,} likeliest tokens", ["", f"{cut.kept:,}"])
        imgui.end_table()
    if state.compared_step is not None and state.compared_distribution is None:
        hint("The other step's distribution is read when the run is paused or finished.")


def _headings(state: State, whole: Distribution, drawn: Sequence[Drawn]) -> None:
    """The step's token, then the names of the curves with their colors."""
    imgui.table_next_row()
    imgui.table_next_column()
    token = f"#{whole.step + 1} {quoted(state.step.text)}" if state.step is not None else ""
    with theme.numbers():
        imgui.text_colored(theme.now.accent, elided(token, theme.em(_LABELS)))
    tooltip(token)
    for column in drawn:
        imgui.table_next_column()
        corner, line = imgui.get_cursor_screen_pos(), imgui.get_text_line_height()
        middle = corner.y + 0.5 * line
        end = ImVec2(corner.x + theme.em(0.8), middle + theme.em(0.1))
        imgui.get_window_draw_list().add_rect_filled(ImVec2(corner.x, middle - theme.em(0.1)), end, packed(column.ink))
        imgui.dummy(ImVec2(theme.em(0.8), line))
        imgui.same_line(0, theme.em(0.3))
        dim(column.name)
        tooltip(_MEANINGS.get(column.name, "Model probability at the other step"))


def _rows(shapes: Sequence[Shape]) -> Iterator[tuple[str, str, list[str]]]:
    """Label, help text, and the value for each of `shapes`."""
    yield "entropy, bits", _MEANINGS["entropy"], [f"{shape.entropy:.3f}" for shape in shapes]
    yield "perplexity", _MEANINGS["perplexity"], [f"{shape.perplexity:,.2f}" for shape in shapes]
    for at, share in enumerate(SHARES):
        percentage = f"{100 * share:g} %"
        meaning = f"How many of the likeliest tokens add up to {percentage} of the probability"
        yield f"tokens for {percentage}", meaning, [f"{shape.holding[at]:,}" for shape in shapes]


def _row(label: str, meaning: str, values: Sequence[str]) -> None:
    imgui.table_next_row()
    imgui.table_next_column()
    dim(label)
    tooltip(meaning)
    with theme.numbers():
        for value in values:
            imgui.table_next_column()
            imgui.text(value)


# -- plot


def _plot(state: State, whole: Distribution, drawn: Sequence[Drawn], tokenizer: TokenCodec | None) -> None:
    if implot.get_current_context() is None:
        implot.create_context()
    axes, log = implot.ImAxis_, state.logits.log_probability
    kinds, available = implot.Flags_, imgui.get_content_region_avail()
    flags = kinds.no_menus | kinds.no_box_select | kinds.no_mouse_text | kinds.no_legend
    implot.push_style_color(implot.Col_.frame_bg, ImVec4(0, 0, 0, 0))
    implot.push_style_color(implot.Col_.plot_bg, theme.now.back_deep)
    implot.push_style_var(implot.StyleVar_.plot_padding, ImVec2(theme.em(0.2), theme.em(0.4)))
    implot.push_style_var(implot.StyleVar_.plot_min_size, ImVec2(theme.em(6), theme.em(4)))
    # The linear scale follows the step: a separate id for each step makes imgui set the limits again.
    if implot.begin_plot("##log" if log else f"##linear {whole.step}", ImVec2(-1, -1), flags):
        faint = implot.AxisFlags_.no_highlight
        if available.y < theme.em(_NAMED):
            faint |= implot.AxisFlags_.no_label
        implot.setup_axis(axes.x1, "rank", faint)
        implot.setup_axis(axes.y1, "probability", faint)
        implot.setup_axis(axes.y2, "running sum", faint | implot.AxisFlags_.aux_default)
        implot.setup_axis_scale(axes.x1, implot.Scale_.log10)
        if log:
            implot.setup_axis_scale(axes.y1, implot.Scale_.log10)
        highest = max(float(column.curve.probability[0]) for column in drawn)
        implot.setup_axis_limits(axes.x1, 0.9, 1.1 * whole.logits.size)
        implot.setup_axis_limits(axes.y1, _LOWEST if log else 0.0, 2.0 if log else 1.05 * highest)
        implot.setup_axis_limits(axes.y2, 0.0, 1.05)
        implot.setup_finish()
        _curves(state, whole, drawn)
        _cuts(whole.cuts)
        _pointer(whole, tokenizer)
        implot.end_plot()
        widget_tracking.track("distribution plot")
    implot.pop_style_var(2)
    implot.pop_style_color(2)


def _curves(state: State, whole: Distribution, drawn: Sequence[Drawn]) -> None:
    weight, step = max(1.0, theme.em(0.1)), state.step
    implot.set_axis(implot.ImAxis_.y2)
    for column in drawn:
        if column.summed:
            soft = ImVec4(column.ink.x, column.ink.y, column.ink.z, _SOFT * column.ink.w)
            spec = implot.Spec(line_color=soft, line_weight=weight)
            implot.plot_line(f"{column.name} sum", column.curve.rank, column.curve.cumulative, spec)
    implot.set_axis(implot.ImAxis_.y1)
    for column in reversed(drawn):
        spec = implot.Spec(line_color=column.ink, line_weight=1.5 * weight)
        implot.plot_line(column.name, column.curve.rank, column.curve.probability, spec)
    if step is not None and whole.model[step.token] > 0:
        rank, probability = float(whole.rank[step.token]), float(whole.model[step.token])
        spec = implot.Spec(marker=implot.Marker_.circle, marker_size=theme.em(0.3))
        spec.marker_fill_color, spec.marker_line_color = theme.now.accent, theme.now.text
        implot.plot_scatter("taken", np.array([rank]), np.array([probability]), spec)


def _cuts(cuts: Sequence[Cut]) -> None:
    """Draw a vertical line after the last token that each filter keeps, labeled from the top down."""
    top = implot.get_plot_limits().y.max
    for index, cut in enumerate(cuts):
        x = cut.kept + 0.5
        implot.plot_inf_lines(f"##{cut.name}", np.array([x]), implot.Spec(line_color=theme.now.accent))
        below = theme.em(0.3 + 1.5 * index)
        if below + theme.em(1.5) < implot.get_plot_size().y:  # implot would move a lower label over the previous one
            implot.annotation(x, top, theme.now.raised, ImVec2(theme.em(0.3), below), True, cut.label)


def _pointer(whole: Distribution, tokenizer: TokenCodec | None) -> None:
    """A tooltip about the token at the rank under the mouse."""
    if not implot.is_plot_hovered():
        return
    rank = round(implot.get_plot_mouse_pos().x)
    if not 1 <= rank <= whole.order.size:
        return
    token = int(whole.order[rank - 1])
    text = quoted(tokenizer.token_label(token)) if tokenizer else f"token {token}"
    implot.plot_inf_lines("##pointer", np.array([float(rank)]), implot.Spec(line_color=theme.now.text_dim))
    total = whole.model_sum[rank - 1]
    imgui.set_tooltip(
        f"rank {rank:,}: {text}\nsampling probability {100 * whole.drawn[token]:.4g} %\n"
        f"model probability {100 * whole.model[token]:.4g} %\nits running sum {100 * total:.4g} %"
    )
