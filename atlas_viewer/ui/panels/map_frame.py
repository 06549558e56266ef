"""The rectangle on the screen in which the map is shown."""

from __future__ import annotations

from dataclasses import dataclass

from imgui_bundle import ImVec2

from compute.views.map_view import MapView


@dataclass(frozen=True)
class Frame:
    """The picture on screen: its corner and size in logical pixels, and picture pixels per logical pixel."""

    left: int
    top: int
    width: int
    height: int
    ratio: float

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height in picture pixels."""
        return max(1, round(self.width * self.ratio)), max(1, round(self.height * self.ratio))

    def pixel(self, point: ImVec2) -> tuple[float, float]:
        """Picture pixel at a point on the screen."""
        return (point.x - self.left) * self.ratio, (point.y - self.top) * self.ratio

    def screen(self, x: float, y: float) -> ImVec2:
        """Point on the screen at a picture pixel."""
        return ImVec2(self.left + x / self.ratio, self.top + y / self.ratio)

    @staticmethod
    def scaled(view: MapView, scale: float) -> MapView:
        """`view` for pixels that are `scale` times as large."""
        return MapView(view.x, view.y, view.scale * scale)
