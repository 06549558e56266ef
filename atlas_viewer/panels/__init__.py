"""The panels: one file each, a title and a function that draws the state; and how they are laid out."""

from __future__ import annotations

from imgui_bundle import ImVec2, ImVec4, imgui

from .. import items, keys, theme
from ..state import State
from . import (
    atlas,
    dialogs,
    distribution,
    inspector,
    logits,
    menu_bar,
    messages,
    output,
    palette,
    prompt,
    runs,
    sampling,
    status,
    tensors,
    tokens,
    trace,
)

PANELS = (atlas, prompt, sampling, status, output, tokens, inspector, logits, distribution, tensors, trace, runs)
_LEFT, _RIGHT = 282.0, 322.0
_PROMPT, _SAMPLING = 242.0, 312.0
_LOGITS = 232.0
_INSPECTOR = 336.0


def draw_all(state: State) -> None:
    """Draw every panel and the messages; panels start in the default layout and can be moved and resized."""
    items.begin_frame()
    keys.handle(state)
    menu_bar.draw(state)
    messages.draw(state)
    viewport = imgui.get_main_viewport()
    identity = imgui.get_id("panels")
    fresh = imgui.internal.dock_builder_get_node(identity) is None
    imgui.dock_space_over_viewport(identity, viewport)
    if fresh:
        _lay_out(identity, viewport.work_size)
    for panel in PANELS:
        flags = imgui.WindowFlags_.no_collapse
        if panel is atlas:
            flags |= imgui.WindowFlags_.no_scrollbar | imgui.WindowFlags_.no_scroll_with_mouse
        with theme.coloured(imgui.Col_.window_bg, _background(panel.TITLE, identity)):
            shown, _ = imgui.begin(panel.TITLE, None, flags)
        if panel is tensors:
            state.inspection.list_visible = shown
        if shown:
            panel.draw(state)
        imgui.end()
    if fresh:
        imgui.set_window_focus(logits.TITLE)  # of the tabs in one place the last one would be in front
        imgui.set_window_focus(tokens.TITLE)
        imgui.set_window_focus(prompt.TITLE)
    if state.interface.front:
        imgui.set_window_focus(state.interface.front)
        state.interface.front = ""
    palette.draw(state)
    dialogs.draw(state)


def _background(title: str, dock_space: int) -> ImVec4:
    """Clear for a panel in the dock space, since the canvas has been filled with that colour; a floating one is not."""
    window = imgui.internal.find_window_by_name(title)
    node = window.dock_node if window else None
    docked = window is None or (node is not None and imgui.internal.dock_node_get_root_node(node).id_ == dock_space)
    return ImVec4(theme.now.back.x, theme.now.back.y, theme.now.back.z, 0.0 if docked else 1.0)


def _lay_out(identity: int, size: ImVec2) -> None:
    """Dock the panels for a window of `size`: controls left, atlas over tables in the middle, text right."""
    dock = imgui.internal
    dock.dock_builder_remove_node_child_nodes(identity)
    dock.dock_builder_set_node_size(identity, size)
    up, down, left, right = imgui.Dir.up, imgui.Dir.down, imgui.Dir.left, imgui.Dir.right

    def split(node: int, where: imgui.Dir, pixels: float, whole: float) -> tuple[int, int]:
        """(the part of `pixels` at `where`, the rest); no part gets less than a tenth or more than two thirds."""
        share = min(max(pixels / max(whole, 1.0), 0.1), 2 / 3)
        parts = dock.dock_builder_split_node(node, where, share)
        return parts.id_at_dir, parts.id_at_opposite_dir

    # Wide windows give the text some of their width.
    right_width = max(_RIGHT, 0.24 * size.x)
    left_node, rest = split(identity, left, _LEFT, size.x)
    right_node, centre = split(rest, right, right_width, size.x - _LEFT)
    logits_node, atlas_node = split(centre, down, _LOGITS, size.y)
    prompt_node, below = split(left_node, up, _PROMPT, size.y)
    sampling_node, status_node = split(below, up, _SAMPLING, size.y - _PROMPT)
    inspector_node, texts = split(right_node, down, _INSPECTOR, size.y)
    output_node, tokens_node = split(texts, up, 0.5, 1.0)
    for panel, node in (
        (atlas, atlas_node),
        (logits, logits_node),
        (prompt, prompt_node),
        (sampling, sampling_node),
        (status, status_node),
        (output, output_node),
        (tokens, tokens_node),
        (inspector, inspector_node),
        (runs, tokens_node),
        (distribution, logits_node),
        (tensors, logits_node),
        (trace, logits_node),
    ):
        dock.dock_builder_dock_window(panel.TITLE, node)
    dock.dock_builder_finish(identity)
