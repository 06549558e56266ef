"""Over Map, in slow motion: play and pause, a scrubber over the tensors of the pass, and a sentence about each."""

from __future__ import annotations

from imgui_bundle import imgui

from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import context_token
from atlas_viewer.state.wavefront_control import one_further
from atlas_viewer.ui import theme, walk_actions, widget_tracking

from .floating import floating
from .toolbar import button_width
from .widgets import beside, dim, drawable, tooltip

_WIDTH = 52.0  # ems


def draw(state: State) -> None:
    """Draw the bar while the slow motion is on."""
    wave = state.wavefront
    if not wave.on:
        return
    with floating("slow motion", _WIDTH) as width:
        if wave.waits:
            dim("computing the next token ...")
            return
        label = "Pause" if wave.playing else "Play"
        if widget_tracking.button(f"{label}###wave play"):
            wave.play()
        tooltip("Shift+Space")
        beside(theme.em(3))
        if widget_tracking.button("<###wave back"):
            one_further(state, -1)
        tooltip("Previous tensor  Alt+,")
        beside(theme.em(3))
        if widget_tracking.button(">###wave on"):
            one_further(state, 1)
        tooltip("Next tensor  Alt+.")
        beside(theme.em(8))
        buttons = button_width("Next token") + button_width("Close") + 2 * imgui.get_style().item_spacing.x
        imgui.set_next_item_width(max(imgui.get_content_region_avail().x - buttons, theme.em(6)))
        last = len(wave.steps)
        changed, number = widget_tracking.slider_int("###wave scrubber", wave.index + 1, 1, last, f"%d of {last}")
        if changed:
            wave.seek(number - 1)
        tooltip("The tensors of the pass, in the order in which the model computes them")
        beside(button_width("Next token"))
        if widget_tracking.button("Next token###wave next"):
            walk_actions.slow(state)
        tooltip("Generate a token, and show its pass  Shift+.")
        beside(button_width("Close"))
        if widget_tracking.button("Close###wave close"):
            wave.stop()
        tooltip("Escape")
        token = context_token(state, state.inspection.rows - 1)
        imgui.push_text_wrap_pos(imgui.get_cursor_pos_x() + width)
        with theme.colored(imgui.Col_.text, theme.now.accent):
            imgui.text(drawable(wave.step.name) + (f" of {quoted(token[1])}" if token else ""))
        imgui.text_wrapped(drawable(wave.step.about))
        imgui.pop_text_wrap_pos()
