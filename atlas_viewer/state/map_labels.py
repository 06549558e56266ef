"""Labels over Map: captions by zoom, heads and parts of tensors, row tokens, column numbers.

A label lies in a gap: it covers neither data nor another label. What continues beyond the left or upper edge of the
picture is named in a ruler there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compute.models.registry import Registry
from compute.views.map_layout import MapLayout
from compute.views.map_view import MapView

from .label_space import TENSOR, Label, LabelSpace, Ruler, text_width
from .map_bands import Visible, Words
from .map_captions import captions, shows_names
from .map_logits import token_labels
from .map_rulers import columns_along, has_cell_labels, in_cells, rows_along, rulers

MOST = 600  # labels in a picture
_NOTHING = "Nothing is here. F shows the whole map."


@dataclass(frozen=True)
class MapLabels:
    """What is written over a picture of Map.

    by_row: whether tokens, rows or shapes are named, which every pass changes.
    """

    labels: Sequence[Label] = ()
    rulers: Sequence[Ruler] = ()
    by_row: bool = False


def labels_for(
    registry: Registry, layout: MapLayout, view: MapView, width: int, height: int, words: Words
) -> MapLabels:
    """The labels of `view` at width x height pixels."""
    shown = Visible(registry, layout, view, width, height, words)
    if not shown.bands:
        return MapLabels([_nothing(width, height)] if text_width(_NOTHING, TENSOR) < width else [])
    named = shows_names(shown)
    edges = rulers(shown) if named else ()
    left = max((ruler.width for ruler in edges if ruler.height == height), default=0.0)
    top = max((ruler.height for ruler in edges if ruler.width == width), default=0.0)
    data = np.array([(band.left, band.top, band.right, band.bottom) for band in shown.bands], np.float64).reshape(-1, 4)
    data[:, :2], data[:, 2:] = np.floor(data[:, :2]), np.ceil(data[:, 2:])  # what it paints are whole pixels
    space = LabelSpace(data, (left, top, width, height))
    captions(shown, space, left, top)
    rows_along(shown, space, left, top)
    columns_along(shown, space, left, top)
    if named:
        token_labels(shown, space)
    by_row = named or has_cell_labels(shown)
    return MapLabels([*space.labels, *in_cells(shown, left, top)][:MOST], edges, by_row)


def _nothing(width: int, height: int) -> Label:
    """What a picture between tensors says, in its middle."""
    return Label(_NOTHING, (width - text_width(_NOTHING, TENSOR)) / 2, height / 2, TENSOR)
