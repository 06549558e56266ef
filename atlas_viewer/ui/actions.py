"""Everything that a key, a menu entry or the command palette can do, as one list of functions on the state."""

from __future__ import annotations

from collections.abc import Callable

from atlas_viewer.state import navigation, patching_actions, selecting
from atlas_viewer.state.navigation import fit, go_to_makers, makers, on_map, open_attention, open_map, zoom
from atlas_viewer.state.patching_actions import can_compute
from atlas_viewer.state.requests import Screenshot, ShowRun
from atlas_viewer.state.state import State
from atlas_viewer.state.ui_state import THEME_NAMES

from . import file_dialogs, walk_actions
from .action import Action
from .attention_actions import next_order, next_step
from .attribution_actions import can_explain, next_section, open_largest, reset_aim
from .color_actions import adjust, next_chip_color, next_curve, next_palette, next_range, reset_colors, toggle_sampling
from .compare_actions import COMPARE_ACTIONS
from .edit_actions import EDIT_ACTIONS
from .file_actions import choose_in_window, choose_model, choose_picture, choose_recording, open_save
from .lens_actions import next_lens_color
from .panel_titles import DRAWERS, title
from .recording_actions import (
    back_to_live,
    has_live,
    has_recent,
    is_played_back,
    open_recent,
    play_back,
    record,
    record_video,
    seek,
)
from .run_actions import can_continue, can_play, choose, has_steps, one_token, play, relative, stop, undo
from .selection_actions import (
    compare_with_previous,
    has_heads,
    has_layers,
    has_text,
    head,
    ladder,
    layer,
    stop_comparing,
    token,
)
from .timeline_actions import can_advance, first_step, go_to_timeline, last_step, toggle_timeline

_UNITS_PER_PRESS = 100.0  # wheel units for one press of + or -


def _has_model(state: State) -> bool:
    return state.model is not None


def _can_save(state: State) -> bool:
    return state.save.possible


def _go_to_relative(kind: str, title: str, chord: str) -> Action:
    find = relative(kind)

    def go(state: State) -> None:
        number = find(state)
        if number is not None:
            state.requests.append(ShowRun(number))

    return Action(f"runs.{kind}", title, "Run", go, chord, lambda state: find(state) is not None)


def _rename(state: State) -> None:
    if state.run is not None:
        state.ui.renaming, state.ui.renaming_begun = state.run.number, False
        _focus("Runs")(state)


def _escape(state: State) -> None:
    inspection, ui = state.inspection, state.ui
    if walk_actions.escape(state):
        return
    if ui.folded and ui.drawers:
        ui.drawers.pop()
        return
    if ui.lecture:
        ui.lecture = False
        return
    inspection.selected, inspection.cursor, inspection.keyed = None, None, False
    state.map.sources = None
    selecting.clear(state)


def _zoom(units: float) -> Callable[[State], None]:
    return lambda state: zoom(state, units)


def _toggle_trace(state: State) -> None:
    inspection = state.inspection
    inspection.trace_on = not inspection.trace_on
    if inspection.trace_on:
        state.ui.front = "Trace"
    else:
        inspection.trace = ()


def _has_tensors(state: State) -> bool:
    return bool(state.inspection.tensors)


def _has_makers(state: State) -> bool:
    return makers(state) is not None


def _type_index(state: State) -> None:
    open_map(state)
    state.map.going, state.map.going_begun, state.map.refused = True, False, ""


def _toggle_minimap(state: State) -> None:
    state.ui.minimap = not state.ui.minimap


def _toggle_tables(state: State) -> None:
    state.ui.tables = not state.ui.tables


def _toggle_flow(state: State) -> None:
    state.ui.flow = not state.ui.flow


def _toggle_glow(state: State) -> None:
    state.ui.glow = not state.ui.glow


def _toggle_formulas(state: State) -> None:
    state.ui.formulas = not state.ui.formulas


def _open(dialog: str) -> Callable[[State], None]:
    def toggle(state: State) -> None:
        ui = state.ui
        ui.dialog, ui.typed = ("" if ui.dialog == dialog else dialog), ""

    return toggle


