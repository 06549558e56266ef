"""The models dialog: opens a model, or downloads it first."""

from __future__ import annotations

import os

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.model_choice import ModelChoice
from atlas_viewer.state.requests import FetchModel, LookUpModel, OpenModel, StopFetch
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.file_actions import choose_model
from compute.weights.model_cache import is_repository

from .modal import modal
from .widgets import browse_button, browse_width, dim, hint, wrapped

_NAME, _LICENSE, _BUTTON = 12.0, 6.5, 7.0  # ems
_FIELD, _BELOW = 2.6, 7.5  # ems below the list: the field for a path; with a download, an offer or an error under it


def draw(state: State) -> None:
    """Draw the dialog if it is open."""
    modal(state, "models", "Models", _models, ImVec2(46, 30))


def _models(state: State) -> None:
    hint("Downloaded models stay in the cache.")
    choices = state.models
    imgui.set_next_item_width(-1)
    _, choices.search = widget_tracking.input_text_with_hint("##search models", "search", choices.search)
    below = _BELOW if choices.busy or choices.offered is not None or choices.error else _FIELD
    if imgui.begin_child("model list", ImVec2(0, -theme.em(below))):
        _table(state)
    imgui.end_child()
    imgui.spacing()
    gap = imgui.get_style().item_spacing.x
    imgui.set_next_item_width(-theme.em(_BUTTON) - browse_width() - gap)
    if imgui.is_window_appearing() or choices.refused:
        imgui.set_keyboard_focus_here()
        choices.refused = False
    entered, choices.path = widget_tracking.input_text_with_hint(
        "##model path",
        "a file, a folder, owner/name of a repository on the hub, or random:gpt2",
        choices.path,
        imgui.InputTextFlags_.enter_returns_true | imgui.InputTextFlags_.auto_select_all,
    )
    imgui.same_line()
    browse_button("browse model", lambda: choose_model(state), "Choose a model file")
    imgui.same_line()
    imgui.begin_disabled(not choices.path.strip())
    if widget_tracking.button("Open###Open##path", ImVec2(-1, 0)) or (entered and choices.path.strip()):
        _open(state, choices.path.strip())
    imgui.end_disabled()
    _progress(state)


def _table(state: State) -> None:
    if not imgui.begin_table("models", 4, imgui.TableFlags_.row_bg):
        return
    fixed = imgui.TableColumnFlags_.width_fixed
    imgui.table_setup_column("name", fixed, theme.em(_NAME))
    imgui.table_setup_column("what", imgui.TableColumnFlags_.width_stretch)
    imgui.table_setup_column("license", fixed, theme.em(_LICENSE))
    imgui.table_setup_column("do", fixed, theme.em(_BUTTON))
    for choice in state.models.found:
        imgui.table_next_row()
        imgui.table_next_column()
        imgui.align_text_to_frame_padding()
        shown = state.model is not None and state.model.name == choice.name
        imgui.text_colored(theme.now.accent if shown else theme.now.text, choice.name)
        imgui.table_next_column()
        imgui.text_wrapped(choice.what)
        imgui.table_next_column()
        dim(choice.license)
        imgui.table_next_column()
        _button(state, choice, shown)
    imgui.end_table()


def _button(state: State, choice: ModelChoice, shown: bool) -> None:
    choices = state.models
    wide = ImVec2(-1, 0)
    if choice.here:
        imgui.begin_disabled(shown or bool(state.loading))
        label = f"In use###Shown##{choice.name}" if shown else f"Open###Open##{choice.name}"
        if widget_tracking.button(label, wide):
            _open(state, choice.name)
        imgui.end_disabled()
        return
    imgui.begin_disabled(bool(choices.busy))
    if choices.offered is not None and choices.offered[0] == choice.name:
        size = f"{choices.offered[1] / 1e6:,.0f} MB"
        if widget_tracking.button(f"Get {size}###{size}: fetch##{choice.name}", wide):
            state.requests.append(FetchModel(choice.name))
    elif widget_tracking.button(f"Download ...###Fetch ...##{choice.name}", wide):
        state.requests.append(LookUpModel(choice.name))
    imgui.end_disabled()


def _open(state: State, spec: str) -> None:
    """Open a model; ask the hub about a repository that is not on this machine."""
    here = os.path.exists(spec) or any(choice.here and choice.name == spec for choice in state.models.known)
    state.requests.append(OpenModel(spec) if here or not is_repository(spec) else LookUpModel(spec))


def _progress(state: State) -> None:
    choices = state.models
    if choices.busy:
        share = choices.done / choices.total if choices.total else 0.0
        text = f"{choices.done / 1e6:,.0f} of {choices.total / 1e6:,.0f} MB" if choices.total else ""
        dim(choices.busy)
        imgui.progress_bar(share, ImVec2(-theme.em(_BUTTON), 0), text)
        imgui.same_line()
        if widget_tracking.button("Stop###Stop##fetch", ImVec2(-1, 0)):
            state.requests.append(StopFetch())
    elif choices.offered is not None:
        name, size, licence = choices.offered
        if choices.new and widget_tracking.button(f"Get {size / 1e6:,.0f} MB###fetch new"):
            state.requests.append(FetchModel(name))
        hint(f"{name}: {size / 1e6:,.0f} MB to download, license {licence}. Click its button to start.")
    if choices.error:
        wrapped(choices.error, theme.now.error)
