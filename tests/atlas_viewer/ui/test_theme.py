"""Contrast of colors, sizes that follow the zoom, and characters missing from the fonts."""

from __future__ import annotations

import itertools

import pytest
from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.ui_state import THEME_NAMES, UiState
from atlas_viewer.ui import fonts, theme
from compute.text.tokenizer import Tokenizer

from helpers.screen import context

__all__ = ["context"]


def luminance(color: ImVec4) -> float:
    """Relative luminance as defined in WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (color.x, color.y, color.z)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(front: ImVec4, back: ImVec4) -> float:
    bright, dark = sorted((luminance(front), luminance(back)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def over(front: ImVec4, back: ImVec4) -> ImVec4:
    def mixed(of_front: float, of_back: float) -> float:
        return of_front * front.w + of_back * (1 - front.w)

    return ImVec4(mixed(front.x, back.x), mixed(front.y, back.y), mixed(front.z, back.z), 1.0)


@pytest.mark.parametrize("name", THEME_NAMES)
def test_text_has_enough_contrast(name: str) -> None:
    now = theme.THEMES[name]
    grounds = {
        "back": now.back,
        "deep": now.back_deep,
        "field": now.field,
        "field under the mouse": now.field_hover,
        "stripe": over(now.stripe, now.back),
        "chosen row": over(now.accent_faint, now.back),
    }
    raised = {"raised": now.raised, "hover": now.raised_hover, "active": now.raised_active}
    marked = {"marked": over(now.accent_dim, now.back), "bar": over(now.accent_dim, now.field)}
    bars = {"share": over(ImVec4(now.accent.x, now.accent.y, now.accent.z, 0.45), now.back)}
    pairs = [
        *itertools.product([("text", now.text)], (grounds | raised | marked | bars).items()),
        *itertools.product([("dim", now.text_dim), ("accent", now.accent)], grounds.items()),
        *itertools.product([("dim", now.text_dim)], {"raised": now.raised}.items()),
        *itertools.product([("error", now.error)], {"back": now.back, "message": now.error_back}.items()),
        *itertools.product(
            [("on primary", now.on_primary)],
            {"primary": now.primary, "hover": now.primary_hover, "active": now.primary_active}.items(),
        ),
    ]
    weak = {f"{a} on {b}": round(contrast(x, y), 2) for (a, x), (b, y) in pairs if contrast(x, y) < 4.5}
    assert weak == {}


def test_every_theme_has_a_name() -> None:
    assert tuple(theme.THEMES) == THEME_NAMES


@pytest.mark.parametrize("height", [0, 150, 1300, 2160])
def test_the_automatic_zoom_does_not_grow_with_the_window(context: None, height: int) -> None:
    imgui.get_io().display_size = ImVec2(2 * height, height)
    ui = UiState()
    theme.follow(ui)
    assert theme.zoom() == 1.0
    ui.zoom = 0.5
    theme.follow(ui)
    assert theme.zoom() == 0.5


def test_lecture_mode_is_larger_within_the_zooms(context: None) -> None:
    ui = UiState(lecture=True)
    theme.follow(ui)
    assert theme.zoom() == 1.5
    ui.step_zoom(1)
    assert ui.zoom == 1.1
    assert ui.effective_zoom == pytest.approx(1.65)
    ui.zoom = 4.0
    assert ui.effective_zoom == 4.0
    ui.lecture = False
    theme.follow(ui)
    assert theme.zoom() == 4.0


def test_sizes_follow_the_zoom_in_both_directions(context: None) -> None:
    usual = imgui.get_style().window_padding.x, imgui.get_style().indent_spacing, imgui.get_style().grab_min_size
    measured = {}
    for zoom in (1.0, 4.0, 0.5, 2.0, 1.0):
        theme.follow(UiState(zoom=zoom))
        imgui.get_io().delta_time = 0.1
        imgui.new_frame()
        with theme.numbers():
            measured[zoom] = theme.em(1), imgui.calc_text_size("0123456789").x
        words = theme.em(1)
        imgui.render()
        assert words == measured[zoom][0] == round(15 * zoom + 1e-3)
    style = imgui.get_style()
    assert (style.window_padding.x, style.indent_spacing, style.grab_min_size) == usual
    assert measured[4.0][1] == pytest.approx(4 * measured[1.0][1], rel=0.05)


def test_a_theme_is_applied_when_it_changes(context: None) -> None:
    theme.follow(UiState(theme="light"))
    light = imgui.get_style().color_(imgui.Col_.text)
    assert light.x < 0.5
    theme.follow(UiState())
    assert imgui.get_style().color_(imgui.Col_.text).x > 0.5


@pytest.fixture
def frame(context: None) -> None:
    imgui.get_io().display_size = ImVec2(800, 600)
    imgui.get_io().delta_time = 0.1
    imgui.new_frame()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" plain, 'so' [x]", "\" plain, 'so' [x]\""),
        ("é Ж α ∑ ∞ 😀", '"é Ж α ∑ ∞ 😀"'),
        ("日本", r'"\xe6\x97\xa5\xe6\x9c\xac"'),
        ("\u0250", r'"\xc9\x90"'),  # one of the fonts contains an empty glyph for it
        ("\x1b\x00\u00a0\u200b\ue000", r'"\x1b\x00\xc2\xa0\xe2\x80\x8b\xee\x80\x80"'),
        ('a"\\\n\t\r', r'"a\"\\\n\t\r"'),
        ("\ufffd", '"\ufffd"'),
    ],
)
def test_characters_without_a_glyph_are_escaped(frame: None, text: str, shown: str) -> None:
    assert quoted(text) == shown
    imgui.render()


def test_every_token_is_drawn_with_existing_glyphs(frame: None, tokenizer: Tokenizer) -> None:
    shown = [quoted(tokenizer.token_label(token)) for token in range(tokenizer.vocabulary)]
    for character in set("".join(shown)):
        assert fonts.has_glyph(character), hex(ord(character))
    assert len(set(shown)) == len(shown), "two tokens are drawn alike"
    first, second = tokenizer.encode("😀")
    assert (shown[first], shown[second]) == (r'"\xf0\x9f\x98"', r'"\x80"')
    imgui.render()