def _focus(panel: str) -> Callable[[State], None]:
    def focus(state: State) -> None:
        state.ui.hidden.discard(panel)
        state.ui.front = panel

    return focus


def _find_token(state: State) -> None:
    _focus("Logits")(state)
    state.logits.seeking = True


def _size(steps: int) -> Callable[[State], None]:
    return lambda state: state.ui.step_zoom(steps)


def _automatic_size(state: State) -> None:
    state.ui.zoom = 0.0


def _next_theme(state: State) -> None:
    ui = state.ui
    ui.theme = THEME_NAMES[(THEME_NAMES.index(ui.theme) + 1) % len(THEME_NAMES)]


def _lecture(state: State) -> None:
    state.ui.lecture = not state.ui.lecture
    state.ui.drawers.clear()


def _toggle_drawer(panel: str) -> Callable[[State], None]:
    return lambda state: state.ui.toggle_drawer(panel)


def _reset_layout(state: State) -> None:
    state.ui.reset_layout = True


def _quit(state: State) -> None:
    state.ui.quitting = True


def _screenshot(state: State) -> None:
    state.requests.append(Screenshot())


def _no_dialogs() -> str:
    return file_dialogs.problem()


# Panels that Ctrl+1, Ctrl+2 and so on bring to the front, in this order.
FOCUSED = ("Prompt", "Atlas", "Generated tokens", "Logits", "Tensors", "Inspector", "Output", "Runs", "Trace")

