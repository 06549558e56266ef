"""The strip's picture: painted after a pass while its panel is visible, and drawn when it or the view changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import wgpu

from atlas_viewer.state.camera import View
from atlas_viewer.state.navigation import ATLAS
from atlas_viewer.state.protocols import StripPainter
from atlas_viewer.state.state import State

from .imgui_texture import ImguiTexture
from .scene_library import make_strip_scene

if TYPE_CHECKING:
    from .strip_scene import StripScene


class StripDisplay:
    """Owns the scene that draws the strip. Nothing here waits for the GPU."""

    def __init__(self, state: State, device: wgpu.GPUDevice, backend: Any) -> None:
        """device: the device that pygfx uses; backend: the imgui renderer's backend."""
        self._state, self._device, self._image = state, device, ImguiTexture(backend)
        self._painter: StripPainter | None = None
        self._scene: StripScene | None = None  # shows the painter's texture; created on first use
        self._shown: tuple[View, int, int] | None = None
        self._painted = self._stale = False

    @property
    def pending(self) -> bool:
        """True while the panel is visible but does not show the latest pass. A hidden strip is not painted."""
        return self._stale and self._painter is not None and ATLAS in self._state.ui.shown

    def follow(self, painter: StripPainter | None) -> None:
        """Show what `painter` paints; a model whose context has grown has a new one."""
        if painter is not None and painter is not self._painter:
            self._painter, self._scene, self._painted, self._shown = painter, None, False, None

    def passed(self) -> None:
        """Take note that a new pass is complete."""
        self._stale = True

    def mapping_changed(self) -> None:
        """Repaint with the new colors, if anything has been painted."""
        self._stale |= self._painted

    def paint(self) -> None:
        """Paint the latest pass, if that is pending. The tensors must belong to one whole pass."""
        if self.pending and self._painter is not None:
            self._painter.update()
            self._stale = self._painter.pending
            self._state.spans_left_out = self._painter.layout.left_out
            self._painted, self._shown = True, None

    @property
    def picture(self) -> Any:
        """The `imgui.ImTextureRef` of the latest picture; None before the first."""
        return self._image.ref if self._scene is not None else None

    def draw(self) -> None:
        """Draw the strip at the size that its panel requests, if it is visible and the picture would change."""
        size = self._state.ui.picture_sizes.get(ATLAS)
        if self._painter is None or not self._painted or size is None:
            return
        if self._scene is None:
            self._scene = make_strip_scene(self._painter.texture, self._device)
        wanted = (self._state.camera.view, *size)
        if self._shown != wanted:
            self._scene.draw(*wanted)
            self._shown = wanted
        assert self._scene.texture is not None
        self._image.show(self._scene.texture)

    def close(self) -> None:
        """Release the scene."""
        self._painter = self._scene = None
