"""pygfx, imported when a scene is drawn for the first time: the first frames and the map do without it.

Importing it takes as long as everything else that the first frame needs of the window. It asks for features of wgpu's
default device at that, which is an error once there is a device: `compute.gpu.device` asked for the same features.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import wgpu

from compute.errors import DeviceError
from compute.gpu.device import adapter_name

if TYPE_CHECKING:
    from .strip_scene import StripScene

_NEEDED = "float32-filterable"


def check_device(device: wgpu.GPUDevice) -> None:
    """Raise `DeviceError` when pygfx cannot draw on `device`."""
    if _NEEDED not in device.features:
        name = adapter_name(device.adapter)
        raise DeviceError(f"{name}: has no {_NEEDED}, which the window needs; choose another one with --adapter")


def make_strip_scene(atlas: wgpu.GPUTexture, device: wgpu.GPUDevice) -> StripScene:
    """An `StripScene` of these; `device` is the default device. Raises `DeviceError` when pygfx cannot draw on it."""
    if "pygfx" not in sys.modules:
        check_device(device)
        _import()
    from .strip_scene import StripScene

    return StripScene(atlas, device)


def _import() -> None:
    """Import pygfx beside a device that has what pygfx would ask for."""
    asking = wgpu.preconfigure_default_device
    wgpu.preconfigure_default_device = lambda *_, **__: None
    try:
        import pygfx  # noqa: F401
    finally:
        wgpu.preconfigure_default_device = asking
