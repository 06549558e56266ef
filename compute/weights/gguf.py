"""Models in GGUF files: quantized matrices are read as they are stored, and dequantized on the GPU.

Row orders are those of Hugging Face files: rows that the format stores in another order are put back on reading.
"""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from compute.errors import CheckpointError, TensorsError
from compute.io.escape import one_line
from compute.models.architecture import Architecture, GgufFields
from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.models.names import split_name

from .block_types import BLOCK_TYPES, BlockType, dequantize
from .dtypes import DTYPES
from .gguf_config import ROPE_FACTORS, architecture_in, read_metadata
from .gguf_file import GgufFile

_LONGEST_NAME = 80  # characters of a tensor's name in a message
_HEAD = "output.weight"
_SLAB = 8 << 20  # bytes compared per step
_IGNORED = (ROPE_FACTORS,)  # besides the parameters; the config has it


class GgufModel:
    """An open model. The file is mapped and never read completely."""

    def __init__(self, path: Path, name: str, config: ModelConfig, file: GgufFile, gguf: GgufFields) -> None:
        """Use `open_gguf`, which checks the file first."""
        self.name = name
        self.path: Path | None = path
        self.config = config
        self._file, self._gguf = file, gguf
        self._keys = stored_names(config, gguf)
        counts: Counter[str] = Counter()
        for key in self._keys.values():
            counts[file.tensors[key].dtype] += prod(file.tensors[key].shape)
        self.dtype = counts.most_common(1)[0][0]

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata, arrays of numbers as lists."""
        values = self._file.metadata.items()
        return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in values}

    def dtype_of(self, name: str) -> str:
        """The type that a parameter is stored in; see `WeightSource.dtype_of`."""
        return self._file.tensors[self._keys[name]].dtype

    def blocks(self, name: str) -> tuple[BlockType, np.ndarray] | None:
        """See `WeightSource.blocks`. A view of the mapped file, unless rows are put in order."""
        kind = BLOCK_TYPES.get(self.dtype_of(name))
        return None if kind is None else (kind, self._ordered(name))

    def tensor(self, name: str) -> np.ndarray:
        """See `WeightSource.tensor`. A view of the mapped file, unless it is quantized or rows are put in order."""
        quantized = self.blocks(name)
        if quantized is not None:
            values = dequantize(*quantized)
        else:
            values = self._ordered(name)
            if split_name(name)[1] in self._gguf.offset:
                values = (values.astype(np.float32) - np.float32(1)).astype(values.dtype)
        values.flags.writeable = False
        return values

    def _ordered(self, name: str) -> np.ndarray:
        """A parameter as the file stores it, with its rows in our order; uint8 [rows, bytes of a row] if quantized."""
        if self._file.closed:
            raise ValueError(f"{self.name} is closed")
        stored = self._file.tensor(self._keys[name])
        module = split_name(name)[1].rpartition(".")[0]
        size = self.config.head_size
        rows = np.arange(len(stored))
        if module in self._gguf.permuted:
            order = rows.reshape(-1, size // 2, 2).swapaxes(1, 2)  # [heads, halves, pairs], which row of the file it is
        elif module in self._gguf.thirds:
            order = rows.reshape(3, -1, size).swapaxes(0, 1)  # [heads, queries keys values, channels]
        else:
            return stored
        ordered = stored[order.reshape(-1)]
        ordered.flags.writeable = False
        return ordered

    def release(self, name: str) -> None:
        """Release the mapped pages of tensor `name`; see `WeightSource.release`."""
        self._file.release(self._keys[name])

    def close(self) -> None:
        """Unmap the file; see `WeightSource.close`."""
        self._file.close()


def stored_names(config: ModelConfig, gguf: GgufFields) -> dict[str, str]:
    """The name of each parameter in the file. KeyError when the architecture does not say one."""
    names = {}
    for name in describe(config).weights:
        block, short = split_name(name)
        names[name] = gguf.tensors[short] if block is None else f"blk.{block}.{gguf.tensors[short]}"
    return names


def open_gguf(path: Path, name: str | None = None) -> GgufModel:
    """Open the model in the file at `path`. Its name is `name`, by default that of the file.

    Raises `CheckpointError` when it cannot be read, is not a model that can run here, or has tensors that are missing,
    unknown or of the wrong shape or type.
    """
    shown = one_line(path)
    file = GgufFile(path)
    try:
        architecture, gguf = architecture_in(file, shown)
        config = read_metadata(file, architecture, gguf, shown)
        if config.layers > len(file.tensors):  # before a list of that many layers is built
            raise CheckpointError(
                f"{shown}: has {len(file.tensors)} tensors, too few for the {config.layers} layers in its metadata;"
                " fetch or copy it again"
            )
        problems = tensor_problems(config, file, architecture, gguf)
        if problems:
            more = f" (and {len(problems) - 1} more tensors like that)" if len(problems) > 1 else ""
            raise TensorsError(f"{shown}: {problems[0]}{more}; use a file that matches its metadata", problems)
        _check_head(file, gguf, shown)
    except CheckpointError:
        file.close()
        raise
    return GgufModel(path, name or path.name, config, file, gguf)


def tensor_problems(config: ModelConfig, file: GgufFile, architecture: Architecture, gguf: GgufFields) -> list[str]:
    """One line for each tensor of `file` that is missing, unknown, or of the wrong shape or type."""
    keys, problems = stored_names(config, gguf), []
    for name, weight in describe(config).weights.items():
        key = keys[name]
        stored = file.tensors.get(key)
        if stored is None:
            problems.append(f"{key} is missing")
        elif stored.shape != weight.shape:
            problems.append(f"{key} has shape {list(stored.shape)}, must be {list(weight.shape)}")
        elif len(weight.shape) == 1 and stored.dtype not in DTYPES:
            problems.append(f"{key} is a vector stored as {stored.dtype}, must be one of {', '.join(DTYPES)}")
    expected = {*keys.values(), *_IGNORED, _HEAD}
    for key in file.tensors:
        if key not in expected:
            problems.append(f"{one_line(key, _LONGEST_NAME)} is not a tensor of {architecture.title}")
    return problems


def _check_head(file: GgufFile, gguf: GgufFields, shown: str) -> None:
    """Refuse a head of its own where the description has none; a copy of the token embedding is one of those."""
    if _HEAD in gguf.tensors.values() or _HEAD not in file.tensors:
        return
    head, table = file.tensors[_HEAD], file.tensors["token_embd.weight"]
    if (head.dtype, head.shape) != (table.dtype, table.shape) or not _equal(file, _HEAD, "token_embd.weight"):
        raise CheckpointError(
            f"{shown}: {_HEAD} differs from token_embd.weight; models with a separate head cannot run here, use one"
            " with a tied one"
        )


def _equal(file: GgufFile, first: str, second: str) -> bool:
    """True if two tensors of the same size have the same bytes. Keeps no views, which would keep the file open."""
    one, other = (file.tensor(name).reshape(-1).view(np.uint8) for name in (first, second))
    for at in range(0, len(one), _SLAB):
        equal = np.array_equal(one[at : at + _SLAB], other[at : at + _SLAB])
        file.release(first)
        file.release(second)
        if not equal:
            return False
    return True
