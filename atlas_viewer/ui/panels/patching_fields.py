"""The fields of the Patching panel: texts, tokens, what is patched, and the button that begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import patching_fields
from atlas_viewer.state.patching_view import (
    ABLATE,
    ALL,
    DENOISE,
    DIRECTIONS,
    LAST,
    MEAN,
    NOISE,
    PATCH,
    POSITIONS,
    REPLACEMENTS,
    SECTIONS,
    STEER,
    ZERO,
)
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from compute.models.patch_points import PATCHED

from .toolbar import button_width
from .widgets import beside, dim, elided, hint, primary_button, quoted, tooltip

Placer: TypeAlias = Callable[[float], None]  # puts a widget of a width beside the one before, or below

TITLES = {PATCH: "Patch", ABLATE: "Ablate", STEER: "Steer"}
_ABOUT = {
    PATCH: "Copy one part of a run into the run of another text, and see how much of the prediction comes from it",
    ABLATE: "Switch off every head and every MLP, one by one",
    STEER: "Find the direction in the residual stream that leads from texts B to texts A",
}
_HOW = {
    DENOISE: "clean values into the corrupt run: which parts are enough for the prediction",
    NOISE: "corrupt values into the clean run: which parts the prediction needs",
    ZERO: "set heads and MLPs to 0",
    MEAN: "set heads and MLPs to their mean over the positions of the text",
    LAST: "the row of the last token of each text",
    ALL: "the mean over all tokens of each text",
}
_LABELS = {DENOISE: "clean into corrupt", NOISE: "corrupt into clean", ZERO: "to zero", MEAN: "to the mean"}
_TOKEN, _COMBO, _BAR, _HIGH = 6.5, 8.6, 9.0, 32.0  # ems; the last: a panel with space for two lines of each text
_TOKEN_TIP = "Text that is one token, where a leading space matters, or an id such as id:11"


def draw(state: State) -> None:
    """Draw sections, texts and tools."""
    view = state.patching
    imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(imgui.get_style().frame_padding.x, theme.em(0.1)))
    high = imgui.get_content_region_avail().y > theme.em(_HIGH)
    _sections(state)
    if view.section == PATCH:
        _texts(state, (("clean", "clean"), ("corrupt", "corrupt")), 2 if high else 1)
    elif view.section == ABLATE:
        _texts(state, (("clean", "text"),), 2 if high else 1)
    else:
        _texts(state, (("texts_a", "texts A, one per line"), ("texts_b", "texts B, one per line")), 5 if high else 3)
    _tools(state)
    imgui.pop_style_var()


def _sections(state: State) -> None:
    view = state.patching
    for at, section in enumerate(SECTIONS):
        if at:
            imgui.same_line(0, imgui.get_style().item_spacing.x / 2)
        on = view.section == section
        with theme.colored(imgui.Col_.button, theme.now.accent_dim if on else theme.now.raised):
            if widget_tracking.button(f"{TITLES[section]}###{TITLES[section]}##patching"):
                view.section, view.chosen = section, None
        tooltip(f"{_ABOUT[section]}  Alt+Shift+P")
    imgui.same_line()
    if widget_tracking.button("Example###Example##patching"):
        patching_fields.fill_example(state)
    tooltip("Fill the fields with an example")


def _texts(state: State, fields: Sequence[tuple[str, str]], lines: int) -> None:
    """Text fields side by side, each with its name. fields: attributes of the view, and names."""
    view, style = state.patching, imgui.get_style()
    width = (imgui.get_content_region_avail().x - (len(fields) - 1) * style.item_spacing.x) / len(fields)
    height = lines * imgui.get_text_line_height() + 2 * style.frame_padding.y
    shown = {"clean": patching_fields.clean_text, "corrupt": patching_fields.corrupt_text}
    for at, (attribute, name) in enumerate(fields):
        if at:
            imgui.same_line()
        imgui.begin_group()
        imgui.align_text_to_frame_padding()
        label = name.partition(",")[0]
        dim(label)
        imgui.same_line(0, style.item_inner_spacing.x)
        inside = width - imgui.calc_text_size(label).x - style.item_inner_spacing.x
        text = shown[attribute](state) if attribute in shown else getattr(view, attribute)
        changed, text = widget_tracking.input_text_multiline(f"##patching {attribute}", text, ImVec2(inside, height))
        if changed:
            setattr(view, attribute, text)
        tooltip(name if attribute not in shown else f"{name}: {_text_tip(attribute)}")
        imgui.end_group()


def _text_tip(attribute: str) -> str:
    if attribute == "clean":
        return "the text with the prediction in question; the prompt until you edit it"
    return "the same text with one word changed and the same number of tokens"


def _tools(state: State) -> None:
    """Tokens and options on as many lines as they need, and the button."""
    view = state.patching
    first = [True]

    def place(width: float) -> None:
        if not first[0]:
            beside(width)
        first[0] = False

    if view.section == STEER:
        _combo(
            "at",
            view.points,
            view.at if view.at in view.points else patching_fields.default_point(state),
            lambda one: setattr(view, "at", one),
            place,
        )
        _combo("position", POSITIONS, view.position, lambda one: setattr(view, "position", one), place)
    else:
        _token(state, "target", place)
        _token(state, "against", place)
    if view.section == PATCH:
        _combo("over", tuple(PATCHED), view.over, lambda one: setattr(view, "over", one), place)
        _combo("direction", DIRECTIONS, view.direction, lambda one: setattr(view, "direction", one), place)
        place(theme.em(4.5))
        _, view.control = widget_tracking.checkbox("control##patching", view.control)
        tooltip("Also compute the map with random vectors that are as long as the change by each patch")
    elif view.section == ABLATE:
        _combo("to", REPLACEMENTS, view.to, lambda one: setattr(view, "to", one), place)
    _button(state, place)


def _token(state: State, name: str, place: Placer) -> None:
    """A field for a token; an empty target is the token that the model drew."""
    view, empty = state.patching, "a token"
    if name == "target" and patching_fields.default_target(state) is not None and state.run is not None:
        empty = quoted(state.run.steps[0].text)
    elif name == "against" and view.section == ABLATE:
        empty = "none"
    gap = imgui.get_style().item_inner_spacing.x
    place(imgui.calc_text_size(name).x + gap + theme.em(_TOKEN))
    imgui.align_text_to_frame_padding()
    dim(name)
    imgui.same_line(0, gap)
    imgui.set_next_item_width(theme.em(_TOKEN))
    label, inside = f"##patching {name}", theme.em(_TOKEN) - 2 * imgui.get_style().frame_padding.x
    _, text = widget_tracking.input_text_with_hint(label, elided(empty, inside), getattr(view, name))
    setattr(view, name, text)
    what = "The logit of this token is measured" if name == "target" else "The logit of this token is subtracted"
    tooltip(f"{what}. {_TOKEN_TIP}")


def _combo(name: str, choices: Sequence[str], now: str, choose: Callable[[str], object], place: Placer) -> None:
    place(theme.em(_COMBO))
    imgui.set_next_item_width(theme.em(_COMBO))
    if widget_tracking.begin_combo(f"##patching {name}", _LABELS.get(now, now)):
        for choice in choices:
            label = f"{_LABELS.get(choice, choice)}##patching {choice}"
            if widget_tracking.selectable(label, choice == now)[0]:
                choose(choice)
            tooltip(_words(choice))
        imgui.end_combo()
    tooltip(f"{name}: {_words(now)}")


def _words(choice: str) -> str:
    return _HOW.get(choice) or {str(over): words for over, words in PATCHED.items()}.get(choice, choice)


def _button(state: State, place: Placer) -> None:
    """The button that begins; while a sweep is in progress, how far it is and a button that ends it."""
    view = state.patching
    if view.busy:
        place(theme.em(_BAR) + button_width("Stop"))
        share = view.done / max(view.total, 1)
        text = "waiting for the run" if view.waiting else f"{view.done} of {view.total}"
        imgui.progress_bar(share, ImVec2(theme.em(_BAR), imgui.get_frame_height()), text)
        imgui.same_line()
        if widget_tracking.button("Stop###Stop##patching"):
            view.cancel = True
        tooltip("End the sweep; nothing of it is kept")
        return
    place(button_width("Compute"))
    imgui.begin_disabled(view.job is None)
    if primary_button("Compute###Compute##patching", ImVec2(0, 0)):
        view.start = True
    imgui.end_disabled()
    tooltip("Run the copies of the text, many in a pass, between the frames of the window  Alt+P")


def problems(state: State) -> None:
    """Say on one line what is wrong with the fields, with a button that puts it right if there is one."""
    view = state.patching
    text = view.failure or view.error
    if not text:
        return
    label = f"use {quoted(view.offer)}" if view.offered else ""
    space = imgui.get_content_region_avail().x - (button_width(label) + theme.em(1) if label else 0)
    shown = elided(text, space)
    if view.failure or view.target or view.against or view.clean is not None:
        imgui.text_colored(theme.now.error, shown)
    else:
        hint(shown)
    tooltip(text)
    if label and not view.failure:
        imgui.same_line()
        if widget_tracking.small_button(f"{label}###offer##patching"):
            patching_fields.take_offer(state)
        tooltip(f"Put {quoted(view.offer)} into the field {view.offered}")
