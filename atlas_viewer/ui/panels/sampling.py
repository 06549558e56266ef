"""Options for the next tokens: how they are sampled, the context, and their number."""

from __future__ import annotations

import secrets

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from . import preset_row
from .option_rows import NO_TEXT, TYPE_HINT, Real, beside_value, change, label, line, real, whole
from .widgets import dim, tooltip

NAME = "Sampling"

LENGTHS = (1, 16, 64, 256, 1024)
CONTEXTS = (16, 64, 128, 256, 512, 1024)
_MOST_TOKENS = 1_000_000
_SEED_END = 2**32
_TOP_K_SLIDER = 1000


TEMPERATURE = Real(
    "temperature",
    "Temperature",
    "Randomness: logits are divided by it. 0 always takes the likeliest token, 1 samples from the model's own"
    " distribution, larger values make unlikely tokens likelier.",
    slider=(0.0, 2.0),
    limits=(0.0, 100.0),
    off=(0.0, "greedy"),
    settle=lambda value: round(value * 20) / 20,
)
TOP_P = Real(
    "top_p",
    "Top-p",
    "Keeps the likeliest tokens whose probabilities add up to this value. 1 keeps all.",
    slider=(0.0, 1.0),
    limits=(0.0, 1.0),
    off=(1.0, "off"),
    settle=lambda value: round(value * 100) / 100,
)
MIN_P = Real(
    "min_p",
    "Min-p",
    "Keeps the tokens with at least this fraction of the likeliest token's probability. 0 keeps all.",
    slider=(0.0, 1.0),
    limits=(0.0, 1.0),
    off=(0.0, "off"),
    settle=lambda value: float(f"{value:.2g}"),
    logarithmic=True,
)
PENALTY = Real(
    "repetition_penalty",
    "Repetition",
    "Repetition penalty: above 1, tokens that are already in the context become less likely; below 1, more likely.",
    slider=(0.5, 2.0),
    limits=(0.01, 100.0),
    off=(1.0, "off"),
    settle=lambda value: round(value * 50) / 50,
    logarithmic=True,
)


def draw(state: State) -> None:
    """Draw the preset, then a row per option."""
    style = imgui.get_style()
    imgui.push_style_var(imgui.StyleVar_.item_spacing, ImVec2(style.item_spacing.x, theme.em(0.2)))
    imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(style.frame_padding.x, theme.em(0.2)))
    _lines(state)
    if state.busy:
        dim("Changes take effect at the next token")
    imgui.pop_style_var(2)


def _lines(state: State) -> None:
    model = state.model
    preset_row.draw(state)
    real(state, TEMPERATURE)
    _top_k(state, model.vocabulary if model else _TOP_K_SLIDER)
    real(state, TOP_P)
    real(state, MIN_P)
    real(state, PENALTY)
    _seed(state)
    length = "How many tokens a run writes before it pauses; it can be continued."
    whole(state, "max_new_tokens", "New tokens", length, LENGTHS, (1, _MOST_TOKENS))
    positions = model.positions if model else max(CONTEXTS)
    context = f"The model sees only this many tokens at the end of the text: 1 to {positions:,}."
    whole(state, "context", "Context", context, CONTEXTS, (1, positions))


def _top_k(state: State, vocabulary: int) -> None:
    value = state.options.top_k
    help = "Keeps this many of the likeliest tokens. 0 keeps all."
    with line(state, "Top-k", help, "top_k") as width, beside_value(f"{value:,}" if value else "off", width):
        most = min(_TOP_K_SLIDER, vocabulary)
        changed, new = widget_tracking.slider_int("##top_k", value, 0, most, NO_TEXT, imgui.SliderFlags_.logarithmic)
        tooltip(f"{value:,}. {TYPE_HINT}")
    if changed:
        change(state, top_k=min(max(new, 0), vocabulary))


def _seed(state: State) -> None:
    style = imgui.get_style()
    help = "The same seed, options and text give the same tokens on the same adapter."
    with line(state, "Seed", help, "seed") as width:
        button = imgui.calc_text_size("New").x + 2 * style.frame_padding.x
        imgui.set_next_item_width(width - button - style.item_spacing.x)
        # A text field for digits, because imgui's integers are signed, but seeds are not. The seed changes on leaving
        # the field; otherwise every digit typed would make a new seed.
        imgui.push_item_flag(imgui.ItemFlags_.live_edit_on_input_text, False)
        changed, text = widget_tracking.input_text(
            "##seed", str(state.options.seed), imgui.InputTextFlags_.chars_decimal
        )
        imgui.pop_item_flag()
        if changed:
            digits = "".join(c for c in text if c.isascii() and c.isdigit())
            change(state, seed=min(int(digits or "0"), _SEED_END - 1))
        imgui.same_line()
        if widget_tracking.button("New###New##seed", ImVec2(button, 0)):
            change(state, seed=secrets.randbelow(_SEED_END))
        tooltip("Choose a random seed now")
    again = "On: Generate uses a new random seed each time. Off: the seed stays the same, so a run can be repeated."
    label("", again)
    changed, unlocked = widget_tracking.checkbox("New for each run###New one at each run", not state.ui.seed_locked)
    if changed:
        state.ui.seed_locked = not unlocked
    tooltip(again)
