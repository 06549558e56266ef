"""The prompt with its tokens, and the buttons that start and stop a run."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.requests import Stop
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from . import chat_row, token_layout
from .widgets import dim, elided, primary_button, tooltip, wrapped

NAME = "Prompt"

_FIELD = 0.5  # fraction of the height that text field and tokens share


def draw(state: State) -> None:
    """Draw the turns of a chat, text field, token count and history, tokens, Generate, Stop, and the run's progress."""
    style = imgui.get_style()
    line = imgui.get_text_line_height()
    below = 2 * imgui.get_frame_height() + line + 4 * style.item_spacing.y + 2
    chat_row.draw(state)
    available = imgui.get_content_region_avail().y - below
    # Whole lines of text and tokens, so that none is cut off.
    frame = style.frame_padding.y + 2
    field = max((_FIELD * available - frame) // line, 2) * line + frame
    tokens = max((available - field) // token_layout.pitch(), 1) * token_layout.pitch()
    if field + tokens + style.item_spacing.y > available + line:
        # A low panel shows the text and the buttons.
        frame = 2 * style.frame_padding.y + 2
        field, tokens = max((available + style.item_spacing.y - frame) // line, 1) * line + frame, 0.0
    entered = _field(state, field)
    _count(state)
    if not tokens:
        pass
    elif state.prompt_tokens.error:
        if imgui.begin_child("prompt error", ImVec2(0, tokens)):
            wrapped(state.prompt_tokens.error, theme.now.error)
        imgui.end_child()
    else:
        token_layout.draw(state, tokens)
    _buttons(state, entered)
    _progress(state)


def _field(state: State, height: float) -> bool:
    """Draw the text field; True if Enter was pressed. Up in the first line and Down in the last browse history."""
    flags = imgui.InputTextFlags_
    io = imgui.get_io()
    kind = flags.enter_returns_true | flags.word_wrap
    # Enter and Ctrl+Enter both generate, although imgui uses one of them for a new line; Shift+Enter always starts one.
    if not io.key_ctrl:
        kind |= flags.ctrl_enter_for_new_line
    identity = imgui.get_id("##prompt")
    active = imgui.internal.get_active_id() == identity
    editing = imgui.internal.get_input_text_state(identity) if active else None
    # While it has the focus, the field edits a copy of the text, so new text must be loaded into it.
    if editing is not None and editing.get_text() != state.prompt:
        editing.reload_user_buf_and_move_to_end()
    before = editing.get_cursor_pos() if editing is not None else None
    entered, state.prompt = widget_tracking.input_text_multiline("##prompt", state.prompt, ImVec2(-1, height), kind)
    tooltip(
        "Enter generates, Shift+Enter starts a new line.\nUp in the first line and Down in the last show other prompts"
    )
    if editing is not None and imgui.is_item_active():
        if io.key_alt and imgui.is_key_pressed(imgui.Key.enter, False):
            io.add_input_character(ord("\n"))
        if io.key_ctrl or editing.get_cursor_pos() == before:
            _step_history(state, imgui.is_key_pressed(imgui.Key.up_arrow), imgui.is_key_pressed(imgui.Key.down_arrow))
    return bool(entered)


def _step_history(state: State, older: bool, newer: bool) -> None:
    """Replace the text with an earlier or later prompt."""
    if older:
        state.prompt = state.history.older(state.ui.prompts, state.prompt)
    elif newer:
        state.prompt = state.history.newer(state.ui.prompts, state.prompt)


def _count(state: State) -> None:
    """Draw the number of tokens, the chat switch, and the buttons for the history."""
    known, context = state.prompt_tokens, state.options.context
    count = len(known.tokens)
    if not state.prompt_counted:
        text, whole = "counting tokens", ""
    elif count > context:
        text = f"{count:,} tokens, the last {context:,} used"
        whole = f"{count:,} of {context:,} tokens; the context contains the last {context:,}"
    else:
        text, whole = (
            f"{count:,} of {context:,} tokens",
            f"The context has {context:,} tokens; change it under Sampling",
        )
    size = imgui.get_text_line_height() + 2
    x = imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x - 2 * size - 4
    imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(1, 1))
    chat = x - chat_row.switch_width(state)
    shown = elided(text, chat - imgui.get_cursor_pos_x() - theme.em(0.5))
    imgui.text_colored(theme.now.text if count > context else theme.now.text_dim, shown)
    if whole:
        tooltip(whole)
    imgui.same_line(chat)
    chat_row.switch(state)
    for label, arrow, step, help in (
        ("##older", imgui.Dir.up, 0, "Earlier prompt"),
        ("##newer", imgui.Dir.down, 1, "Later prompt"),
    ):
        imgui.same_line(x + step * (size + 4))
        remaining = state.history.around(state.ui.prompts, state.prompt)[step]
        imgui.begin_disabled(not remaining)
        if widget_tracking.arrow_button(label, arrow):
            _step_history(state, step == 0, step == 1)
        imgui.end_disabled()
        tooltip(f"{help} ({remaining} more)")
    imgui.pop_style_var()


def _buttons(state: State, entered: bool) -> None:
    gap = imgui.get_style().item_spacing.x
    width = (imgui.get_content_region_avail().x - gap) / 2
    ready = state.model is not None
    imgui.begin_disabled(not ready)
    if primary_button("Generate###Generate", ImVec2(width, 0)) or (entered and ready):
        state.generate()
    imgui.end_disabled()
    imgui.same_line()
    imgui.begin_disabled(not state.busy)
    if widget_tracking.button("Stop###Stop", ImVec2(width, 0)):
        state.requests.append(Stop())
    imgui.end_disabled()


def _progress(state: State) -> None:
    run = state.run
    if run is None:
        dim("No run yet")
        return
    done = len(run.steps)
    share = (done + (0 if run.done else run.progress)) / run.options.max_new_tokens
    with theme.colored(imgui.Col_.plot_histogram, theme.now.accent_dim):
        imgui.progress_bar(min(share, 1.0), ImVec2(-1, 0), f"{done} of {run.options.max_new_tokens} tokens")
