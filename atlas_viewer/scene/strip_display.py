"""The strip's picture: painted after a pass while its panel is visible, and drawn when it or the view changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atlas_viewer.state.navigation import ATLAS
from atlas_viewer.state.protocols import StripPainter
from atlas_viewer.state.state import State
from compute.views.map_digits import digit_style
from compute.views.strip_layout import StripLayout
from compute.views.strip_sheet import strip_sheet

from .imgui_texture import ImguiTexture

if TYPE_CHECKING:
    from .atlas_scene import AtlasScene


class StripDisplay:
    """Shows the strip in the scene. Nothing here waits for the GPU."""

    def __init__(self, state: State, scene: Callable[[], AtlasScene], backend: Any) -> None:
        """scene: returns the window's scene; backend: the imgui renderer's backend."""
        self._state, self._scene, self._image = state, scene, ImguiTexture(backend)
        self._painter: StripPainter | None = None
        self._laid_out: StripLayout | None = None
        self._drawn = False
        self._shown: tuple[object, ...] | None = None
        self._painted = self._stale = False
        self._numbers = self._numbered = False  # whether cells are large enough for values, and whether there are any

    @property
    def pending(self) -> bool:
        """True while the panel is visible but does not show the latest pass. A hidden strip is not painted."""
        return self._stale and self._painter is not None and ATLAS in self._state.ui.shown

    def follow(self, painter: StripPainter | None) -> None:
        """Show what `painter` paints; a model whose context has grown has a new one."""
        if painter is not None and painter is not self._painter:
            self._painter, self._drawn, self._painted, self._shown = painter, False, False, None
            self._stale = True

    def passed(self) -> None:
        """Take note that a new pass is complete."""
        self._stale = True

    def mapping_changed(self) -> None:
        """Repaint with the new colors, if anything has been painted."""
        self._stale |= self._painted

    def paint(self) -> None:
        """Paint the latest pass, if that is pending. The tensors must belong to one whole pass."""
        if self.pending and self._painter is not None:
            self._painter.show_numbers(self._numbers)
            self._painter.update()
            self._numbered = self._numbers
            self._stale = self._painter.pending
            self._state.spans_left_out = self._painter.layout.left_out
            self._painted, self._shown = True, None

    def lay_out(self) -> None:
        """Arrange the tensors that were painted, in a band for each part of the model."""
        if self._painter is not None and self._painter.layout is not self._laid_out:
            self._laid_out = self._painter.layout
            tensors = self._state.inspection.tensors
            sheet = strip_sheet(self._laid_out, lambda name: tensors[name].section if name in tensors else "other")
            self._state.strip.lay_out(sheet, self._state.camera)

    @property
    def picture(self) -> Any:
        """The `imgui.ImTextureRef` of the latest picture; None before the first."""
        return self._image.ref if self._drawn else None

    def draw(self) -> None:
        """Draw the strip at the size that its panel requests, if it is visible and the picture would change."""
        size = self._state.ui.picture_sizes.get(ATLAS)
        if self._painter is None or not self._painted or size is None:
            return
        strip, theme = self._state.strip, self._state.ui.theme
        view = strip.camera.view
        numbers = digit_style(size[0] / view.width) is not None
        if numbers != self._numbers:  # they are written by the next frame
            self._numbers, self._stale = numbers, self._stale or numbers
        wanted = (view, *size, strip.sheet, theme, self._numbered)
        if self._shown == wanted:
            return
        scene = self._scene().sheet
        scene.show_sheet(self._painter.texture, self._painter.values, strip.sheet, theme)
        scene.digits = self._numbered
        self._image.show(scene.draw(view, *size))
        self._shown, self._drawn = wanted, True

    def close(self) -> None:
        """Release the painter."""
        self._painter, self._drawn = None, False
