"""Collects boxes, outlines and arrows as the triangles that `Shapes` draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compute.views.palettes import Rgb

# Corners of the two triangles of a box, as indices of its edges: left or right, top or bottom.
_ACROSS, _DOWN = np.array([0, 1, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0, 1])


class ShapeList:
    """Shapes in the order in which they are drawn. Boxes are rows of x, y, width and height on the plane."""

    def __init__(self) -> None:
        self._corners: list[np.ndarray] = []
        self._colors: list[np.ndarray] = []

    def extend(self, other: ShapeList) -> None:
        """Add all shapes of another list, which may be added to several lists."""
        corners, colors = other.arrays()
        self._corners.append(corners)
        self._colors.append(colors)

    def boxes(self, boxes: np.ndarray, color: Rgb, alpha: float, grown: float = 0.0) -> None:
        """Filled boxes, float [n, 4], `grown` pixels larger on each side."""
        self._quads(boxes, np.tile([-grown, -grown, 2 * grown, 2 * grown], (len(boxes), 1)), color, alpha)

    def outlines(self, boxes: np.ndarray, width: float, color: Rgb, alpha: float, least: float = 0.0) -> None:
        """Frames around boxes, float [n, 4], outside of them and `width` pixels wide.

        least: their smallest size on screen in pixels; smaller boxes get a frame of that size around their center.
        """
        x, y, wide, high = boxes.T
        nothing, line = np.zeros(len(boxes)), np.full(len(boxes), width)
        if least:
            # Frames of a constant size hang at the center, so that they do not move against each other.
            half = np.full(len(boxes), least / 2)
            x, y, wide, high = x + wide / 2, y + high / 2, nothing, nothing
        else:
            half = nothing
        around = -half - line
        parts = np.empty((4, 8, len(boxes)))
        parts[:] = (
            (x, y, wide, nothing, around, around, 2 * (half + line), line),
            (x, y + high, wide, nothing, around, half, 2 * (half + line), line),
            (x, y, nothing, high, around, -half, line, 2 * half),
            (x + wide, y, nothing, high, half, -half, line, 2 * half),
        )
        sides = parts.transpose(0, 2, 1).reshape(-1, 8)
        self._quads(sides[:, :4], sides[:, 4:], color, alpha)

    def polygon(self, points: Sequence[tuple[float, float]], color: Rgb, alpha: float) -> None:
        """A filled convex polygon."""
        corners = np.zeros((3 * (len(points) - 2), 4), np.float32)
        for index in range(len(points) - 2):
            corners[3 * index : 3 * index + 3, :2] = points[0], points[index + 1], points[index + 2]
        self._add(corners, color, alpha)

    def on_screen(
        self, anchors: Sequence[tuple[float, float]], boxes: Sequence[Sequence[float]], color: Rgb, alpha: float
    ) -> None:
        """Filled boxes in pixels, all of them relative to each of the points `anchors` of the plane."""
        offsets, points = np.array(boxes, np.float64).reshape(-1, 4), np.array(anchors, np.float64).reshape(-1, 2)
        fixed = np.zeros((len(points) * len(offsets), 4))
        fixed[:, :2] = np.repeat(points, len(offsets), axis=0)
        self._quads(fixed, np.tile(offsets, (len(points), 1)), color, alpha)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Corners and colors, float32 [corners, 4] each, as `Shapes.set` takes them."""
        if not self._corners:
            nothing = np.zeros((0, 4), np.float32)
            return nothing, nothing
        self._corners, self._colors = [np.concatenate(self._corners)], [np.concatenate(self._colors)]
        return self._corners[0], self._colors[0]

    def _quads(self, plane: np.ndarray, pixels: np.ndarray, color: Rgb, alpha: float) -> None:
        """Boxes whose corners are the sums of corners of boxes on the plane and of boxes in pixels."""
        corners = np.empty((len(plane), 6, 4), np.float32)
        for at, boxes in ((0, plane), (2, pixels)):
            corners[:, :, at] = boxes[:, :1] + boxes[:, 2:3] * _ACROSS
            corners[:, :, at + 1] = boxes[:, 1:2] + boxes[:, 3:] * _DOWN
        self._add(corners.reshape(-1, 4), color, alpha)

    def _add(self, corners: np.ndarray, color: Rgb, alpha: float) -> None:
        self._corners.append(corners)
        colors = np.empty((len(corners), 4), np.float32)
        colors[:] = *color, alpha
        self._colors.append(colors)
