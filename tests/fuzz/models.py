"""What the targets that open model files have in common."""

from __future__ import annotations

from pathlib import Path

from compute.errors import CheckpointError
from compute.models.architectures import parameter_shapes
from compute.weights.checkpoint import open_model

from .target import may_refuse


def read_every_tensor(path: Path) -> None:
    """Open a model and read each of its tensors, once more after its pages were released."""
    with may_refuse(CheckpointError):
        source = open_model(str(path))
    try:
        for name, shape in parameter_shapes(source.config).items():
            assert source.tensor(name).shape == shape
            source.release(name)
            source.tensor(name).tobytes()
    finally:
        source.close()
