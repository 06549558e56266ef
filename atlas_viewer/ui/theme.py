"""imgui's colors, spacing and zoom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.ui_state import UiState

from . import fonts


@dataclass(frozen=True)
class Colors:
    """One theme. It has one accent color; amber and cyan are for pictures, red for errors."""

    accent: ImVec4
    accent_dim: ImVec4
    accent_faint: ImVec4
    primary: ImVec4  # a panel's main button
    primary_hover: ImVec4
    primary_active: ImVec4
    on_primary: ImVec4
    mark: ImVec4  # outlines of what the selection highlights
    edit: ImVec4  # what edits have changed
    differs: ImVec4  # what differs between A and B
    error: ImVec4
    error_back: ImVec4
    text: ImVec4
    text_dim: ImVec4
    back: ImVec4
    back_deep: ImVec4
    field: ImVec4  # background of text and number fields
    field_hover: ImVec4
    raised: ImVec4
    raised_hover: ImVec4
    raised_active: ImVec4
    line: ImVec4
    stripe: ImVec4  # over every other row of a table
    shade: ImVec4  # over everything behind a dialog


THEMES = {
    "dark": Colors(
        accent=ImVec4(0.30, 0.58, 0.98, 1.0),
        accent_dim=ImVec4(0.30, 0.58, 0.98, 0.38),
        accent_faint=ImVec4(0.30, 0.58, 0.98, 0.18),
        primary=ImVec4(0.16, 0.38, 0.74, 1.0),
        primary_hover=ImVec4(0.19, 0.44, 0.82, 1.0),
        primary_active=ImVec4(0.13, 0.33, 0.66, 1.0),
        on_primary=ImVec4(0.97, 0.98, 1.00, 1.0),
        mark=ImVec4(0.72, 1.00, 0.25, 1.0),
        edit=ImVec4(1.00, 0.42, 0.86, 1.0),
        differs=ImVec4(0.25, 0.88, 0.78, 1.0),
        error=ImVec4(1.00, 0.45, 0.42, 1.0),
        error_back=ImVec4(0.24, 0.09, 0.10, 1.0),
        text=ImVec4(0.90, 0.92, 0.95, 1.0),
        text_dim=ImVec4(0.60, 0.64, 0.70, 1.0),
        back=ImVec4(0.075, 0.085, 0.105, 1.0),
        back_deep=ImVec4(0.05, 0.057, 0.07, 1.0),
        field=ImVec4(0.05, 0.057, 0.07, 1.0),
        field_hover=ImVec4(0.145, 0.160, 0.190, 1.0),
        raised=ImVec4(0.145, 0.160, 0.190, 1.0),
        raised_hover=ImVec4(0.195, 0.215, 0.255, 1.0),
        raised_active=ImVec4(0.235, 0.260, 0.310, 1.0),
        line=ImVec4(0.175, 0.190, 0.225, 1.0),
        stripe=ImVec4(1.0, 1.0, 1.0, 0.02),
        shade=ImVec4(0.0, 0.0, 0.0, 0.55),
    ),
    "light": Colors(
        accent=ImVec4(0.08, 0.35, 0.79, 1.0),
        accent_dim=ImVec4(0.08, 0.35, 0.79, 0.30),
        accent_faint=ImVec4(0.08, 0.35, 0.79, 0.14),
        primary=ImVec4(0.10, 0.37, 0.80, 1.0),
        primary_hover=ImVec4(0.16, 0.43, 0.87, 1.0),
        primary_active=ImVec4(0.09, 0.32, 0.70, 1.0),
        on_primary=ImVec4(1.0, 1.0, 1.0, 1.0),
        mark=ImVec4(0.13, 0.48, 0.02, 1.0),
        edit=ImVec4(0.70, 0.05, 0.55, 1.0),
        differs=ImVec4(0.00, 0.44, 0.40, 1.0),
        error=ImVec4(0.76, 0.11, 0.10, 1.0),
        error_back=ImVec4(1.00, 0.89, 0.88, 1.0),
        text=ImVec4(0.09, 0.11, 0.14, 1.0),
        text_dim=ImVec4(0.32, 0.36, 0.42, 1.0),
        back=ImVec4(0.955, 0.960, 0.970, 1.0),
        back_deep=ImVec4(0.895, 0.905, 0.920, 1.0),
        field=ImVec4(1.0, 1.0, 1.0, 1.0),
        field_hover=ImVec4(0.940, 0.955, 0.985, 1.0),
        raised=ImVec4(0.835, 0.850, 0.875, 1.0),
        raised_hover=ImVec4(0.780, 0.800, 0.835, 1.0),
        raised_active=ImVec4(0.725, 0.750, 0.795, 1.0),
        line=ImVec4(0.800, 0.815, 0.840, 1.0),
        stripe=ImVec4(0.0, 0.0, 0.0, 0.025),
        shade=ImVec4(0.15, 0.17, 0.20, 0.45),
    ),
}
# For Strip and Map, whose colors are the same in both themes.
ON_PICTURE, PIN_ON_PICTURE, MARK_ON_PICTURE = THEMES["dark"].text, THEMES["dark"].accent, THEMES["dark"].mark
EDIT_ON_PICTURE = THEMES["dark"].edit
OUTLINE = 0.12  # width of an outline around what is selected, in ems
now = THEMES["dark"]  # the current colors; `apply` changes them


def follow(ui: UiState) -> None:
    """Apply theme and zoom of `ui` to the current imgui context if they have changed. Call it before a frame begins."""
    wanted = ui.effective_zoom
    if abs(zoom() - wanted) > 1e-3 or now is not THEMES[ui.theme]:
        apply(ui.theme, wanted)


def zoom() -> float:
    """The current interface zoom, 1 for 100 %."""
    return float(imgui.get_style().font_scale_main)


def em(x: float) -> float:
    """`x` times the font size, in pixels: sizes in ems follow the zoom."""
    return x * float(imgui.get_font_size())


def apply(name: str = "dark", scale: float = 1.0) -> None:
    """Apply the theme of this name to the current imgui context, with all sizes multiplied by `scale`."""
    global now
    now = THEMES[name]
    # imgui scales sizes in place, so each scaling starts with a new style.
    imgui.get_current_context().style = imgui.Style()
    style = imgui.get_style()
    _sizes(style)
    if scale != 1:
        style.scale_all_sizes(scale)
    style.font_size_base, style.font_scale_main = fonts.SIZE, scale
    (imgui.style_colors_light if name == "light" else imgui.style_colors_dark)()
    _colors(style)


def _colors(style: imgui.Style) -> None:
    col = imgui.Col_
    for index, color in {
        col.text: now.text,
        col.text_disabled: now.text_dim,
        col.window_bg: now.back,
        col.child_bg: ImVec4(0.0, 0.0, 0.0, 0.0),
        col.popup_bg: now.back_deep,
        col.menu_bar_bg: now.back_deep,
        col.border: now.line,
        col.separator: now.line,
        col.frame_bg: now.field,
        col.frame_bg_hovered: now.field_hover,
        col.frame_bg_active: now.field_hover,
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
        col.table_row_bg_alt: now.stripe,
        col.docking_empty_bg: now.back_deep,
        col.docking_preview: now.accent_dim,
        col.scrollbar_bg: ImVec4(0.0, 0.0, 0.0, 0.0),
        col.scrollbar_grab: now.raised_hover,
        col.scrollbar_grab_hovered: now.raised_active,
        col.scrollbar_grab_active: now.accent,
        col.separator_hovered: now.accent_dim,
        col.separator_active: now.accent,
        col.text_selected_bg: now.accent_dim,
        col.nav_cursor: now.accent,
        col.modal_window_dim_bg: now.shade,
    }.items():
        style.set_color_(index, color)


def _sizes(style: imgui.Style) -> None:
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
    hover = imgui.HoveredFlags_
    style.hover_flags_for_tooltip_mouse = hover.stationary | hover.delay_normal | hover.allow_when_disabled
    style.window_menu_button_position = imgui.Dir.none
    # A tab's close button appears only when the mouse is over the tab, to leave space for titles.
    style.tab_close_button_min_width_selected = style.tab_close_button_min_width_unselected = 0


@contextmanager
def numbers() -> Iterator[None]:
    """A context in which text is drawn in the font whose digits line up."""
    loaded = imgui.get_io().fonts.fonts
    imgui.push_font(loaded[1] if len(loaded) > 1 else None, fonts.SIZE)  # imgui applies the zoom
    try:
        yield
    finally:
        imgui.pop_font()


@contextmanager
def colored(index: int, color: ImVec4) -> Iterator[None]:
    """A context in which imgui color `index` (an `imgui.Col_`) is `color`."""
    imgui.push_style_color(index, color)
    try:
        yield
    finally:
        imgui.pop_style_color()
