"""The Attribution panel: a logit, or the difference of two, split into what each part of the model adds to it."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.attribution_view import NEURONS, PARTS, SECTIONS, STREAM, AttributionView, Shown
from atlas_viewer.state.navigation import ATTRIBUTION
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import token_at
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.services import Services

from . import attribution_neurons, attribution_parts, attribution_stream
from .toolbar import button_width
from .widgets import beside, dim, elided, hint, quoted, tooltip, wrapped

NAME = ATTRIBUTION

# In ems: widths of the fields.
_FIELD, _POSITION = 8.5, 5.0
_TITLES = {PARTS: "Parts", STREAM: "Stream", NEURONS: "Neurons"}
_ABOUT = {
    PARTS: "What every head, MLP, bias and embedding adds to the logit",
    STREAM: "The length of the residual stream, what each block adds to it, and where it points",
    NEURONS: "The 50 neurons that add most to the logit or take most from it",
}


def draw(state: State, services: Services) -> None:
    """Draw the fields, the sum with its check, and the section in front."""
    view = state.attribution
    view.marks = {}
    if view.problem:
        hint(view.problem)
        return
    if state.step is None:
        hint("What each head, MLP, bias and embedding adds to the logit of a generated token.")
        return
    if state.ui.tools:
        imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(imgui.get_style().frame_padding.x, theme.em(0.1)))
        _sections(view)
        _fields(state)
        imgui.pop_style_var()
    if view.error:
        wrapped(view.error, theme.now.error)
    shown = view.shown
    if shown is None:
        if not view.error:
            hint("The parts are being computed.")
        return
    _sum(state, services, shown)
    if view.section == PARTS:
        attribution_parts.draw(state, shown)
    elif view.section == NEURONS:
        attribution_neurons.draw(state, shown)
    else:
        attribution_stream.draw(view.stream)


def _sections(view: AttributionView) -> None:
    """The buttons of the sections."""
    for at, section in enumerate(SECTIONS):
        if at:
            imgui.same_line(0, imgui.get_style().item_spacing.x / 2)
        on = view.section == section
        with theme.colored(imgui.Col_.button, theme.now.accent_dim if on else theme.now.raised):
            if widget_tracking.button(f"{_TITLES[section]}###{_TITLES[section]}##attribution"):
                view.section = section
        tooltip(f"{_ABOUT[section]}  Shift+Y")


def _fields(state: State) -> None:
    """Target, the token to compare with, and the position; empty fields show what they stand for."""
    view, step, run = state.attribution, state.step, state.run
    assert step is not None
    assert run is not None
    about = "Text that is one token, where a leading space matters, or an id such as id:11"
    view.target = _field(
        "target", view.target, quoted(step.text), _FIELD, f"{about}. Empty: the token of the step shown"
    )
    view.against = _field(
        "against", view.against, "none", _FIELD, f"{about}. With it, the difference of the two logits is split"
    )
    predicted = len(run.prompt_tokens) + step.index - 1
    view.position = _field(
        "position", view.position, str(predicted), _POSITION,
        "The token after which the logit is read, counted from 0; -1 is the last. Empty: that before the step shown",
    )  # fmt: skip
    if view.target or view.against or view.position:
        if beside(button_width("Reset")) and widget_tracking.button("Reset###Reset##attribution"):
            view.target = view.against = view.position = ""
        tooltip("Explain the token of the step shown")


def _field(name: str, text: str, empty: str, width: float, tip: str) -> str:
    """A text field with its name before it; `empty` is shown in an empty one."""
    gap = imgui.get_style().item_inner_spacing.x
    beside(imgui.calc_text_size(name).x + gap + theme.em(width))
    imgui.align_text_to_frame_padding()
    dim(name)
    imgui.same_line(0, gap)
    imgui.set_next_item_width(theme.em(width))
    inside = theme.em(width) - 2 * imgui.get_style().frame_padding.x
    _, text = widget_tracking.input_text_with_hint(f"##attribution {name}", elided(empty, inside), text)
    tooltip(tip)
    return text


def _sum(state: State, services: Services, shown: Shown) -> None:
    """Say what is split, and how far the parts are from summing to it; red when they are too far."""
    codec, parts = services.tokenizer, shown.parts

    def name(token: int) -> str:
        return quoted(codec.token_label(token)) if codec is not None else f"token {token}"

    what = f"logit of {name(parts.target)}"
    if parts.against is not None:
        what += f" minus logit of {name(parts.against)}"
    known = token_at(state, shown.aim.position)
    after = f" after token {shown.aim.position}" + (f" {quoted(known[1])}" if known else "")
    check, width = shown.checks[0], imgui.get_content_region_avail().x
    bad = [one for one in shown.checks if not one.ok]
    text = f"{what}{after}: {parts.logit:+.4f}"
    remainder = f"sum of {len(parts.parts)} parts {parts.sum:+.4f}, remainder {parts.sum - parts.logit:+.1e}"
    remainder += f" (at most {check.tolerance:g})"
    with theme.numbers():
        imgui.text_colored(theme.now.text if state.attribution.current else theme.now.text_dim, elided(text, width))
        tooltip(text)
        beside(imgui.calc_text_size(remainder).x)
        imgui.text_colored(theme.now.text_dim if check.ok else theme.now.error, elided(remainder, width))
        tooltip(
            "The sum of all parts minus the logit. The scale of the final norm is kept as it is in this pass,\n"
            "which makes the logit a sum; rounding leaves this remainder.\n"
            + "\n".join(f"{one.name}: error {one.error:.2g} (limit {one.tolerance:g})" for one in shown.checks)
        )
        for one in bad:
            failed = f"{one.name}: FAILED, error {one.error:.2g} (limit {one.tolerance:g})"
            imgui.text_colored(theme.now.error, elided(failed, width))
