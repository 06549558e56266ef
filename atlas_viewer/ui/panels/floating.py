"""A small box over the picture that stays where it is: captions, the invitation, the bar of the slow motion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imgui_bundle import ImVec2, imgui

from atlas_viewer.ui import theme, widget_tracking

_GAP = 0.8  # from the edge of the picture, in ems


@contextmanager
def floating(name: str, width: float, *, top: bool = False) -> Iterator[float]:
    """A context in which a box at the bottom (or top) of Map's picture is filled. Yields its inner width, in pixels.

    width: in ems, at most; the height fits the content. Without a picture, the box is over the middle of the window.
    """
    viewport = imgui.get_main_viewport()
    picture = widget_tracking.rects.get("map")
    left, right = viewport.work_pos.x, viewport.work_pos.x + viewport.work_size.x
    upper, lower = viewport.work_pos.y, viewport.work_pos.y + viewport.work_size.y
    if picture is not None:
        left, right, upper, lower = picture.left, picture.right, picture.top, picture.bottom
    gap = theme.em(_GAP)
    wide = max(min(theme.em(width), right - left - 2 * gap), theme.em(12))
    anchor = ImVec2((left + right) / 2, upper + gap if top else lower - gap)
    imgui.set_next_window_pos(anchor, imgui.Cond_.always, ImVec2(0.5, 0.0 if top else 1.0))
    imgui.set_next_window_size_constraints(ImVec2(wide, 0), ImVec2(wide, lower - upper))
    flags = imgui.WindowFlags_
    kind = flags.no_decoration | flags.always_auto_resize | flags.no_move | flags.no_docking | flags.no_saved_settings
    imgui.push_style_var(imgui.StyleVar_.window_border_size, 1.0)
    with theme.colored(imgui.Col_.window_bg, theme.now.raised), theme.colored(imgui.Col_.border, theme.now.accent):
        imgui.begin(f"##{name}", None, kind | flags.no_focus_on_appearing)
    imgui.pop_style_var()
    imgui.internal.bring_window_to_display_front(imgui.internal.get_current_window())
    yield wide - 2 * imgui.get_style().window_padding.x
    imgui.end()
