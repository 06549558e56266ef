"""The walks that come with the program."""

from __future__ import annotations

from importlib.resources import files

from .pages import Walk
from .parser import parse_walk

GUIDED, MINUTE = "guided", "minute"
NAMES = (GUIDED, MINUTE)


def built_in(name: str) -> Walk:
    """The walk of this name."""
    file = f"{name}.walk"
    return parse_walk(files("atlas_viewer.walk").joinpath(file).read_text("utf-8"), file)
