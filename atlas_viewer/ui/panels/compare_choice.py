"""The choice of B, in the Compare panel."""

from __future__ import annotations

from imgui_bundle import imgui

from atlas_viewer.state import comparing as ab
from atlas_viewer.state.comparing import Choice
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from .widgets import beside, elided, quoted, tooltip

_KIND, _FIELD, _LEAST = 14.0, 26.0, 10.0  # ems: of the list of kinds, and of the field, at most and at least
_HINTS = {
    ab.EDITS: "edits of B; none: without edits",
    ab.PROMPT: "the text of B",
    ab.MODEL: "a name or path, as for --model",
}


def draw(state: State) -> None:
    """Draw what kind of thing B is, which one it is, and the buttons that begin and end the comparison."""
    comparing = state.comparing
    imgui.align_text_to_frame_padding()
    imgui.text("B is")
    imgui.same_line()
    imgui.set_next_item_width(min(theme.em(_KIND), imgui.get_content_region_avail().x))
    if widget_tracking.begin_combo("##kind of B", ab.KIND_TITLES[comparing.kind]):
        for kind in ab.KINDS:
            if widget_tracking.selectable(f"{ab.KIND_TITLES[kind]}##{kind}", kind == comparing.kind)[0]:
                comparing.kind = kind
        imgui.end_combo()
    style = imgui.get_style()
    buttons = sum(imgui.calc_text_size(text).x + 2 * style.frame_padding.x + style.item_spacing.x
                  for text in ("Compare", "Stop"))  # fmt: skip
    beside(theme.em(_LEAST) + buttons)
    imgui.set_next_item_width(max(min(imgui.get_content_region_avail().x - buttons, theme.em(_FIELD)), theme.em(4)))
    entered = _field(state)
    imgui.same_line()
    choice = _chosen(state)
    imgui.begin_disabled(choice is None)
    if (widget_tracking.button("Compare##b") or entered) and choice is not None:
        comparing.choose(choice)
    imgui.end_disabled()
    tooltip("Compute B beside the step on screen, and show both. It takes memory for a second set of activations.")
    imgui.same_line()
    imgui.begin_disabled(comparing.choice is None)
    if widget_tracking.button("Stop##b"):
        comparing.choose(None)
    imgui.end_disabled()
    tooltip("End the comparison, and free its memory")


def _field(state: State) -> bool:
    """Draw the field or list for the kind; true when Enter was pressed in it, or an entry chosen."""
    comparing, kind = state.comparing, state.comparing.kind
    typed = comparing.typed.get(kind, "")
    if kind in _HINTS:
        changed, text = widget_tracking.input_text_with_hint(f"##B {kind}", _HINTS[kind], typed)
        if changed:
            comparing.typed[kind] = text
        return imgui.is_item_deactivated_after_edit() and imgui.is_key_pressed(imgui.Key.enter, False)
    entries = _steps(state) if kind == ab.STEP else _runs(state)
    shown = dict(entries).get(typed, "choose one" if entries else "there are no others")
    chosen = False
    if widget_tracking.begin_combo(f"##B {kind}", elided(shown, theme.em(_FIELD))):
        for value, title in entries:
            if widget_tracking.selectable(f"{title}##{value}", value == typed)[0]:
                comparing.typed[kind], chosen = value, True
        imgui.end_combo()
    return chosen


def _steps(state: State) -> list[tuple[str, str]]:
    run, step = state.run, state.step
    if run is None or step is None:
        return []
    return [(str(one.index), f"#{one.index + 1} {quoted(one.text)}") for one in run.steps if one.index != step.index]


def _runs(state: State) -> list[tuple[str, str]]:
    return [(str(run.number), f"{run.number} {run.title}") for run in state.runs.order() if run is not state.run]


def _chosen(state: State) -> Choice | None:
    """What the fields say; None while something is missing."""
    comparing, kind = state.comparing, state.comparing.kind
    typed = comparing.typed.get(kind, "")
    if kind == ab.EDITS:
        return Choice(kind, text="\n".join(part.strip() for part in typed.split(";") if part.strip()))
    if kind in (ab.PROMPT, ab.MODEL):
        return Choice(kind, text=typed) if typed.strip() else None
    if typed not in dict(_steps(state) if kind == ab.STEP else _runs(state)):
        return None
    return Choice(kind, step=int(typed)) if kind == ab.STEP else Choice(kind, run=int(typed))
