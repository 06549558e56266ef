"""Conversion of checkpoints from llm.c to Hugging Face layout and back, tensor by tensor."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from compute.errors import OutputError, UsageError, option
from compute.io.escape import one_line
from compute.io.output_files import output_folder
from compute.models.architectures import architecture_of, describe
from compute.models.config import ModelConfig

from .checkpoint import WeightSource
from .dtypes import DTYPES
from .hugging_face import CONFIG, WEIGHTS, stored_names, stored_shape
from .hugging_face_config import config_json
from .llmc import ARCHITECTURE, write_llmc
from .safetensors_file import TYPE_NAMES

_FORMAT_NAMES = {own: name for name, own in TYPE_NAMES.items()}
_LLMC_VERSIONS = {"f32": 3, "bf16": 5}
_LLMC_PADDING = 128  # llm.c pads the rows of the token embedding to a multiple of this
_DATA_ALIGNMENT = 8  # bytes


def convert(source: WeightSource, target: Path, dtype: str = "native") -> list[Path]:
    """Write `source` to `target` and return the files written.

    target: an llm.c file if it ends in `.bin`; a `.safetensors` file, with `config.json` next to it; or a folder for
    both. dtype: "f32", "f16", "bf16", or "native" for the stored one (where the format lacks it, f32 is written
    instead, which represents every value). Bits are preserved unless precision is lost. Raises `UsageError` for a type
    or architecture that the format lacks, `OutputError` when a file cannot be written or a `config.json` of another
    model exists.
    """
    chosen = source.dtype if dtype == "native" else dtype
    if target.suffix == ".bin":
        if dtype == "f16":
            raise UsageError(
                f"{option('weights', 'f16')}: llm.c files have no such type; use f32 or bf16, or a .safetensors target"
            )
        return _to_llmc(source, target, _LLMC_VERSIONS[chosen if chosen in _LLMC_VERSIONS else "f32"])
    return _to_hugging_face(source, target, chosen if chosen in DTYPES else "f32")


def weights_file(target: Path) -> Path:
    """The file that `convert` writes the weights to."""
    return target if target.suffix in (".bin", ".safetensors") else target / WEIGHTS


def _to_llmc(source: WeightSource, target: Path, version: int) -> list[Path]:
    if source.config.architecture != ARCHITECTURE:
        title = architecture_of(source.config).title
        raise UsageError(f"{source.name}: llm.c files cannot contain a {title}; use a .safetensors target")
    vocabulary = source.config.vocabulary
    padded = -(-vocabulary // _LLMC_PADDING) * _LLMC_PADDING
    config = replace(source.config, padded_vocabulary=padded)
    tables = describe(config).token_tables

    def tensor(name: str) -> np.ndarray:
        values = source.tensor(name)
        if name in tables and len(values) != padded:
            rows = np.zeros((padded, config.channels), values.dtype)
            rows[:vocabulary] = values[:vocabulary]
            return rows
        return values

    write_llmc(target, config, tensor, version, source.release)
    return [target]


def _to_hugging_face(source: WeightSource, target: Path, dtype: str) -> list[Path]:
    weights = weights_file(target)
    config_path = weights.with_name(CONFIG)
    text = json.dumps(config_json(source.config, dtype), indent=2) + "\n"
    if os.path.lexists(config_path) and _content(config_path) != text.encode():
        raise OutputError(f"{one_line(config_path)}: belongs to another model; choose another folder")
    with output_folder(weights.parent, target) as folder:
        with folder.file(weights.name) as file:
            _write_safetensors(file, source, dtype)
        with folder.file(CONFIG) as file:
            file.write(text.encode())
    return [weights, config_path]


def _content(path: Path) -> bytes | None:
    """The content of a file, None if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write_safetensors(file: IO[bytes], source: WeightSource, dtype: str) -> None:
    """Write the format without its library, which needs all tensors in memory at once."""
    config = replace(source.config, padded_vocabulary=source.config.vocabulary)
    file.write(_safetensors_header(config, dtype))
    for name, weight in describe(config).weights.items():
        values = source.tensor(name)[: weight.shape[0]]  # without padding rows
        with np.errstate(over="ignore"):  # float16 produces infinities, which `models verify` reports
            stored = values.T if weight.input_major else values
            file.write(np.ascontiguousarray(stored, dtype=DTYPES[dtype]).view(np.uint8).data)
        source.release(name)


def _safetensors_header(config: ModelConfig, dtype: str) -> bytes:
    """The header and its length: type, shape and offsets of each tensor, in the order in which they are written."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    architecture = architecture_of(config)
    names = stored_names(
        config, architecture.prefixes[0] if architecture.writes_prefix and architecture.prefixes else ""
    )
    at = 0
    for name, weight in describe(config).weights.items():
        size = weight.count * DTYPES[dtype].itemsize
        header[names[name]] = {
            "dtype": _FORMAT_NAMES[dtype],
            "shape": list(stored_shape(weight)),
            "data_offsets": [at, at + size],
        }
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _DATA_ALIGNMENT)
    return struct.pack("<Q", len(text)) + text
