"""The canvas in memory, and what every canvas has in common: no side longer than a texture of the adapter may be."""

from __future__ import annotations

from rendercanvas.offscreen import OffscreenRenderCanvas


class OwnCanvas:
    """Keeps the physical size of a canvas within a limit. A larger window is drawn as far as the limit goes."""

    _limit = 1 << 30

    def limit_to(self, pixels: int) -> None:
        """Let neither side be longer than `pixels`, now and later."""
        self._limit = pixels
        self.clamp()

    def check(self) -> None:
        """Called before a frame is drawn: ends the program in good order when what it would be shown on is gone."""

    def clamp(self) -> bool:
        """Bring a size that was just set within the limit; returns whether it was beyond."""
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
        """Set the size in pixels, each side at most the limit."""
        super().set_physical_size(width, height)
        self.clamp()
