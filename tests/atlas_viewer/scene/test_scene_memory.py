"""What the scene leaves out to save memory, and that texts can still be drawn on it."""

from __future__ import annotations

import os
import subprocess
import sys

import pygfx as gfx
import pytest
import wgpu

from atlas_viewer.scene.view_renderer import ViewRenderer
from atlas_viewer.state.camera import View

from helpers.paths import ROOT, SEARCH_PATH

SELECT = """
for text in ("word", "\\u03bb\\u2211", "\\u0928\\u092e\\u0938", "a\\U0001f600"):
    found = pygfx.font_manager.select_font(text, pygfx.font_manager.default_font_props)
    print([(piece, font.name) for piece, font in found])
"""
OURS = """
from atlas_viewer.scene.scene_library import make_scene
from compute.gpu.device import shared_device
make_scene(shared_device())
import pygfx
from atlas_viewer.scene.shared_texture import _FontIndex
assert isinstance(pygfx.font_manager._default_font_map, _FontIndex)
"""


def printed(code: str) -> str:
    """What a Python process of its own prints."""
    environment = {**os.environ, "PYTHONPATH": SEARCH_PATH}
    made = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, check=True)
    return made.stdout.decode()


@pytest.mark.gpu
def test_characters_have_the_fonts_that_pygfx_alone_finds() -> None:
    alone = printed("import pygfx" + SELECT)
    assert len(alone.splitlines()) == 4
    assert printed(OURS + SELECT) == alone


@pytest.mark.gpu
def test_an_object_that_could_be_picked_is_drawn_without_a_picking_texture(
    device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    create = type(device).create_texture

    def created(self: wgpu.GPUDevice, **named: object) -> wgpu.GPUTexture:
        made.append(str(named["format"]))
        return create(self, **named)

    monkeypatch.setattr(type(device), "create_texture", created)
    scene, renderer = gfx.Scene(), ViewRenderer(device, "test")
    scene.add(gfx.Mesh(gfx.plane_geometry(8, 8), gfx.MeshBasicMaterial(color="#ff0000", pick_write=True)))
    renderer.draw(scene, View(-1, -1, 2, 2), 16, 16)
    assert (renderer.pixels()[..., :3] == (255, 0, 0)).all()
    assert "rgba16uint" not in made
