"""Over Map: the invitation to the one-minute tour, and the captions of a tour."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, walk_actions, widget_tracking

from . import drawers
from .floating import floating
from .toolbar import button_width
from .walk_text import paragraphs
from .widgets import beside, dim, primary_button, tooltip

_WIDTH = 46.0  # ems
_INVITATION = "New here? Four captions show what you see."
_TOUR = "Take the one-minute tour"


def draw(state: State) -> None:
    """Draw the caption that is open, or else the invitation."""
    walks = state.walks
    walks.held = False
    ratio = imgui.get_io().display_framebuffer_scale.x
    walks.drawer_width = drawers.width(state.ui) * ratio if state.ui.folded else 0.0
    if walks.caption and walks.page is not None:
        _caption(state)
    elif walks.invited and walks.source is None and state.run is not None and not state.wavefront.on:
        _invitation(state)


def _invitation(state: State) -> None:
    labels = (_TOUR, "No, thanks")
    padding, gap = imgui.get_style().window_padding.x, imgui.get_style().item_spacing.x
    words = imgui.calc_text_size(_INVITATION).x
    width = (words + sum(button_width(label) + gap for label in labels) + 2 * padding) / theme.em(1)
    with floating("invitation", width + 0.2):
        imgui.align_text_to_frame_padding()
        imgui.text(_INVITATION)
        beside(button_width(labels[0]))
        if primary_button(f"{_TOUR}###invitation tour", ImVec2(button_width(_TOUR), 0)):
            walk_actions.minute(state)
        tooltip("You can repeat it from the Help menu  Shift+F3")
        beside(button_width(labels[1]))
        if widget_tracking.button(f"{labels[1]}###invitation no"):
            state.walks.invited = False
        tooltip("The tour is in the Help menu  Escape")


def _caption(state: State) -> None:
    walks, page = state.walks, state.walks.page
    assert page is not None
    with floating("caption", _WIDTH) as width:
        walks.held = imgui.is_window_hovered(imgui.HoveredFlags_.root_and_child_windows)
        ratio = imgui.get_io().display_framebuffer_scale.x
        walks.caption_height = (imgui.get_window_height() + theme.em(1)) * ratio
        with theme.colored(imgui.Col_.text, theme.now.accent):
            imgui.text(page.title)
        paragraphs(state, page, width)
        imgui.align_text_to_frame_padding()
        dim(f"{walks.number + 1} of {walks.pages}")
        last = walks.number + 1 >= walks.pages
        label = "Done" if last else "Next"
        beside(button_width("Back"))
        imgui.begin_disabled(not walks.number)
        if widget_tracking.button("Back###caption back"):
            walks.go(walks.number - 1)
        imgui.end_disabled()
        tooltip("Page Up")
        beside(button_width(label))
        if primary_button(f"{label}###caption next", ImVec2(button_width(label), 0)):
            walks.go(walks.number + 1)
        tooltip("Page Down")
        if last:
            beside(button_width("Guided walk"))
            if widget_tracking.button("Guided walk###caption guided"):
                walk_actions.guided(state)
            tooltip("About 20 short pages that explain it all  F3")
        else:
            beside(button_width("Skip the tour"))
            if widget_tracking.button("Skip the tour###caption skip"):
                walk_actions.close(state)
            tooltip("Escape")
