"""The choice of a step to compare with, in two panels."""

from __future__ import annotations

from imgui_bundle import imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking

from .widgets import elided, quoted, tooltip

_NOTHING = "compare with a step"


def compare_choice(state: State, panel: str, width: float) -> None:
    """Draw a list of the run's other steps, `width` pixels wide. panel: makes the widget's id unique."""
    run, step, against = state.run, state.step, state.compared_step
    if run is None or step is None:
        return
    imgui.set_next_item_width(width)
    shown = f"compared with #{against.index + 1} {quoted(against.text)}" if against is not None else _NOTHING
    text_width = width - imgui.get_frame_height() - 2 * imgui.get_style().frame_padding.x
    opened = widget_tracking.begin_combo(f"##compare {panel}", elided(shown, text_width))
    if not opened:
        tooltip("Step to compare this one with, by model probabilities; available when the run is paused or finished")
        return
    if widget_tracking.selectable("no step###nothing", against is None)[0]:
        state.compare(None)
    clipper = imgui.ListClipper()
    clipper.begin(len(run.steps))
    while clipper.step():
        for index in range(clipper.display_start, clipper.display_end):
            other = run.steps[index]
            label = f"#{index + 1} {quoted(other.text)}###against{index}"
            flags = imgui.SelectableFlags_.disabled if index == step.index else 0
            if widget_tracking.selectable(label, index == state.compared, flags)[0]:
                state.compare(index)
    clipper.end()
    imgui.end_combo()
