"""How the user interface looks: colours, spacing and fonts of imgui."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imgui_bundle
from imgui_bundle import ImVec2, ImVec4, imgui

FONT_SIZE = 15.0

# One accent; amber and cyan belong to the atlas, red to errors.
ACCENT = ImVec4(0.30, 0.58, 0.98, 1.0)
ACCENT_DIM = ImVec4(0.30, 0.58, 0.98, 0.38)
ACCENT_FAINT = ImVec4(0.30, 0.58, 0.98, 0.18)
ERROR = ImVec4(1.00, 0.45, 0.42, 1.0)
ERROR_BACK = ImVec4(0.24, 0.09, 0.10, 1.0)
TEXT = ImVec4(0.90, 0.92, 0.95, 1.0)
TEXT_DIM = ImVec4(0.60, 0.64, 0.70, 1.0)
BACK = ImVec4(0.075, 0.085, 0.105, 1.0)
BACK_DEEP = ImVec4(0.05, 0.057, 0.07, 1.0)
RAISED = ImVec4(0.145, 0.160, 0.190, 1.0)
RAISED_HOVER = ImVec4(0.195, 0.215, 0.255, 1.0)
RAISED_ACTIVE = ImVec4(0.235, 0.260, 0.310, 1.0)
LINE = ImVec4(0.175, 0.190, 0.225, 1.0)


def apply() -> None:
    """Style the current imgui context and load its fonts: the first for words, the second for numbers and tokens."""
    style = imgui.get_style()
    imgui.style_colors_dark()
    col = imgui.Col_
    for index, colour in {
        col.text: TEXT,
        col.text_disabled: TEXT_DIM,
        col.window_bg: BACK,
        col.child_bg: ImVec4(0.0, 0.0, 0.0, 0.0),
        col.popup_bg: BACK_DEEP,
        col.border: LINE,
        col.separator: LINE,
        col.frame_bg: BACK_DEEP,
        col.frame_bg_hovered: RAISED,
        col.frame_bg_active: RAISED,
        col.title_bg: BACK_DEEP,
        col.title_bg_active: BACK_DEEP,
        col.title_bg_collapsed: BACK_DEEP,
        col.button: RAISED,
        col.button_hovered: RAISED_HOVER,
        col.button_active: RAISED_ACTIVE,
        col.header: ACCENT_FAINT,
        col.header_hovered: ACCENT_DIM,
        col.header_active: ACCENT_DIM,
        col.slider_grab: ACCENT,
        col.slider_grab_active: ACCENT,
        col.check_mark: ACCENT,
        col.plot_histogram: ACCENT,
        col.tab: BACK_DEEP,
        col.tab_hovered: RAISED_HOVER,
        col.tab_selected: BACK,
        col.tab_selected_overline: ACCENT,
        col.tab_dimmed: BACK_DEEP,
        col.tab_dimmed_selected: BACK,
        col.tab_dimmed_selected_overline: LINE,
        col.table_header_bg: BACK_DEEP,
        col.table_border_strong: LINE,
        col.table_border_light: LINE,
        col.table_row_bg_alt: ImVec4(1.0, 1.0, 1.0, 0.02),
        col.docking_empty_bg: BACK_DEEP,
        col.docking_preview: ACCENT_DIM,
        col.scrollbar_bg: ImVec4(0.0, 0.0, 0.0, 0.0),
        col.scrollbar_grab: RAISED_HOVER,
        col.separator_hovered: ACCENT_DIM,
        col.separator_active: ACCENT,
        col.text_selected_bg: ACCENT_DIM,
        col.nav_cursor: ACCENT,
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
    _load_fonts()


def _load_fonts() -> None:
    atlas = imgui.get_io().fonts
    folder = Path(imgui_bundle.__file__).parent / "assets" / "fonts"
    words, numbers = folder / "Roboto" / "Roboto-Regular.ttf", folder / "Inconsolata-Medium.ttf"
    # Another build of the bundle may ship other fonts: imgui's own then serves for both.
    for font in (words, numbers):
        if font.is_file():
            atlas.add_font_from_file_ttf(str(font), FONT_SIZE)
        else:
            atlas.add_font_default()


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
