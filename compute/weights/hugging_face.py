"""Models in Hugging Face layout: `model.safetensors`, or shards of it with an index, and `config.json` next to it.

Some architectures store linear layers [in, out] (`Conv1D`), while the registry's are [out, in]. Such a tensor is
returned as the transposed view of the mapped file, and `WeightUpload` transposes it on the GPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np

from compute.errors import CheckpointError, TensorsError
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as
from compute.models.architectures import architecture_of, describe
from compute.models.config import GPT2_SIZES, ModelConfig
from compute.models.operations import Weight
from compute.text.vocabulary import check_vocabulary

from .dtypes import DTYPES
from .hugging_face_config import read_config
from .safetensors_file import TYPE_NAMES, SafetensorsFile
from .sharded_file import ShardedFile
from .uniform_type import UniformType

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
_LONGEST_NAME = 200  # characters of a tensor's name in a message
_SLAB = 8 << 20  # bytes compared per step
StoredFile: TypeAlias = SafetensorsFile | ShardedFile


class HuggingFaceModel(UniformType):
    """An open model. The file is mapped and never read completely."""

    def __init__(self, path: Path, name: str, config: ModelConfig, file: StoredFile, prefix: str) -> None:
        """Use `open_hugging_face`, which checks the file first."""
        self.name = name
        self.path: Path | None = path
        self.config = config
        self._file = file
        self._weights = describe(config).weights
        self._keys = stored_names(config, prefix)
        kinds = {file.tensors[key].dtype for key in self._keys.values()}
        # Types are mixed if some layers kept full precision; float32 represents the values of all types.
        self.dtype = TYPE_NAMES[kinds.pop()] if len(kinds) == 1 else "f32"

    def tensor(self, name: str) -> np.ndarray:
        """A view of parameter `name` in the mapped file, transposed if stored [in, out]; see `WeightSource.tensor`."""
        if self._file.closed:
            raise ValueError(f"{self.name} is closed")
        stored = self._file.tensor(self._keys[name])
        return stored.T if self._weights[name].input_major else stored

    def release(self, name: str) -> None:
        """Release the mapped pages of tensor `name`; see `WeightSource.release`."""
        self._file.release(self._keys[name])

    def close(self) -> None:
        """Unmap the file; see `WeightSource.close`."""
        self._file.close()


def stored_names(config: ModelConfig, prefix: str = "") -> dict[str, str]:
    """The name of each parameter in the file. prefix: of all names but that of a head with a matrix of its own."""
    description = describe(config)
    names = {}
    for name in description.weights:
        stored = name if name.endswith((".weight", ".bias")) else f"{name}.weight"
        names[name] = prefix + stored
    if not description.tied_head:
        names[description.head.weight.name] = architecture_of(config).head
    return names


def stored_shape(weight: Weight) -> tuple[int, ...]:
    """The shape of a parameter in the file."""
    return weight.shape[::-1] if weight.input_major else weight.shape


def open_hugging_face(path: Path, name: str | None = None) -> HuggingFaceModel:
    """Open the model in folder `path`, or the `.safetensors` file at `path` with its `config.json` next to it.

    Its name is `name`, by default that of the folder or file. Raises `CheckpointError` when it cannot be read, is not a
    model that can run here, or has tensors that are missing, unknown or of the wrong shape or type.
    """
    weights = _weights_file(path)
    config_path = weights.with_name(CONFIG)
    if not config_path.exists():
        raise CheckpointError(
            f"{one_line(weights)}: there is no {CONFIG} next to it; copy it there from the same model"
        )
    config, tied = read_config(config_path)
    if config.vocabulary == GPT2_SIZES["gpt2"].vocabulary:
        check_vocabulary(weights.parent)
    file = ShardedFile(weights) if weights.name == WEIGHTS_INDEX else SafetensorsFile(weights)
    try:
        if config.layers > len(file.tensors):  # before a list of that many layers is built
            raise CheckpointError(
                f"{one_line(weights)}: has {len(file.tensors)} tensors, too few for the {config.layers} layers in its"
                f" {CONFIG}; use files that belong together"
            )
        known = architecture_of(config).prefixes
        prefix = next((prefix for prefix in known if any(key.startswith(prefix) for key in file.tensors)), "")
        problems = tensor_problems(config, file, prefix)
        if problems:
            more = f" (and {len(problems) - 1} more tensors like that)" if len(problems) > 1 else ""
            raise TensorsError(
                f"{one_line(weights)}: {problems[0]}{more}; use a file that matches its {CONFIG}", problems
            )
        _check_head(config, file, prefix, tied, one_line(weights))
    except CheckpointError:
        file.close()
        raise
    return HuggingFaceModel(weights, name or path.resolve().name, config, file, prefix)


def tensor_problems(config: ModelConfig, file: StoredFile, prefix: str) -> list[str]:
    """One line for each tensor of `file` that is missing, unknown, or of the wrong shape or type."""
    architecture, description = architecture_of(config), describe(config)
    keys = stored_names(config, prefix)
    expected = {keys[name]: stored_shape(weight) for name, weight in description.weights.items()}
    ignored = {architecture.head} if description.tied_head else set()
    problems = []
    for key, shape in expected.items():
        stored = file.tensors.get(key)
        if stored is None:
            problems.append(f"{key} is missing")
        elif stored.shape != shape:
            problems.append(f"{key} has shape {list(stored.shape)}, must be {list(shape)}")
        elif stored.dtype not in TYPE_NAMES:
            problems.append(f"{key} is stored as {stored.dtype}, must be one of {', '.join(TYPE_NAMES)}")
    for key in file.tensors:
        if key not in expected and key not in ignored and not key.endswith(architecture.masks):
            problems.append(f"{one_line(key, _LONGEST_NAME)} is not a tensor of {architecture.title}")
    return problems


def _weights_file(path: Path) -> Path:
    """The safetensors file for `path`, or the index of its shards. Raises `CheckpointError`: why there is none."""
    shown = one_line(path)
    folder, named = (path.parent, path.name) if path.suffix == ".safetensors" else (path, WEIGHTS)
    with read_errors_as(CheckpointError, shown):
        names = {entry.name for entry in folder.iterdir()}
    if "-of-" in named and WEIGHTS_INDEX not in names:
        raise CheckpointError(
            f"{shown}: is one shard of several, and there is no {WEIGHTS_INDEX} next to it; copy it there from the same"
            " model"
        )
    if "-of-" in named or (named not in names and named == WEIGHTS and WEIGHTS_INDEX in names):
        return folder / WEIGHTS_INDEX
    if named in names:
        if not (folder / named).is_file():
            raise CheckpointError(f"{shown}: is a directory; give the path of a file or of its folder")
        return folder / named
    if path.suffix == ".safetensors":
        raise CheckpointError(f"{shown}: there is no such file; check the path")
    if "adapter_config.json" in names:
        why = "is an adapter, not a whole model; merge it into its model and save that"
    elif any(name.endswith(".gguf") for name in names):
        why = f"has a GGUF file but no {WEIGHTS}; give the path of the .gguf file"
    elif names & {"pytorch_model.bin", "pytorch_model.bin.index.json"}:
        why = f"has PyTorch weights but no {WEIGHTS}; save it as safetensors with transformers"
    else:
        why = f"is a directory; give the path of an llm.c .bin file or of a folder with {WEIGHTS} and {CONFIG}"
    raise CheckpointError(f"{shown}: {why}")


def _check_head(config: ModelConfig, file: StoredFile, prefix: str, tied: bool, shown: str) -> None:
    """Refuse a head that the description does not have: of its own where it is the token embedding, or the reverse."""
    architecture, description = architecture_of(config), describe(config)
    head, key = architecture.head, stored_names(config, prefix)[description.token_table.name]
    if not description.tied_head:
        if tied:
            raise CheckpointError(
                f"{shown}: {CONFIG} says that {head} is tied to {key}; a {architecture.title} with a tied head cannot"
                " run here, use one with a separate one"
            )
    elif head not in file.tensors:
        if not tied:
            raise CheckpointError(
                f"{shown}: {head} is missing, and {CONFIG} says that it is not tied to {key}; use a complete model"
            )
    elif not _equal(file, head, key):
        raise CheckpointError(
            f"{shown}: {head} differs from {key}; models with a separate head cannot run here, use one with a tied one"
        )


def _equal(file: StoredFile, first: str, second: str) -> bool:
    """True if two matrices have the same bits. Keeps no views, which would keep the file open."""
    one, other = file.tensors[first], file.tensors[second]
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    width = DTYPES[TYPE_NAMES[one.dtype]].itemsize
    step = max(1, _SLAB // (width * one.shape[1]))
    # As integers, so that NaN equals itself.
    left, right = (file.tensor(name).view(f"u{width}") for name in (first, second))
    for row in range(0, len(left), step):
        equal = np.array_equal(left[row : row + step], right[row : row + step])
        file.release(first)
        file.release(second)
        if not equal:
            return False
    return True
