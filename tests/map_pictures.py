"""Small pictures of the map of a small model, beside those of the NumPy model of it."""

from __future__ import annotations

import numpy as np
from map_model import Plane

from compute.config import ModelConfig
from compute.map_pass import MapPass
from compute.map_view import MapView, axis, level_of

CONFIG = ModelConfig(layers=2, heads=3, channels=60, positions=40, vocabulary=26, padded_vocabulary=27)
WIDTH, HEIGHT = 56, 40


def views(passes: MapPass, count: int) -> list[MapView]:
    """The whole map, and random parts of it at random zooms down to the cells."""
    layout = passes.layout
    whole = max(layout.width / WIDTH, layout.height / HEIGHT)
    rng = np.random.default_rng(3)
    found = [MapView(layout.width / 2 - WIDTH * whole / 2, layout.height / 2 - HEIGHT * whole / 2, whole)]
    places = list(layout.placements.values())
    for scale in np.exp(rng.uniform(np.log(1 / 20), np.log(whole), count)):
        place = places[rng.integers(len(places))]
        x, y = place.x + rng.uniform(0, place.width), place.y + rng.uniform(0, place.height)
        found.append(MapView(x - rng.uniform() * WIDTH * scale, y - rng.uniform() * HEIGHT * scale, float(scale)))
    return found


def assert_same(found: np.ndarray, wanted: np.ndarray) -> None:
    """Colours are within rounding, and red where the model has something that is not finite."""
    bad = np.isnan(wanted[..., 0])
    assert (found[bad, 0] > 200).all()
    assert (found[bad, 1] < 90).all()
    difference = np.abs(found[~bad, :3] - wanted[~bad])
    assert difference.max() <= 2, np.argwhere(np.abs(np.nan_to_num(found[..., :3] - wanted)).max(-1) > 2)[:5]


def pictures(passes: MapPass, plane: Plane, view: MapView) -> tuple[np.ndarray, np.ndarray]:
    """The GPU's and the model's, float [height, width, 3]; borders of cells are taken from the model."""
    passes.draw(view, WIDTH, HEIGHT)
    level = level_of(view.scale, passes.layout.base, 4)
    block = 1 if level is None else passes.layout.base << level
    found, wanted = passes.read().astype(float)[..., :3], plane.picture(view, WIDTH, HEIGHT, block)
    if 1 / view.scale > 5:  # borders, which are looked at elsewhere
        on_border = axis(view.y, view.scale, HEIGHT, passes.layout.height, 1)[:, None, 2] == 0
        on_border = on_border | (axis(view.x, view.scale, WIDTH, passes.layout.width, 1)[None, :, 2] == 0)
        found[on_border] = wanted[on_border]
    return found, wanted
