"""The dialog Save tensor: writes the tensors of names and globs to a file."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.requests import SaveTensors, StopSaving
from atlas_viewer.state.state import State
from atlas_viewer.state.tensor_save import SCHEMES, listed, pass_text, selected_text
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.file_actions import name_tensors
from compute.io.size_text import size_text

from .modal import modal
from .widgets import browse_button, browse_width, dim, elided, hint, primary_button, tooltip, wrapped

_LABELS = 6.0  # ems
_BUTTON = 7.0  # ems
_HEIGHT = 20.0  # ems, with space for an error of three lines
_STAGES = {"waiting": "waiting for the pass of this step", "saving": ""}


def draw(state: State) -> None:
    """Draw the dialog if it is open."""
    modal(state, "save", "Save tensor", _save, ImVec2(44, _HEIGHT))


def _save(state: State) -> None:
    save = state.save
    hint("Weights, or activations, patterns and logits of the step shown, as float32. A run in progress is paused.")
    imgui.spacing()
    imgui.begin_disabled(bool(save.stage))
    _label("Tensors")
    if imgui.is_window_appearing():
        imgui.set_keyboard_focus_here()
    entered, save.names = widget_tracking.input_text_with_hint(
        "##save names", "names or globs, such as h.*.attn.pattern", save.names, imgui.InputTextFlags_.enter_returns_true
    )
    tooltip("Separated by spaces. TransformerLens names are accepted too.")
    _selected(state)
    _label("Names")
    if widget_tracking.begin_combo("##save scheme", SCHEMES[save.scheme]):
        for scheme, title in SCHEMES.items():
            if widget_tracking.selectable(f"{title}###save {scheme}", scheme == save.scheme)[0]:
                save.scheme = scheme
        imgui.end_combo()
    tooltip("Names and shapes in the file. TransformerLens splits queries, keys and values by head.")
    _label("File")
    imgui.set_next_item_width(-browse_width() - imgui.get_style().item_spacing.x)
    _, save.path = widget_tracking.input_text("##save path", save.path)
    tooltip(
        ".npy for one tensor; .npz or .safetensors for any number, with tokens, model, run and step."
        " Existing files are never replaced."
    )
    imgui.same_line()
    browse_button("browse tensors file", lambda: name_tensors(state), "Choose where to save the tensors")
    imgui.end_disabled()
    imgui.spacing()
    _action(state, entered)
    if save.trouble:
        wrapped(save.trouble, theme.now.error)
    elif save.note:
        hint(save.note)


def _label(text: str) -> None:
    imgui.align_text_to_frame_padding()
    dim(text)
    imgui.same_line(theme.em(_LABELS))
    imgui.set_next_item_width(-1)


def _selected(state: State) -> None:
    """Draw what is selected, or why nothing is. Both take two lines, so that the rows below do not move."""
    save, top = state.save, imgui.get_cursor_pos_y()
    imgui.set_cursor_pos_x(theme.em(_LABELS))
    if save.unknown:
        wrapped(save.unknown, theme.now.error)
    else:
        text = selected_text(save.selected) if save.selected else "Nothing is selected."
        dim(elided(text, imgui.get_content_region_avail().x))
        tooltip(listed(save.selected))
    below = top + 2 * imgui.get_text_line_height() + imgui.get_style().item_spacing.y
    imgui.set_cursor_pos_y(max(imgui.get_cursor_pos_y(), below))


def _action(state: State, entered: bool) -> None:
    """Draw the button Save with the step that would be saved, or the progress with a button that stops it."""
    save, step = state.save, state.step
    if save.stage:
        text = _STAGES[save.stage] or f"{size_text(save.done)} of {size_text(save.total)}"
        imgui.progress_bar(save.share, ImVec2(-theme.em(_BUTTON) - imgui.get_style().item_spacing.x, 0), text)
        imgui.same_line()
        if widget_tracking.button("Stop###Stop##save", ImVec2(-1, 0)):
            state.requests.append(StopSaving())
        return
    ready = bool(save.selected and save.path.strip())
    imgui.begin_disabled(not ready)
    if primary_button("Save###Save##tensors", ImVec2(theme.em(_BUTTON), 0)) or (entered and ready):
        state.requests.append(SaveTensors(save.names, save.path.strip(), save.scheme))
    imgui.end_disabled()
    if state.model is not None:
        imgui.same_line()
        imgui.align_text_to_frame_padding()
        of = pass_text(state.model, state.run, step.index if step and save.of_pass else None)
        dim(elided(f"from {of}", imgui.get_content_region_avail().x))
