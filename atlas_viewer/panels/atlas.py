"""The atlas: the picture of every tensor of the latest pass, zoomed and moved with the mouse."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from .. import theme
from ..camera import StripCamera, fitted
from ..state import State
from .widgets import dim, elided, hint, packed, tooltip

TITLE = "Atlas"

_HINT = "wheel zooms, drag pans, double click resets"
# imgui counts wheel notches, the camera counts units of a hundredth.
_UNITS_PER_NOTCH = 100.0


def draw(state: State) -> None:
    """A line on the view, then the picture in the atlas' proportions as large as it fits."""
    _bar(state)
    space = imgui.get_content_region_avail()
    width, height = fitted(int(space.x), int(space.y))
    corner = imgui.get_cursor_screen_pos()
    # Whole pixels, so that each pixel of the picture falls on one of the screen.
    left, top = int(corner.x + (space.x - width) / 2), int(corner.y + (space.y - height) / 2)
    start, end = ImVec2(left, top), ImVec2(left + width, top + height)
    canvas = imgui.get_window_draw_list()
    imgui.set_cursor_screen_pos(start)
    imgui.invisible_button("picture", ImVec2(width, height))
    _mouse(state.camera, left, top, width, height)
    scale = imgui.get_io().display_framebuffer_scale
    picture = state.picture(round(width * scale.x), round(height * scale.y)) if state.picture else None
    if picture is None:
        canvas.add_rect_filled(start, end, packed(theme.BACK_DEEP))
        imgui.set_cursor_screen_pos(ImVec2(left + 10, top + 8))
        hint(
            f"{state.loading} ..." if state.loading else "Every weight and activation of the latest pass appears here."
        )
        return
    canvas.add_image(picture, start, end)


def _bar(state: State) -> None:
    camera, view = state.camera, state.camera.view
    with theme.numbers():
        imgui.text(f"{camera.zoom:5.2f}x")
        imgui.same_line()
        dim(f"cells {view.x:.0f} to {view.x + view.width:.0f}, {view.y:.0f} to {view.y + view.height:.0f}")
    imgui.same_line()
    left_out = state.spans_left_out
    if left_out:
        text = f"{len(left_out)} tensors did not fit"
        shown = elided(text, imgui.get_content_region_avail().x)
        imgui.text_colored(theme.ERROR, shown)
        tooltip("No cells were left for:\n" + "\n".join(left_out[:12]) + ("\n..." if len(left_out) > 12 else ""))
        return
    free = imgui.get_content_region_avail().x
    shown = elided(_HINT, free)
    imgui.set_cursor_pos_x(imgui.get_cursor_pos_x() + free - imgui.calc_text_size(shown).x)
    dim(shown)


def _mouse(camera: StripCamera, left: int, top: int, width: int, height: int) -> None:
    """Wheel, drag and double click on the item before this call."""
    io = imgui.get_io()
    if imgui.is_item_hovered():
        if io.mouse_wheel:
            u, v = (io.mouse_pos.x - left) / width, (io.mouse_pos.y - top) / height
            camera.wheel(io.mouse_wheel * _UNITS_PER_NOTCH, u, v)
        if imgui.is_mouse_double_clicked(imgui.MouseButton_.left):
            camera.reset()
    if imgui.is_item_active() and (io.mouse_delta.x or io.mouse_delta.y):
        camera.drag(io.mouse_delta.x / width, io.mouse_delta.y / height)
