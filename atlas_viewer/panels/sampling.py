"""Options of the next run."""

from __future__ import annotations

import dataclasses
import secrets

from imgui_bundle import ImVec2, imgui

from .. import items
from ..state import State
from .widgets import choice, dim, tooltip

TITLE = "Sampling"

LENGTHS = (1, 16, 64, 256)
_MOST_TOKENS = 1_000_000
_LEAST_WINDOW = 16
_SEED_END = 2**32


def draw(state: State) -> None:
    """Length, window, temperature and seed."""
    positions = state.model.positions if state.model else 1024
    _length(state)
    _window(state, positions)
    _temperature(state)
    _seed(state)


def _set(state: State, **values: int | float) -> None:
    state.options = dataclasses.replace(state.options, **values)  # type: ignore[arg-type]


def _labelled(label: str) -> None:
    """A label at the left; what follows takes the rest of the line."""
    imgui.align_text_to_frame_padding()
    dim(label)
    imgui.same_line(112)
    imgui.set_next_item_width(-1)


def _length(state: State) -> None:
    _labelled("New tokens")
    changed, value = items.input_int("##new", state.options.max_new_tokens, 0)
    if changed:
        _set(state, max_new_tokens=min(max(value, 1), _MOST_TOKENS))
    clicked = choice("new", LENGTHS, state.options.max_new_tokens)
    if clicked is not None:
        _set(state, max_new_tokens=clicked)


def _window(state: State, positions: int) -> None:
    least = min(_LEAST_WINDOW, positions)
    _labelled("Window")
    changed, value = items.input_int("##window", state.options.context, 0)
    if changed:
        _set(state, context=min(max(value, least), positions))
    tooltip(f"The last tokens that the model sees, {least} to {positions}")
    sizes = [size for size in (16, 64, 128, 256, 512, 1024) if least <= size <= positions][-4:]
    clicked = choice("window", sizes or [positions], state.options.context)
    if clicked is not None:
        _set(state, context=clicked)


def _temperature(state: State) -> None:
    _labelled("Temperature")
    temperature = state.options.temperature
    shown = "%.2f  greedy" if temperature == 0 else "%.2f"
    changed, value = items.slider_float("##temperature", temperature, 0.0, 2.0, shown)
    if changed:
        _set(state, temperature=min(max(round(value * 20) / 20, 0.0), 2.0))
    tooltip("0 always takes the likeliest token; steps of 0.05")


def _seed(state: State) -> None:
    _labelled("Seed")
    width = imgui.calc_text_size("New").x + 2 * imgui.get_style().frame_padding.x
    imgui.set_next_item_width(-width - imgui.get_style().item_spacing.x)
    # imgui's integers are signed, seeds are not: hence a text field that takes digits only.
    changed, text = items.input_text("##seed", str(state.options.seed), imgui.InputTextFlags_.chars_decimal)
    if changed:
        digits = "".join(c for c in text if c.isdigit())
        _set(state, seed=min(int(digits or "0"), _SEED_END - 1))
    imgui.same_line()
    if items.button("New##seed", ImVec2(width, 0)):
        _set(state, seed=secrets.randbelow(_SEED_END))
    tooltip("Draw another seed")
