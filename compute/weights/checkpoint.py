"""The interface of every source of weights, and the choice of one by `--model`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from assets import CHECKPOINT
from compute.errors import CheckpointError, option
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as
from compute.models.architectures import describe, known_shapes, parameter_shapes
from compute.models.config import ModelConfig

from .block_types import BlockType
from .dtypes import DTYPES
from .llmc import open_llmc
from .model_cache import FETCHABLE, fetched_model, is_repository, model_folder
from .random_model import RandomModel
from .uniform_type import UniformType

_RANDOM = "random:"


class WeightSource(Protocol):
    """A model's weights, tensor by tensor, so that only one of them needs to be in memory."""

    @property
    def name(self) -> str:
        """The name of the model for the user."""

    @property
    def path(self) -> Path | None:
        """The file, None if there is none."""

    @property
    def config(self) -> ModelConfig:
        """The sizes of the model."""

    @property
    def dtype(self) -> str:
        """The type that most weights are stored in: of `DTYPES` or `BLOCK_TYPES`."""

    def dtype_of(self, name: str) -> str:
        """The type of parameter `name` on the GPU when none is chosen: of `DTYPES` or `BLOCK_TYPES`."""

    def blocks(self, name: str) -> tuple[BlockType, np.ndarray] | None:
        """The blocks of a quantized matrix, uint8 [rows, bytes of a row] and read-only; None for other parameters."""

    def tensor(self, name: str) -> np.ndarray:
        """Parameter `name` in its stored dtype, with the shape `parameter_shapes(config)[name]`; read-only.

        Of a quantized matrix the values, as float32.

        In C order; a matrix that is stored [in, out] is returned as its transposed view. If there is a mapped file, the
        tensor is a view of it, valid until `close`. Raises KeyError for an unknown name.
        """

    def release(self, name: str) -> None:
        """Allow the memory of tensor `name` to be released. `tensor` may be called for it again."""

    def close(self) -> None:
        """Close the file. `tensor` must not be called afterwards; a second `close` does nothing."""


class ArrayModel(UniformType):
    """Weights from arrays: for tests, and for the float64 reference."""

    def __init__(self, name: str, config: ModelConfig, arrays: Mapping[str, np.ndarray]) -> None:
        """Use `arrays` without a copy. ValueError if names or shapes differ from `parameter_shapes(config)`."""
        shapes = parameter_shapes(config)
        if arrays.keys() != shapes.keys():
            raise ValueError(f"missing or unknown tensors: {sorted(arrays.keys() ^ shapes.keys())}")
        for key, shape in shapes.items():
            if arrays[key].shape != shape:
                raise ValueError(f"{key}: shape {arrays[key].shape}, expected {shape}")
        self.name = name
        self.path: Path | None = None
        self.config = config
        # Only the reference uses float64; it is reported as f32.
        stored = arrays[describe(config).token_table.name].dtype
        self.dtype = next((name for name, dtype in DTYPES.items() if dtype == stored), "f32")
        self._arrays = dict(arrays)

    def tensor(self, name: str) -> np.ndarray:
        """See `WeightSource.tensor`."""
        return self._arrays[name]

    def release(self, name: str) -> None:
        """Do nothing: the arrays belong to the caller."""

    def close(self) -> None:
        """Do nothing: the arrays belong to the caller."""


def open_model(spec: str, given: str = "model") -> WeightSource:
    """Open the model `spec`. given: the option or argument with that value, for messages.

    `stories`, a fetched model (of `FETCHABLE`, or `owner/name`), `random:` and one of `known_shapes`, or a path: an
    llm.c `.bin` file, a `.gguf` file, a `.safetensors` file or a folder in Hugging Face layout. Raises
    `CheckpointError` when there is no such model or its file is invalid.
    """
    path = model_path(spec, given)
    if path is None:
        return RandomModel(known_shapes()[spec.removeprefix(_RANDOM)], name=spec)
    name = spec if spec == "stories" or spec in FETCHABLE or _is_fetched(spec) else None
    if _is_folder(path) or path.suffix == ".safetensors":
        # Only here, because it costs a start 25 ms: its libraries read and validate JSON.
        from .hugging_face import open_hugging_face

        return open_hugging_face(path, name)
    if path.suffix == ".gguf":
        from .gguf import open_gguf

        return open_gguf(path, name)
    return open_llmc(path, name)


def model_path(spec: str, given: str = "model") -> Path | None:
    """The path of the model `spec`, None for random weights; given: as for `open_model`.

    Raises `CheckpointError` when there is no such model.
    """
    if spec == "stories":
        return CHECKPOINT
    if spec.startswith(_RANDOM):
        if spec.removeprefix(_RANDOM) not in known_shapes():
            known = ", ".join(f"{_RANDOM}{name}" for name in known_shapes())
            raise CheckpointError(f"{option(given, one_line(spec))}: there is no such size; use one of {known}")
        return None
    if spec in FETCHABLE or _is_fetched(spec):
        return fetched_model(spec, given)
    if not spec:
        raise CheckpointError(f"{option(given, '')}: is empty; use stories, gpt2, random:gpt2 or the path of a model")
    if "/" not in spec and "." not in spec and not os.path.exists(spec):
        raise CheckpointError(
            f"{option(given, one_line(spec))}: neither a known model nor a file; use stories, gpt2, random:gpt2"
            " or the path of a .bin file, a .gguf file, a .safetensors file or a folder that contains one"
        )
    return Path(spec)


def _is_fetched(spec: str) -> bool:
    """True for the name of a repository that was fetched. A path of that name counts before it."""
    return is_repository(spec) and not os.path.exists(spec) and os.path.isdir(model_folder(spec))


def model_files(spec: str, given: str = "model") -> list[Path]:
    """Every file that `open_model` may read for `spec`. Raises `CheckpointError` when there is no such model."""
    path = model_path(spec, given)
    if path is None:
        return []
    folder = path if _is_folder(path) else path.parent
    if folder == path or path.suffix == ".safetensors":
        # The config and the tokenizer are next to the weights.
        with read_errors_as(CheckpointError, one_line(path)):
            return sorted(folder.iterdir())
    return [path]


def _is_folder(path: Path) -> bool:
    with read_errors_as(CheckpointError, one_line(path)):
        return path.is_dir()
