"""Imports pygfx when a scene is drawn for the first time; the first frames do not need it.

The import takes as long as everything else that a window needs for its first frame. It also requests features for
wgpu's default device, which is an error once the device exists; `compute.gpu.device` has already requested them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import wgpu

from compute.errors import DeviceError
from compute.gpu.device import adapter_name

if TYPE_CHECKING:
    from .atlas_scene import AtlasScene

_NEEDED = "float32-filterable"


def check_device(device: wgpu.GPUDevice) -> None:
    """Raise `DeviceError` if pygfx cannot draw on `device`."""
    if _NEEDED not in device.features:
        name = adapter_name(device.adapter)
        raise DeviceError(f"{name}: lacks {_NEEDED}, which the window needs; choose another adapter with --adapter")


def make_scene(device: wgpu.GPUDevice) -> AtlasScene:
    """The scene; `device` must be wgpu's default device. Raises `DeviceError` if pygfx cannot draw on it."""
    if "pygfx" not in sys.modules:
        check_device(device)
        _import()
    from .atlas_scene import AtlasScene

    return AtlasScene(device)


def _import() -> None:
    """Import pygfx although the default device already exists. That device has the features that pygfx requests."""
    original = wgpu.preconfigure_default_device
    wgpu.preconfigure_default_device = lambda *_, **__: None
    try:
        import pygfx  # noqa: F401
    finally:
        wgpu.preconfigure_default_device = original
    from .shared_texture import load_font_index_on_demand

    load_font_index_on_demand()
