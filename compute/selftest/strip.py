"""Checks of Strip, cell by cell, against its NumPy model."""

from __future__ import annotations

import numpy as np

from compute.forward.engine import Engine
from compute.views.palettes import ColorMapping
from compute.views.strip import StripPass
from compute.weights.checkpoint import ArrayModel

from . import strip_model
from .check import COLOR, Check, Errors
from .gpu import read_tensor, run_pass
from .models import shape_of, some_tokens
from .strip_model import Entry


def expected_picture(engine: Engine, model: ArrayModel, *, pool: bool = False) -> np.ndarray:
    """uint8 [360, 640, 4] of the engine's latest pass, from the weights of `model` and activations read back."""
    values: dict[str, np.ndarray] = {}
    entries = []
    for tensor in engine.registry:
        if tensor.strip:
            stored = model.tensor(tensor.name) if tensor.kind == "weight" else read_tensor(engine, tensor.name)
            values[tensor.name] = stored
            entries.append(Entry(tensor.name, stored.size, tensor.kind))
    return strip_model.paint(values, strip_model.layout(entries), pool=pool)


def strip(engine: Engine, model: ArrayModel) -> Check:
    """A growing text, then one whose cells represent many values, with both kinds of sampling.

    model: with weights rounded like the engine's.
    """
    errors = Errors()
    text = some_tokens(model.config, engine.context)
    point = ColorMapping(sampling="point")
    made = StripPass(engine, point)
    for total, valid, mapping in (
        (5, 0, point),
        (6, 5, point),
        (len(text) - 1, 0, ColorMapping()),
        (len(text), -1, None),
    ):
        run_pass(engine, text[:total], valid_rows=total - 1 if valid < 0 else valid)
        if mapping is not None:
            made.set_color_mapping(mapping)
        made.update()
        pool = total > 6
        what = f"{total} rows, {'pooled' if pool else 'sampled'}"
        errors.colors(made.read(), expected_picture(engine, model, pool=pool), what)
    shapes = f"{shape_of(model.config)}, {len(text)} rows, {engine.dtype} in {engine.layout}s"
    return errors.check("strip", shapes, COLOR, numbers=False)