ACTIONS: tuple[Action, ...] = (
    Action("run.generate", "Generate", "Run", State.generate, "Ctrl+Enter", _has_model),
    Action("run.play", "Play or pause the run", "Run", play, "Space", can_play),
    Action("run.step", "Step: generate one token", "Run", one_token, ".", lambda s: not s.busy and can_continue(s)),
    Action("run.slow", "Next token in slow motion", "Run", walk_actions.slow, "Shift+.", walk_actions.has_map),
    Action("run.undo", "Undo: remove the last token", "Run", undo, "Backspace", has_steps),
    Action("run.stop", "Stop the run", "Run", stop, "Ctrl+.", lambda s: s.busy),
    Action("run.previous", "Previous token", "Run", choose(-1), "[", has_steps),
    Action("run.next", "Next token", "Run", choose(1), "]", has_steps),
    Action("run.first", "First token", "Run", first_step, "Home", has_steps),
    Action("run.follow", "Follow the newest token", "Run", last_step, "End", can_advance),
    _go_to_relative("parent", "Go to the parent run", "Alt+Up"),
    _go_to_relative("child", "Go to the first branch of this run", "Alt+Down"),
    _go_to_relative("previous", "Go to the previous sibling run", "Alt+Left"),
    _go_to_relative("next", "Go to the next sibling run", "Alt+Right"),
    Action("runs.rename", "Rename this run", "Run", _rename, "F2", lambda s: s.run is not None),
    Action("atlas.fit", "Fit to the panel", "Atlas", fit, "F"),
    Action("atlas.in", "Zoom in", "Atlas", _zoom(_UNITS_PER_PRESS), "+"),
    Action("atlas.out", "Zoom out", "Atlas", _zoom(-_UNITS_PER_PRESS), "-"),
    Action("atlas.deselect", "Clear the selection", "Atlas", _escape, "Escape"),
    Action("select.left", "Select the token to the left", "Atlas", token(-1), "Ctrl+Left", has_text),
    Action("select.right", "Select the token to the right", "Atlas", token(1), "Ctrl+Right", has_text),
    Action("select.up", "Select the previous layer", "Atlas", layer(-1), "Ctrl+Up", has_layers),
    Action("select.down", "Select the next layer", "Atlas", layer(1), "Ctrl+Down", has_layers),
    Action("select.head", "Select the next head", "Atlas", head(1), "H", has_heads),
    Action("select.before", "Select the previous head", "Atlas", head(-1), "Shift+H", has_heads),
    Action("atlas.sampling", "Switch between pool and point sampling", "Atlas", toggle_sampling, "P"),
    Action("atlas.palette", "Next palette", "Atlas", next_palette, "C"),
    Action("atlas.curve", "Next color scale: root, linear, logarithmic", "Atlas", next_curve, "L"),
    Action("atlas.range", "Switch between a range per tensor and one for all", "Atlas", next_range, "A"),
    Action("atlas.brighter", "Increase the exposure", "Atlas", adjust(0.5, 0.0), "X"),
    Action("atlas.darker", "Decrease the exposure", "Atlas", adjust(-0.5, 0.0), "Shift+X"),
    Action("atlas.up", "Increase the offset of the colors", "Atlas", adjust(0.0, 0.05), "O"),
    Action("atlas.down", "Decrease the offset of the colors", "Atlas", adjust(0.0, -0.05), "Shift+O"),
    Action("atlas.plain", "Reset exposure, offset and range of the colors", "Atlas", reset_colors, "0"),
    Action("atlas.trace", "Turn the trace on or off", "Atlas", _toggle_trace, "T"),
    Action("focus.Map", "Go to Map", "Map", open_map, "M"),
    Action("map.place", "Go to a tensor or value by name", "Map", _type_index, "G", _has_tensors),
    Action("map.makers", "Go to the weights that produced this value", "Map", go_to_makers, "W", _has_makers),
    Action("map.back", "Back to the previous view", "Map", lambda s: s.map.back(), "Alt+[", on_map),
    Action("map.forward", "Forward to the next view", "Map", lambda s: s.map.forward(), "Alt+]", on_map),
    Action("map.minimap", "Show or hide the minimap", "Map", _toggle_minimap, "Shift+M"),
    Action("map.tables", "Show or hide the whole embedding", "Map", _toggle_tables, "Shift+E"),
    Action("map.flow", "Show or hide the flow between tensors", "Map", _toggle_flow, "Shift+F"),
    Action("map.glow", "Turn the glow of new rows on or off", "Map", _toggle_glow, "Shift+G"),
    Action("atlas.formulas", "Show or hide formula cards", "View", _toggle_formulas, "E"),
    Action("focus.Attention", "Go to Attention", "View", open_attention, "Q"),
    Action("attention.order", "Next order of attention heads", "View", next_order, "Shift+Q"),
    Action("attention.step", "Next step of attention: scores, mask, softmax", "View", next_step, "Shift+S"),
    Action("focus.Lens", "Go to Lens", "View", navigation.open_lens, "Shift+L"),
    Action("lens.color", "Next coloring of Lens", "View", next_lens_color, "Shift+K"),
    Action("focus.Attribution", "Go to Attribution", "View", navigation.open_attribution, "Y"),
    Action("attribution.section", "Next section of Attribution", "View", next_section, "Shift+Y"),
    Action("attribution.head", "Open the head that adds most", "View", open_largest, "Ctrl+Y", can_explain),
    Action("attribution.reset", "Attribution of the token of the step shown", "View", reset_aim, "Alt+Y"),
    Action("focus.Patching", "Go to Patching", "View", navigation.open_patching, "Shift+P"),
    Action("patching.section", "Next section of Patching", "View", patching_actions.next_section, "Alt+Shift+P"),
    Action("patching.compute", "Compute the map, or stop", "View", patching_actions.compute, "Alt+P", can_compute),
    *COMPARE_ACTIONS,
    Action("logits.find", "Find a token in the logits", "View", _find_token, "Ctrl+F", has_steps, anywhere=True),
    Action("logits.ladder", "Open or close the sampling ladder", "View", ladder, "S", has_steps),
    Action("logits.before", "Compare with the previous step", "View", compare_with_previous, "B", has_steps),
    Action("logits.alone", "Stop comparing", "View", stop_comparing, "N", lambda s: s.compared is not None),
    Action("tokens.colour", "Next token coloring", "View", next_chip_color, "K"),
    *(
        Action(f"focus.{name}", f"Go to {title(name)}", "View", _focus(name), f"Ctrl+{number}", anywhere=True)
        for number, name in enumerate(FOCUSED, start=1)
    ),
    Action("focus.Distribution", "Go to Distribution", "View", _focus("Distribution"), "D"),
    Action("focus.Session", f"Go to {title('Session')}", "View", _focus("Session"), "R"),
    *EDIT_ACTIONS,
    Action("view.larger", "Larger interface", "View", _size(1), "Ctrl++", anywhere=True),
    Action("view.smaller", "Smaller interface", "View", _size(-1), "Ctrl+-", anywhere=True),
    Action("view.automatic", "Automatic interface size", "View", _automatic_size, "Ctrl+0", anywhere=True),
    Action("view.theme", "Switch between dark and light theme", "View", _next_theme, "Ctrl+L", anywhere=True),
    Action("view.timeline", "Show or hide the timeline", "View", toggle_timeline),
    Action("focus.Timeline", "Go to the timeline", "View", go_to_timeline, "Shift+T"),
    Action("view.lecture", "Lecture mode on or off", "View", _lecture, "F11", anywhere=True),
    *(
        Action(
            f"drawer.{name}",
            f"Open or close {title(name)} over the picture",
            "View",
            _toggle_drawer(name),
            f"{number}",
            lambda s: s.ui.folded,
        )
        for number, name in enumerate(DRAWERS, start=1)
    ),
    Action("view.reset", "Reset the layout", "View", _reset_layout),
    Action("app.models", "Open or download a model", "File", _open("models"), "Ctrl+O", anywhere=True),
    Action("app.models_file", "Open a model file ...", "File", choose_model, reason=_no_dialogs),
    Action("tensors.save", "Save tensor", "File", open_save, "Ctrl+S", _can_save, anywhere=True),
    Action("app.screenshot", "Save a screenshot", "File", _screenshot, "F12", anywhere=True),
    Action("app.screenshot_as", "Save a screenshot as ...", "File", choose_picture, reason=_no_dialogs),
    Action("session.open", "Open a recording ...", "File", choose_recording, "Ctrl+Shift+O", anywhere=True),
    Action(
        "session.recent", "Open the latest recording", "File", open_recent, "Ctrl+Shift+R", has_recent, anywhere=True
    ),
    Action("session.window", "Open a recording in a new window ...", "File", choose_in_window, reason=_no_dialogs),
    Action("session.live", "Back to the live model", "File", back_to_live, "Ctrl+Shift+B", has_live, anywhere=True),
    Action("session.record", "Start or stop recording", "File", record, "Ctrl+R", _has_model, anywhere=True),
    Action("session.video", "Start or stop a video of the window", "File", record_video, "Shift+F12", anywhere=True),
    Action("session.play", "Play or pause the recording", "File", play_back, "Shift+Space", is_played_back),
    Action("session.back", "Previous step of the recording", "File", seek(-1), "Alt+,", is_played_back),
    Action("session.on", "Next step of the recording", "File", seek(1), "Alt+.", is_played_back),
    Action("app.quit", "Quit", "File", _quit, "Ctrl+Q", anywhere=True),
    Action("app.palette", "Command palette", "Help", _open("palette"), "Ctrl+P", anywhere=True),
    Action("app.keys", "Keyboard shortcuts", "Help", _open("keys"), "Shift+/"),
    Action("app.explain", "Explain what is under the mouse", "Help", walk_actions.explain, "F1", anywhere=True),
    Action("walk.guided", "Guided walk", "Help", walk_actions.guided, "F3", anywhere=True),
    Action("walk.minute", "One-minute tour", "Help", walk_actions.minute, "Shift+F3", anywhere=True),
    Action("walk.next", "Next page of the walk", "Help", walk_actions.turn(1), "PageDown", walk_actions.has_walk),
    Action("walk.back", "Previous page of the walk", "Help", walk_actions.turn(-1), "PageUp", walk_actions.has_walk),
    Action(
        "walk.again",
        "Show the subject of the page",
        "Help",
        walk_actions.again,
        "Shift+PageDown",
        walk_actions.has_walk,
    ),
    Action("walk.close", "Close the walk", "Help", walk_actions.close, "", walk_actions.has_walk),
    Action("app.about", "About", "Help", _open("about"), "Shift+F1", anywhere=True),
)


def matching(words: str) -> list[Action]:
    """The actions whose menu and title contain all of `words`, in the order of `ACTIONS`."""
    wanted = words.lower().split()
    return [
        action for action in ACTIONS if all(word in f"{title(action.menu)} {action.title}".lower() for word in wanted)
    ]
