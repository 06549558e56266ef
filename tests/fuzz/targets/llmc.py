"""llm.c checkpoint files."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.weights.llmc import HEADER_BYTES, write_llmc

from ..models import read_every_tensor
from ..mutation import change_bytes
from ..scratch import folder
from ..target import Target

_SIZES = (ModelConfig(1, 1, 4, 2, 3, 4), ModelConfig(2, 2, 8, 1, 1, 1))
# The numbers of the header that are read.
_USED_BYTES = 32


def seeds() -> Sequence[bytes]:
    """Checkpoints of two shapes, in both versions."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.bin"
        made = []
        for config, version in zip(_SIZES, (3, 5), strict=True):
            shapes = parameter_shapes(config)
            weights = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
            write_llmc(path, config, weights.__getitem__, version)
            made.append(path.read_bytes())
    return made


def use(data: bytes) -> None:
    """Open the file and read every tensor."""
    path = folder() / "model.bin"
    path.write_bytes(data)
    read_every_tensor(path)


def change(data: bytes, chance: random.Random) -> bytes:
    """Change mostly the numbers in the header."""
    if chance.random() < 0.7:
        return change_bytes(data[:_USED_BYTES], chance)[:_USED_BYTES].ljust(_USED_BYTES, b"\0") + data[_USED_BYTES:]
    return data[:HEADER_BYTES] + change_bytes(data[HEADER_BYTES:], chance)


TARGET = Target(use, seeds, change)
