"""The line below the grid of the Lens panel: what the colors mean, and the self-check."""

from __future__ import annotations

import math
from collections.abc import Callable

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.compared_lens import MODE_MEANINGS
from atlas_viewer.state.lens_colors import LensColors
from atlas_viewer.state.lens_view import AGREEMENT, ENTROPY, RANK, LensView
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme
from compute.views.palettes import Rgb

from .attention_letters import SMALL, small_text, small_width
from .lens_grid import colors_of, opaque
from .widgets import packed, tooltip

_BAR, _STEPS = 7.0, 32  # width of the color bar, in ems; and the number of its colors
_AGREEMENT = ("as at the last point", "another token")
_KNOWN = "below: the final prediction stays first"


def draw(state: State, corner: ImVec2, width: float) -> None:
    """Draw the legend in a line of this width."""
    view, colors = state.lens, colors_of(state.ui.theme)
    vocabulary = state.model.vocabulary if state.model else 2
    differs = state.comparing.subtracts
    if view.mode == AGREEMENT:
        x = _swatches(colors, corner, ("A and B have the same", "another token") if differs else _AGREEMENT)
    elif differs:
        x = _bar(colors, corner, _signed_ends(view, vocabulary), colors.difference, lowest=-1.0)
        small_text(ImVec2(x, corner.y), theme.now.text_dim, MODE_MEANINGS[view.mode])
        x += small_width(MODE_MEANINGS[view.mode]) + theme.em(1)
    else:
        x = _bar(colors, corner, _ends(view, vocabulary), colors.of)
    check, color = in_words(view)
    left = corner.x + width - small_width(check) - theme.em(0.9)  # small letters are a little wider than scaled ones
    if x + theme.em(2.8) + small_width(_KNOWN) < left:
        y = corner.y + theme.em(SMALL) / 2
        imgui.get_window_draw_list().add_line(
            ImVec2(x, y), ImVec2(x + theme.em(1.4), y), packed(opaque(colors.known)), max(1.5, theme.em(0.14))
        )
        small_text(ImVec2(x + theme.em(1.8), corner.y), theme.now.text_dim, _KNOWN)
        x += theme.em(2.8) + small_width(_KNOWN)
    left = max(left, x)
    imgui.set_cursor_screen_pos(ImVec2(left, corner.y))
    imgui.dummy(ImVec2(max(corner.x + width - left, 1.0), theme.em(SMALL)))
    tooltip("A self-check: at the last point, the lens must give the model's own logits.")
    small_text(ImVec2(left, corner.y), color, check)


def in_words(view: LensView) -> tuple[str, ImVec4]:
    """The self-check and its color; empty while it is unknown."""
    check = view.check
    if check is None:
        return "", theme.now.text_dim
    text = f"{check.name}: error {check.error:.1g} (limit {check.tolerance:g})"
    return (text, theme.now.text_dim) if check.ok else (f"violated: {text}", theme.now.error)


def _ends(view: LensView, vocabulary: int) -> tuple[str, str]:
    """What the ends of the ramp stand for."""
    if view.mode == ENTROPY:
        return "0", f"{math.log(max(vocabulary, 2)):.1f} nats"
    return (f"rank {vocabulary - 1}", "0") if view.mode == RANK else ("0", "100 %")


def _signed_ends(view: LensView, vocabulary: int) -> tuple[str, str]:
    """What the ends of the scale of differences stand for."""
    most = _ends(view, vocabulary)[view.mode != RANK]
    return f"-{most}", f"+{most}"


def _bar(
    colors: LensColors, corner: ImVec2, ends: tuple[str, str], color_of: Callable[[float], Rgb], lowest: float = 0.0
) -> float:
    """Draw the ramp between the texts at its ends. Returns where it ends."""
    canvas, high, bar = imgui.get_window_draw_list(), theme.em(SMALL), theme.em(_BAR)
    small_text(corner, theme.now.text_dim, ends[0])
    x = corner.x + small_width(ends[0]) + theme.em(0.3)
    for step in range(_STEPS):
        low, top = x + bar * step / _STEPS, x + bar * (step + 1) / _STEPS
        color = packed(opaque(color_of(lowest + (1 - lowest) * (step + 0.5) / _STEPS)))
        canvas.add_rect_filled(ImVec2(low, corner.y), ImVec2(top, corner.y + high), color)
    canvas.add_rect(ImVec2(x, corner.y), ImVec2(x + bar, corner.y + high), packed(theme.now.line))
    x += bar + theme.em(0.3)
    small_text(ImVec2(x, corner.y), theme.now.text_dim, ends[1])
    return float(x + small_width(ends[1]) + theme.em(1.0))


def _swatches(colors: LensColors, corner: ImVec2, titles: tuple[str, str]) -> float:
    """Draw the two colors of agreement. Returns where they end."""
    canvas, high, x = imgui.get_window_draw_list(), theme.em(SMALL), float(corner.x)
    for agrees, text in zip((True, False), titles, strict=True):
        low, end = ImVec2(x, corner.y), ImVec2(x + high, corner.y + high)
        canvas.add_rect_filled(low, end, packed(opaque(colors.agreement(agrees))))
        canvas.add_rect(low, end, packed(theme.now.line))
        small_text(ImVec2(x + 1.4 * high, corner.y), theme.now.text_dim, text)
        x += 2.4 * high + small_width(text)
    return x
