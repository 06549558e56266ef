"""The canvas in memory, and what all canvases share: neither side is longer than the adapter's maximum texture size."""

from __future__ import annotations

from typing import Any

from rendercanvas.offscreen import OffscreenRenderCanvas


class OwnCanvas:
    """Keeps a canvas's physical size within a limit. Of a larger window, only the part within it is drawn."""

    _limit = 1 << 30

    def limit_to(self, pixels: int) -> None:
        """Limit both sides to `pixels`, now and after resizing."""
        self._limit = pixels
        self.clamp()

    def screen_context(self) -> Any:
        """The `GPUCanvasContext` of wgpu that presents on the screen. Only a window has one."""
        return self.get_wgpu_context()._wgpu_context  # type: ignore[attr-defined]

    def check(self) -> None:
        """Called before a frame is drawn; a window ends the program cleanly here if its display has disappeared."""

    def clamp(self) -> bool:
        """Reduce the current size to the limit; return whether it was larger."""
        info = self._size_info  # type: ignore[attr-defined]
        width, height = info["physical_size"]
        if max(width, height) <= self._limit:
            return False
        info.set_physical_size(min(width, self._limit), min(height, self._limit), info["native_pixel_ratio"])
        return True


class PictureCanvas(OwnCanvas, OffscreenRenderCanvas):
    """A picture in memory; its `draw()` returns uint8 [height, width, 4]."""

    def _rc_set_logical_size(self, width: float, height: float) -> None:
        super()._rc_set_logical_size(width, height)
        self.clamp()

    def set_physical_size(self, width: int, height: int) -> None:
        """Set the size in pixels, reduced to the limit."""
        super().set_physical_size(width, height)
        self.clamp()
