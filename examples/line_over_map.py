"""A line over Map: norms of the rows of a matrix. `python examples/line_over_map.py` opens the window with it."""

import sys

import numpy as np
import pygfx as gfx

import atlas_viewer as av
from atlas_viewer.cli.main import main
from atlas_viewer.scene.custom import on_map
from compute.views.map_layout import MapLayout

NAME = "h.0.mlp.c_fc.weight"


@on_map
def plot(objects: gfx.Group, layout: MapLayout) -> None:
    norms = np.linalg.norm(av.load("stories").weights[NAME], axis=1)
    box = layout.placements[NAME]
    x = np.linspace(box.x, box.x + box.width, len(norms))
    y = box.y + box.height * (1 - norms / norms.max())
    points = np.stack([x, y, np.zeros_like(x)], axis=1).astype(np.float32)
    objects.add(gfx.Line(gfx.Geometry(positions=points), gfx.LineMaterial(thickness=4, color="magenta")))


if __name__ == "__main__":
    sys.exit(main(["view", *sys.argv[1:]]))
