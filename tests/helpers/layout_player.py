"""Draws the panels with each layout of a JSON list on standard input, and reports its progress on standard output.

A damaged layout can end the process, so this runs in a separate one.
"""

from __future__ import annotations

import json
import sys

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import State
from atlas_viewer.ui import fonts, panels, theme
from atlas_viewer.ui.services import Services
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import fake_step

SIZES = ((1600, 1000), (1600, 1000), (1600, 1000), (960, 540), (300, 200), (1600, 1000))


def play(layout: str) -> str:
    """Draw at several sizes and zooms. Returns the layout that imgui writes after two frames."""
    context = imgui.create_context()
    imgui.set_current_context(context)
    io = imgui.get_io()
    io.set_ini_filename("")
    io.display_size = ImVec2(*SIZES[0])
    io.backend_flags |= imgui.BackendFlags_.renderer_has_textures
    io.config_flags |= imgui.ConfigFlags_.docking_enable
    theme.apply()
    fonts.load()
    imgui.load_ini_settings_from_memory(layout)
    options = GenerateOptions()
    run = Run("Once", options, [(1, "Once")], [fake_step(i) for i in range(3)], done=True, stop_reason="length")
    state = State("Once", options, run=run)
    state.ui.layout = layout
    written = ""
    for frame, size in enumerate(SIZES):
        io.display_size = ImVec2(*size)
        io.delta_time = 0.1
        theme.follow(state.ui)
        imgui.new_frame()
        panels.draw_all(state, Services())
        imgui.render()
        if frame == 1:
            written = imgui.save_ini_settings_to_memory()
            state.ui.zoom, state.ui.front = 1.5, "Tensors"
        if frame == 2:
            state.ui.zoom, state.ui.hidden = 0.75, {"Output", "Prompt"}
        if frame == 4:
            state.ui.reset_layout = True
    imgui.destroy_context(context)
    return written


if __name__ == "__main__":
    for number, text in enumerate(json.load(sys.stdin)):
        print(json.dumps(number), flush=True)
        text = play(text)
    print(json.dumps(text), flush=True)
