"""Lens files: .npz and .safetensors, which begin with different bytes."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence

import numpy as np
from safetensors.numpy import save

from compute.errors import CheckpointError
from compute.lens.lens_file import read_lens_file
from compute.models.architectures import describe
from compute.models.config import ModelConfig

from ..mutation import change_bytes, change_json
from ..scratch import folder
from ..target import Target, may_refuse

_DESCRIPTION = describe(ModelConfig(1, 1, 4, 2, 3, 3))
_POINTS = ("embed.sum", "h.0.resid_post", "blocks.0.hook_resid_pre")
_WORDS = [
    *(f"{point}.{kind}" for point in _POINTS for kind in ("weight", "bias")), "dtype", "shape", "data_offsets", "F32",
    "F16", "BF16", "F64", "I8", "__metadata__",
]  # fmt: skip
_change_header = change_json(_WORDS)


def seeds() -> Sequence[bytes]:
    """Both formats, with one and with two points."""
    one: dict[str, np.ndarray] = {"h.0.resid_post.weight": np.eye(4, dtype=np.float32)}
    two = one | {"embed.sum.weight": np.ones((4, 4), np.float16), "embed.sum.bias": np.ones(4, np.float16)}
    made = [save(one), save(two)]
    for arrays in (one, two):
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        made.append(file.getvalue())
    return made


def use(data: bytes) -> None:
    """Read the file, and use every number."""
    path = folder() / ("lens.npz" if data.startswith(b"PK") else "lens.safetensors")
    path.write_bytes(data)
    with may_refuse(CheckpointError):
        file = read_lens_file(path, _DESCRIPTION)
    for weight, bias in file.entries.values():
        assert np.isfinite(weight @ np.ones(4, np.float32) + bias).all() or np.abs(weight).max() > 1e37


def change(data: bytes, chance: random.Random) -> bytes:
    """Change the header of a .safetensors file, keeping its length field correct, or any bytes."""
    length = int.from_bytes(data[:8], "little")
    if data.startswith(b"PK") or length > len(data) or chance.random() < 0.3:
        return change_bytes(data, chance)
    header = _change_header(data[8 : 8 + length], chance)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


TARGET = Target(use, seeds, change)
