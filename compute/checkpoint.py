"""Where weights come from: what every source of a model offers, and how `--model` chooses one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from assets import CHECKPOINT

from .config import GPT2_SIZES, ModelConfig, parameter_shapes
from .errors import CheckpointError
from .hugging_face import open_hugging_face
from .llmc import one_line, open_llmc
from .mapped_file import telling_failures
from .model_cache import FETCHABLE, fetched_model
from .random_model import RandomModel


class WeightSource(Protocol):
    """A model's weights, one tensor at a time, so that no more than one of them need be in memory."""

    @property
    def name(self) -> str:
        """What the user knows the model by."""

    @property
    def path(self) -> Path | None:
        """The file, or None when there is none."""

    @property
    def config(self) -> ModelConfig:
        """Sizes of the model."""

    @property
    def dtype(self) -> str:
        """How the weights are stored: "f32", "bf16" or "f16"."""

    def tensor(self, name: str) -> np.ndarray:
        """Parameter `name` in its stored dtype, of the shape `parameter_shapes(config)[name]`; read only.

        In C order, or a matrix that is stored [in, out] as the transposed view of it. A view of the mapped file where
        there is one: valid until `close`. Raises KeyError for an unknown name.
        """

    def release(self, name: str) -> None:
        """The caller is done with tensor `name`: its memory may go. Asking for it again is allowed."""

    def close(self) -> None:
        """Give up the file. No tensor may be asked for after it; a second call does nothing."""


class ArrayModel:
    """Weights that are already arrays: for tests, and for the reference in float64."""

    def __init__(self, name: str, config: ModelConfig, arrays: Mapping[str, np.ndarray]) -> None:
        """Take `arrays` as they are; ValueError when names or shapes are not those of `parameter_shapes(config)`."""
        shapes = parameter_shapes(config)
        if arrays.keys() != shapes.keys():
            raise ValueError(f"missing or unknown tensors: {sorted(arrays.keys() ^ shapes.keys())}")
        for key, shape in shapes.items():
            if arrays[key].shape != shape:
                raise ValueError(f"{key}: shape {arrays[key].shape}, expected {shape}")
        self.name = name
        self.path: Path | None = None
        self.config = config
        # float64 exists only for the reference; to anyone who asks it counts as f32.
        self.dtype = {"bfloat16": "bf16", "float16": "f16"}.get(arrays["wte"].dtype.name, "f32")
        self._arrays = dict(arrays)

    def tensor(self, name: str) -> np.ndarray:
        """See `WeightSource.tensor`."""
        return self._arrays[name]

    def release(self, name: str) -> None:
        """Nothing to do: the arrays belong to the caller."""

    def close(self) -> None:
        """Nothing to do: the arrays belong to the caller."""


def open_model(spec: str) -> WeightSource:
    """Open what `--model` names.

    `stories`, a name of `FETCHABLE` that was fetched, `random:` and one of `GPT2_SIZES`, or a path: an llm.c `.bin`, a
    `.safetensors` file or a folder in Hugging Face layout. Raises `CheckpointError` when there is no such model or its
    file is not sound.
    """
    if spec == "stories":
        return open_llmc(CHECKPOINT, name="stories")
    if spec.startswith("random:"):
        size = spec.removeprefix("random:")
        if size not in GPT2_SIZES:
            known = ", ".join(f"random:{name}" for name in GPT2_SIZES)
            raise CheckpointError(f"--model {one_line(spec)}: there is no such size; use one of {known}")
        return RandomModel(GPT2_SIZES[size], name=spec)
    if spec in FETCHABLE:
        return _open_path(fetched_model(spec), spec)
    if not spec:
        raise CheckpointError("--model: is empty; use stories, gpt2, random:gpt2 or the path of a model")
    if "/" not in spec and "." not in spec and not Path(spec).exists():
        raise CheckpointError(
            f"--model {one_line(spec)}: neither a known model nor a file; use stories, gpt2, random:gpt2 or the path of"
            " a .bin file, a .safetensors file or a folder that holds one"
        )
    return _open_path(Path(spec))


def _open_path(path: Path, name: str | None = None) -> WeightSource:
    with telling_failures(one_line(path)):
        is_folder = path.is_dir()
    return open_hugging_face(path, name) if is_folder or path.suffix == ".safetensors" else open_llmc(path, name)
