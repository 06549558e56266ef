"""The shapes of a spotlight on Map: a cover over what is dimmed, and outlines."""

from __future__ import annotations

from atlas_viewer.state.roles import accent_color
from atlas_viewer.state.spotlight import Spotlight
from compute.views.palettes import CANVASES

from .shape_list import ShapeList

_WIDTH = 2.5  # of an outline, relative to the width of a line


def add_spotlight(shapes: ShapeList, spotlight: Spotlight, line: float, theme: str) -> None:
    """Cover what is dimmed with the color of the ground, and outline boxes. line: width of lines in pixels."""
    if len(spotlight.dimmed):
        shapes.boxes(spotlight.dimmed, CANVASES[theme].ground, spotlight.alpha)
    if len(spotlight.outlined):
        shapes.outlines(spotlight.outlined, _WIDTH * line, accent_color(theme), 1.0)
