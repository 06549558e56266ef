"""Identification of what a result depends on: hashes of weights and shaders, versions of libraries."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np

import wgsl
from compute.models.architectures import parameter_shapes

from .checkpoint import WeightSource

_LIBRARIES = ("wgpu", "numpy", "pygfx", "tiktoken")


def weights_sha256(source: WeightSource) -> str:
    """SHA-256 over every parameter in the order of `parameter_shapes`: name, type and shape as text, then its bytes.

    Independent of the file format. Reads all weights, which takes about one second per gigabyte.
    """
    digest = hashlib.sha256()
    for name in parameter_shapes(source.config):
        array = np.ascontiguousarray(source.tensor(name))
        digest.update(f"{name} {array.dtype.name} {list(array.shape)}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
        source.release(name)
    return digest.hexdigest()


def shaders_sha256() -> str:
    """SHA-256 over the path and content of every .wgsl file, snippets included."""
    digest = hashlib.sha256()
    for path in sorted(wgsl.FOLDER.rglob("*.wgsl")):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(wgsl.FOLDER).as_posix()} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the installed libraries that a result may depend on."""
    installed = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed
