"""llm.c checkpoints of a GPT-2: a header of 256 int32, then 16 tensors, stacked over the layers.

Version 3 is fp32, 5 is bf16.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from compute.errors import CheckpointError
from compute.io.escape import one_line
from compute.io.mapped_file import MappedFile
from compute.io.output_files import output_file
from compute.io.system_errors import read_errors_as
from compute.models.architectures import block_parameter_shapes, describe, one_block, parameter_shapes
from compute.models.config import ModelConfig
from compute.models.names import block_name
from compute.text import tokenizer

from .dtypes import DTYPES
from .limits import check_sizes
from .uniform_type import UniformType

MAGIC = 20240326
HEADER_BYTES = 1024
VERSIONS = {3: "f32", 5: "bf16"}
MAX_BYTES = 2**40
ARCHITECTURE = "gpt2"
"""The only architecture of the format."""

# Files that are often given by mistake, by their first bytes.
_OTHER_FILES = (
    (tokenizer.MAGIC.to_bytes(4, "little"), "an llm.c tokenizer"),
    (b"GGUF", "a GGUF file"),
    (b"PK\x03\x04", "a PyTorch or zip archive"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<", "an HTML or XML page, perhaps a failed download"),
)


class LlmcModel(UniformType):
    """An open llm.c checkpoint. The file is mapped; only the pages of tensors in use are in memory."""

    def __init__(self, path: Path, name: str, config: ModelConfig, version: int, file: MappedFile) -> None:
        """Use `open_llmc`, which checks the file first."""
        self.name = name
        self.path: Path | None = path
        self.config = config
        self.dtype = VERSIONS[version]
        self._type = DTYPES[self.dtype]
        self._file = file
        self._shapes = parameter_shapes(config)
        self._offsets = _offsets(config, self._type.itemsize)

    def tensor(self, name: str) -> np.ndarray:
        """Parameter `name` as a read-only view of the mapped file; see `WeightSource.tensor`."""
        if self._file.closed:
            raise ValueError(f"{self.name} is closed")
        return self._file.view(self._type, self._shapes[name], self._offsets[name])

    def release(self, name: str) -> None:
        """Release the mapped pages of tensor `name`; a view that is still in use reads them again."""
        self._file.drop(self._offsets[name], prod(self._shapes[name]) * self._type.itemsize)

    def close(self) -> None:
        """Unmap the file; see `WeightSource.close`."""
        self._file.close()


def open_llmc(path: Path, name: str | None = None) -> LlmcModel:
    """Open the llm.c checkpoint at `path`, called `name` (its file name by default).

    Raises `CheckpointError` when the file cannot be read, is not a checkpoint of version 3 or 5, has invalid sizes, or
    is shorter or longer than its header says.
    """
    shown = one_line(path)
    with read_errors_as(CheckpointError, shown):
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if path.is_dir() else "not a regular file"
            raise CheckpointError(f"{shown}: is {kind}; give the path of an llm.c .bin file")
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
        config, version = _checked_header(header, status.st_size, shown)
        mapped = MappedFile(path)
    return LlmcModel(path, name or path.name, config, version, mapped)


def write_llmc(
    path: Path,
    config: ModelConfig,
    tensors: Callable[[str], np.ndarray],
    version: int = 3,
    release: Callable[[str], None] | None = None,
) -> None:
    """Write a checkpoint of `version` 3 or 5 to `path` atomically. `tensors` returns a parameter by name.

    `release` is called with the name of each written parameter. Values are rounded to the version's type. Raises
    `OutputError` when the file cannot be written, ValueError when the shape of a tensor differs from
    `parameter_shapes(config)` or the model is not a GPT-2.
    """
    if config.architecture != ARCHITECTURE:
        raise ValueError(f"llm.c files cannot contain a model of the architecture {config.architecture}")
    dtype = DTYPES[VERSIONS[version]]
    shapes = parameter_shapes(config)
    header = np.zeros(256, "<i4")
    header[:8] = (
        MAGIC, version, config.positions, config.vocabulary, config.layers, config.heads, config.channels,
        config.padded_vocabulary,
    )  # fmt: skip
    with output_file(path) as file:
        file.write(header.tobytes())
        for name in _file_order(config):
            _write_tensor(file, name, tensors(name), shapes[name], dtype)
            if release is not None:
                release(name)


def _write_tensor(file: IO[bytes], name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name}: shape {array.shape}, expected {shape}")
    # As bytes, because NumPy provides no buffer of bfloat16.
    file.write(np.ascontiguousarray(array, dtype=dtype).view(np.uint8).data)


def _file_order(config: ModelConfig) -> Iterator[str]:
    """Every parameter in the order of the file: each kind for all layers, then the next kind."""
    embedding, *_, last = describe(config).sections
    yield from (weight.name for weight in embedding.weights)
    for name in block_parameter_shapes(config):
        for layer in range(config.layers):
            yield block_name(layer, name)
    yield from (weight.name for weight in last.weights if weight not in embedding.weights)


def _offsets(config: ModelConfig, item_bytes: int) -> dict[str, int]:
    """The offset of every parameter, in bytes from the start of the file."""
    shapes = parameter_shapes(config)
    offsets: dict[str, int] = {}
    at = HEADER_BYTES
    for name in _file_order(config):
        offsets[name] = at
        at += prod(shapes[name]) * item_bytes
    return offsets


def _checked_header(header: bytes, size: int, shown: str) -> tuple[ModelConfig, int]:
    """The sizes and the version in `header`. size: bytes of the file. Raises `CheckpointError`."""
    if size == 0:
        raise CheckpointError(f"{shown}: is empty; fetch or copy it again")
    _check_magic(header, shown)
    if len(header) < HEADER_BYTES:
        raise CheckpointError(
            f"{shown}: has {size} bytes, fewer than the {HEADER_BYTES} of the header; fetch or copy it again"
        )
    numbers = [int(number) for number in np.frombuffer(header, "<i4", count=8)]
    version = numbers[1]
    if version not in VERSIONS:
        raise CheckpointError(
            f"{shown}: llm.c version {version} is not supported; use a file of version 3 (fp32) or 5 (bf16)"
        )
    positions, vocabulary, layers, heads, channels, padded = numbers[2:]
    config = ModelConfig(layers, heads, channels, positions, vocabulary, padded, ARCHITECTURE)
    check_sizes(config, shown)
    expected = _file_bytes(config, DTYPES[VERSIONS[version]].itemsize)
    if expected > MAX_BYTES:
        raise CheckpointError(
            f"{shown}: header asks for {expected} bytes of weights, more than any GPU has; fetch or copy it again"
        )
    if size < expected:
        raise CheckpointError(f"{shown}: is truncated, {size} of {expected} bytes; fetch or copy it again")
    if size > expected:
        raise CheckpointError(
            f"{shown}: has {size - expected} extra bytes, {size} instead of {expected}; fetch or copy it again"
        )
    return config, version


def _check_magic(header: bytes, shown: str) -> None:
    magic = int.from_bytes(header[:4], "little", signed=True)
    if len(header) >= 4 and magic == MAGIC:
        return
    kind = next((kind for start, kind in _OTHER_FILES if header.startswith(start)), None)
    # A safetensors file begins with 8 bytes that give the length of its JSON.
    if kind is None and header[8:10] == b'{"':
        raise CheckpointError(f"{shown}: is a safetensors file; give it a name that ends in .safetensors")
    if kind is not None:
        raise CheckpointError(f"{shown}: is {kind}; give an llm.c checkpoint of version 3 or 5")
    if len(header) < HEADER_BYTES:
        raise CheckpointError(
            f"{shown}: has {len(header)} bytes, fewer than the {HEADER_BYTES} of the header; fetch or copy it again"
        )
    raise CheckpointError(f"{shown}: is not an llm.c checkpoint (magic {magic}, not {MAGIC}); check the path")


def _file_bytes(config: ModelConfig, item_bytes: int) -> int:
    """Size of the file, computed without a list of tensors: a damaged header can claim two billion layers."""
    whole = sum(weight.count for weight in one_block(config).weights.values())
    block = sum(prod(shape) for shape in block_parameter_shapes(config).values())
    return HEADER_BYTES + (whole + block * (config.layers - 1)) * item_bytes
