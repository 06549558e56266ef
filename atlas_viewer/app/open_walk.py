"""Opens walk files: reads them and checks them against the model before the window opens."""

from __future__ import annotations

from pathlib import Path

from atlas_viewer.ui.panel_titles import by_title
from atlas_viewer.ui.panels import NAMES
from atlas_viewer.walk.check import Checker
from atlas_viewer.walk.pages import Walk
from atlas_viewer.walk.parser import read_walk
from compute.models.architectures import describe
from compute.models.config import ModelConfig


def open_walk(path: Path, config: ModelConfig) -> Walk:
    """The walk in a file. Raises a `WalkError` that names the line if it does not fit a model of these sizes."""
    walk = read_walk(path)
    Checker(describe(config), by_title(NAMES)).walk(walk)
    return walk
