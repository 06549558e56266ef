"""What a result depends on, as hashes and versions: the weights, the shaders, the libraries."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np

import wgsl
from compute.models.config import parameter_shapes

from .checkpoint import WeightSource

_LIBRARIES = ("wgpu", "numpy", "pygfx", "tiktoken")


def weights_sha256(source: WeightSource) -> str:
    """SHA-256 over every parameter in the order of `parameter_shapes`: name, type and shape as text, then its bytes.

    The same for the same weights in another kind of file. Reads all of them: about a second a gigabyte.
    """
    digest = hashlib.sha256()
    for name in parameter_shapes(source.config):
        array = np.ascontiguousarray(source.tensor(name))
        digest.update(f"{name} {array.dtype.name} {list(array.shape)}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
        source.release(name)
    return digest.hexdigest()


def shaders_sha256() -> str:
    """SHA-256 over every .wgsl file, snippets included: path and content."""
    digest = hashlib.sha256()
    for path in sorted(wgsl.FOLDER.rglob("*.wgsl")):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(wgsl.FOLDER).as_posix()} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Python and the libraries that a result may depend on, those that are installed."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
