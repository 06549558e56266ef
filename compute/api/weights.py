"""The parameters of a model as arrays, read from its file on demand."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from compute.errors import CheckpointError, TensorNameError
from compute.io.escape import one_line
from compute.models.architectures import describe
from compute.models.description import Description
from compute.weights.checkpoint import WeightSource
from compute.weights.weight_types import parameter

from .opening import Opener, stamp


def weight_name(description: Description, name: str) -> str:
    """The name of a weight here: the tables of GPT-2 are `wte` and `wpe`, in its files `wte.weight`, `wpe.weight`."""
    short = name.removesuffix(".weight")
    return short if short in description.weights else name


class Weights(Mapping[str, np.ndarray]):
    """The parameters by their Hugging Face names: float32, vectors [out], matrices [out, in], tables [rows, columns].

    The values are those that the model computes with: rounded when it was loaded with 16-bit weights. Each access opens
    the file and reads one tensor. Raises `TensorNameError` for an unknown name, `CheckpointError` when the file has
    changed since the model was loaded.

    >>> model.weights
    <Weights of 100 tensors>
    >>> model.weights["wpe"].shape
    (512, 192)
    """

    def __init__(self, opener: Opener, source: WeightSource, types: Mapping[str, str]) -> None:
        """types: of the weights on the GPU, by name. `source` is used here only."""
        self._opener, self._types = opener, types
        self._description = describe(source.config)
        self._path: Path | None = source.path
        self._stamp = stamp(source.path)

    def __getitem__(self, name: str) -> np.ndarray:
        if not isinstance(name, str):
            raise TensorNameError(f"{one_line(repr(name), 40)}: is not the name of a weight, which is a string")
        name = self._known(name)
        if name not in self._description.weights:
            near = difflib.get_close_matches(name, list(self), n=3, cutoff=0.0)
            raise TensorNameError(f"{one_line(name)}: no weight has this name; the nearest are {', '.join(near)}")
        if stamp(self._path) != self._stamp:
            raise CheckpointError(
                f"{one_line(self._path or '')}: has changed since it was loaded; load the model again"
            )
        source = self._opener()
        try:
            result = parameter(source, name, self._types)
        finally:
            source.close()
        result.flags.writeable = False
        return result

    def _known(self, name: str) -> str:
        return weight_name(self._description, name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._known(name) in self._description.weights

    def __iter__(self) -> Iterator[str]:
        return iter(self._description.weights)

    def __len__(self) -> int:
        return len(self._description.weights)

    def __repr__(self) -> str:
        return f"<Weights of {len(self)} tensors>"
