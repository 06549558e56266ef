"""What the strip must show of the values that an engine holds, and comparing it with what it shows."""

from __future__ import annotations

import numpy as np
import strip_model
from gpu import read_tensor
from strip_model import Entry

from compute.checkpoint import ArrayModel
from compute.engine import Engine


def expected_picture(engine: Engine, model: ArrayModel, *, pool: bool = False) -> np.ndarray:
    """uint8 [360, 640, 4]; weights are those of `model`, activations are read back."""
    values = {}
    entries = []
    for tensor in engine.registry:
        if tensor.strip:
            stored = model.tensor(tensor.name) if tensor.family == "weight" else read_tensor(engine, tensor.name)
            values[tensor.name] = stored
            entries.append(Entry(tensor.name, stored.size, tensor.family))
    assert [entry.name for entry in entries] == [name for name, _ in strip_model.names(model.config.layers)]
    return strip_model.paint(values, strip_model.layout(entries), pool=pool)


def assert_same(actual: np.ndarray, wanted: np.ndarray) -> None:
    """No channel of a cell may be off by more than 1 of 255."""
    differing = np.abs(actual.astype(int) - wanted.astype(int)).max(axis=2) > 1
    assert not differing.any(), f"{differing.sum()} cells differ, the first is {np.argwhere(differing.ravel())[0, 0]}"
