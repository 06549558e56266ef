"""How the user interface looks: colours, spacing and fonts of imgui."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import imgui_bundle
from imgui_bundle import ImVec2, ImVec4, imgui

FONT_SIZE = 15.0


@dataclass(frozen=True)
class Colours:
    """One theme. One accent; amber and cyan belong to the atlas, red to errors."""

    accent: ImVec4
    accent_dim: ImVec4
    accent_faint: ImVec4
    error: ImVec4
    error_back: ImVec4
    text: ImVec4
    text_dim: ImVec4
    back: ImVec4
    back_deep: ImVec4
    raised: ImVec4
    raised_hover: ImVec4
    raised_active: ImVec4
    line: ImVec4


THEMES = {
    "dark": Colours(
        accent=ImVec4(0.30, 0.58, 0.98, 1.0),
        accent_dim=ImVec4(0.30, 0.58, 0.98, 0.38),
        accent_faint=ImVec4(0.30, 0.58, 0.98, 0.18),
        error=ImVec4(1.00, 0.45, 0.42, 1.0),
        error_back=ImVec4(0.24, 0.09, 0.10, 1.0),
        text=ImVec4(0.90, 0.92, 0.95, 1.0),
        text_dim=ImVec4(0.60, 0.64, 0.70, 1.0),
        back=ImVec4(0.075, 0.085, 0.105, 1.0),
        back_deep=ImVec4(0.05, 0.057, 0.07, 1.0),
        raised=ImVec4(0.145, 0.160, 0.190, 1.0),
        raised_hover=ImVec4(0.195, 0.215, 0.255, 1.0),
        raised_active=ImVec4(0.235, 0.260, 0.310, 1.0),
        line=ImVec4(0.175, 0.190, 0.225, 1.0),
    ),
    "light": Colours(
        accent=ImVec4(0.12, 0.40, 0.86, 1.0),
        accent_dim=ImVec4(0.12, 0.40, 0.86, 0.30),
        accent_faint=ImVec4(0.12, 0.40, 0.86, 0.14),
        error=ImVec4(0.76, 0.11, 0.10, 1.0),
        error_back=ImVec4(1.00, 0.89, 0.88, 1.0),
        text=ImVec4(0.09, 0.11, 0.14, 1.0),
        text_dim=ImVec4(0.36, 0.40, 0.46, 1.0),
        back=ImVec4(0.955, 0.960, 0.970, 1.0),
        back_deep=ImVec4(0.895, 0.905, 0.920, 1.0),
        raised=ImVec4(0.835, 0.850, 0.875, 1.0),
        raised_hover=ImVec4(0.780, 0.800, 0.835, 1.0),
        raised_active=ImVec4(0.725, 0.750, 0.795, 1.0),
        line=ImVec4(0.800, 0.815, 0.840, 1.0),
    ),
}
now = THEMES["dark"]  # the colours in force; `apply` changes them


def apply(name: str = "dark") -> None:
    """Style the current imgui context in the theme of this name."""
    global now
    now = THEMES[name]
    style = imgui.get_style()
    imgui.style_colors_dark()
    col = imgui.Col_
    for index, colour in {
        col.text: now.text,
        col.text_disabled: now.text_dim,
        col.window_bg: now.back,
        col.child_bg: ImVec4(0.0, 0.0, 0.0, 0.0),
        col.popup_bg: now.back_deep,
        col.border: now.line,
        col.separator: now.line,
        col.frame_bg: now.back_deep,
        col.frame_bg_hovered: now.raised,
        col.frame_bg_active: now.raised,
        col.title_bg: now.back_deep,
        col.title_bg_active: now.back_deep,
        col.title_bg_collapsed: now.back_deep,
        col.button: now.raised,
        col.button_hovered: now.raised_hover,
        col.button_active: now.raised_active,
        col.header: now.accent_faint,
        col.header_hovered: now.accent_dim,
        col.header_active: now.accent_dim,
        col.slider_grab: now.accent,
        col.slider_grab_active: now.accent,
        col.check_mark: now.accent,
        col.plot_histogram: now.accent,
        col.tab: now.back_deep,
        col.tab_hovered: now.raised_hover,
        col.tab_selected: now.back,
        col.tab_selected_overline: now.accent,
        col.tab_dimmed: now.back_deep,
        col.tab_dimmed_selected: now.back,
        col.tab_dimmed_selected_overline: now.line,
        col.table_header_bg: now.back_deep,
        col.table_border_strong: now.line,
        col.table_border_light: now.line,
        col.table_row_bg_alt: ImVec4(1.0, 1.0, 1.0, 0.02),
        col.docking_empty_bg: now.back_deep,
        col.docking_preview: now.accent_dim,
        col.scrollbar_bg: ImVec4(0.0, 0.0, 0.0, 0.0),
        col.scrollbar_grab: now.raised_hover,
        col.separator_hovered: now.accent_dim,
        col.separator_active: now.accent,
        col.text_selected_bg: now.accent_dim,
        col.nav_cursor: now.accent,
    }.items():
        style.set_color_(index, colour)
    style.window_padding = ImVec2(10, 8)
    style.frame_padding = ImVec2(8, 4)
    style.item_spacing = ImVec2(8, 6)
    style.cell_padding = ImVec2(6, 2)
    style.frame_rounding = 3
    style.grab_rounding = 3
    style.tab_rounding = 3
    style.scrollbar_size = 11
    style.scrollbar_rounding = 6
    style.window_rounding = 0
    style.window_border_size = 0
    style.frame_border_size = 1
    style.docking_separator_size = 3
    style.tab_bar_border_size = 0
    style.window_menu_button_position = imgui.Dir.none


def load_fonts() -> None:
    """Load the fonts of the current imgui context: the first for words, the second for numbers and tokens."""
    atlas = imgui.get_io().fonts
    folder = Path(imgui_bundle.__file__).parent / "assets" / "fonts"
    words, numbers = folder / "Roboto" / "Roboto-Regular.ttf", folder / "Inconsolata-Medium.ttf"
    # Another build of the bundle may ship other fonts: imgui's own then serves for both.
    for font in (words, numbers):
        if font.is_file():
            atlas.add_font_from_file_ttf(str(font), FONT_SIZE)
        else:
            atlas.add_font_default()


def em(count: float) -> float:
    """`count` times the height of the current font, in pixels: a size that follows the zoom."""
    return float(count * imgui.get_font_size())


@contextmanager
def numbers() -> Iterator[None]:
    """Inside it text is written in the font whose figures line up."""
    fonts = imgui.get_io().fonts.fonts
    imgui.push_font(fonts[1] if len(fonts) > 1 else None, FONT_SIZE)
    try:
        yield
    finally:
        imgui.pop_font()


@contextmanager
def coloured(index: int, colour: ImVec4) -> Iterator[None]:
    """Inside it imgui colour `index` (an `imgui.Col_`) is `colour`."""
    imgui.push_style_color(index, colour)
    try:
        yield
    finally:
        imgui.pop_style_color()
