"""The shapes of a spotlight on Map: a cover over what is dimmed, and outlines."""

from __future__ import annotations

from atlas_viewer.state.roles import accent_color, stream_color
from atlas_viewer.state.spotlight import DIM, Spotlight
from compute.views.palettes import CANVASES

from .shape_list import ShapeList

_WIDTH = 2.5  # of an outline, relative to the width of a line


_FRAME = 1.2  # how far the cover of a tensor extends over its frame, relative to the width of a line
_LOW = 3.0  # of a row that is hard to see, relative to the width of a line


def add_spotlight(shapes: ShapeList, spotlight: Spotlight, line: float, scale: float, theme: str) -> None:
    """Cover what is dimmed with the color of the ground, outline boxes, and color rows that are too low to see.

    line: width of lines in pixels; scale: units per pixel.
    """
    if len(spotlight.dimmed):
        grown = _FRAME * line if spotlight.frames else 0.0
        shapes.boxes(spotlight.dimmed, CANVASES[theme].ground, DIM[theme], grown)
    low = spotlight.rows[spotlight.rows[:, 3] < _LOW * line * scale]
    if len(low):
        shapes.boxes(low, stream_color(theme), 0.9, line / 2)
    if len(spotlight.outlined):
        shapes.outlines(spotlight.outlined, _WIDTH * line, accent_color(theme), 1.0)
