"""The steering section of the Patching panel: a vector from two lists of texts, and its strength as an edit."""

from __future__ import annotations

from imgui_bundle import imgui

from atlas_viewer.state import patching_actions
from atlas_viewer.state.patching_view import Steering
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from . import patching
from .widgets import beside, elided, hint, tooltip

_SLIDER, _MOST = 14.0, 10.0


def draw(state: State, about: str) -> None:
    """Draw what is known of the vector, its slider, and the field to save it."""
    steering = state.patching.steering
    if steering is None:
        hint(about)
        return
    width = imgui.get_content_region_avail().x
    text = f"{steering.job.at}: length {steering.size:.2f}; the rows it comes from are {steering.rows:.2f} long"
    with theme.numbers():
        imgui.text_colored(theme.now.text if state.patching.current else theme.now.text_dim, elided(text, width))
    tooltip("A vector much longer than the rows that it is added to takes the model out of its usual range")
    _strength(state, steering)
    if state.patching.note == "":
        hint(about)
    patching.save(state, "steering.npz", "npz with the model, the activation and the texts; npy has the numbers only")


def _strength(state: State, steering: Steering) -> None:
    """A slider that adds the vector to the list of edits, and changes its strength there."""
    view = state.patching
    imgui.set_next_item_width(theme.em(_SLIDER))
    changed, strength = widget_tracking.slider_float("##patching strength", view.strength, -_MOST, _MOST, "%.1f times")
    tooltip("The factor of the vector, which is added at every position; below 0 it leads from A to B")
    if changed:
        view.strength = strength
        patching_actions.steer(state, steering, only_applied=True)
    if imgui.is_item_deactivated():
        state.edits.end_gesture()
    label = "Applied" if patching_actions.applied(state) else "Apply as edit"
    beside(imgui.calc_text_size(label).x + 2 * imgui.get_style().frame_padding.x)
    imgui.begin_disabled(patching_actions.applied(state))
    if widget_tracking.button(f"{label}###Strength##patching"):
        patching_actions.steer(state, steering)
    imgui.end_disabled()
    tooltip("Add the vector to the list of edits, where it can be switched off; the slider then changes its strength")
