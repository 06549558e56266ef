"""The GPU device of the process, shared by the engine and by everything that draws its tensors."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator

import wgpu
import wgpu.utils

from compute.errors import DeviceError, MemoryBudgetError, option
from compute.io.escape import one_line
from compute.io.system_errors import first_line

from .cffi_startup import speed_up

speed_up()  # before an adapter is requested, which imports the backend

# Requested when the adapter has them. Code that uses one checks `device.features` and has a fallback.
PREFERRED_FEATURES = {
    "float32-filterable",  # pygfx cannot start without it
    "subgroup",
    "shader-f16",
    "timestamp-query",
    "timestamp-query-inside-passes",
    "timestamp-query-inside-encoders",
}

# OpenGL adapters lack the storage textures and the limits that the engine needs.
_BACKENDS = {"Vulkan", "Metal", "D3D12"}
_PREFERENCE = {"DiscreteGPU": 0, "IntegratedGPU": 1, "Unknown": 2, "CPU": 3}

_chosen: wgpu.GPUAdapter | None = None


def list_adapters() -> list[wgpu.GPUAdapter]:
    """Every adapter that can run the engine, the default first: discrete, integrated, then software."""
    _disable_opengl()
    adapters = [a for a in wgpu.gpu.enumerate_adapters_sync() if a.info["backend_type"] in _BACKENDS]
    return sorted(adapters, key=lambda a: _PREFERENCE.get(a.info["adapter_type"], 2))


@functools.cache
def _disable_opengl() -> None:
    """Keep wgpu from starting OpenGL, whose adapters are never used: that took half of the time to list adapters."""
    if sys.platform != "linux":
        return  # other systems have several other backends, whose settings this call would change
    from wgpu.backends.wgpu_native.extras import set_instance_extras

    with contextlib.suppress(RuntimeError):  # adapters have already been listed, so it is too late to save that time
        set_instance_extras(backends=["Vulkan"])


# The message for a lost device: its driver was reset, its card was removed, or it hung.
LOST = "the GPU device was lost: close other GPU programs and start again"


def adapter_name(adapter: wgpu.GPUAdapter) -> str:
    """The adapter's one-line name: device, type, graphics API and driver."""
    info = adapter.info
    return f"{info['device']} ({info['adapter_type']}, {info['backend_type']}, {info['description']})"


def is_software(adapter: wgpu.GPUAdapter) -> bool:
    """True for an adapter that runs on the CPU."""
    return bool(adapter.info["adapter_type"] == "CPU")


def shared_device(adapter: str | None = None) -> wgpu.GPUDevice:
    """The device of this process, created by the first call. It is wgpu's default device, so pygfx draws with it.

    adapter: text that the adapter's name must contain, ignoring case; None for the first of `list_adapters`.
    Raises `DeviceError` when no adapter matches or another adapter is already in use.
    """
    global _chosen
    if _chosen is None:
        chosen = _find(adapter)
        # This deliberately overrides other adapter settings; users can ignore the warning that wgpu logs about it.
        wgpu.preconfigure_default_device("engine", adapter=chosen, preferred_features=PREFERRED_FEATURES)
        try:
            wgpu.utils.get_default_device()
        except Exception as error:
            raise DeviceError(f"{adapter_name(chosen)}: the device cannot be opened: {first_line(error)}") from error
        _chosen = chosen
    elif adapter is not None and adapter.lower() not in adapter_name(_chosen).lower():
        raise DeviceError(f"{option('adapter', one_line(adapter))}: this process already uses {adapter_name(_chosen)}")
    return wgpu.utils.get_default_device()


def device_error(error: BaseException) -> DeviceError | None:
    """The error to report when `error` means a lost device or exhausted GPU memory; None for any other error."""
    if isinstance(error, wgpu.GPUOutOfMemoryError):
        return MemoryBudgetError(
            f"the GPU is out of memory: close other programs, or use a smaller {option('context')} or a smaller model"
        )
    if isinstance(error, wgpu.GPUError) and "is lost" in str(error):
        return DeviceError(LOST)
    return None


@contextlib.contextmanager
def device_errors() -> Iterator[None]:
    """Turns errors of the GPU's library into `DeviceError`s of one line."""
    try:
        yield
    except Exception as error:
        known = device_error(error)
        if known is None:
            raise
        raise known from error


def _find(text: str | None) -> wgpu.GPUAdapter:
    adapters = list_adapters()
    if not adapters:
        raise DeviceError(
            "no Vulkan, Metal or D3D12 adapter was found; `atlas-viewer doctor` names the command that installs one"
        )
    if text is None:
        return adapters[0]
    for adapter in adapters:
        if text.lower() in adapter_name(adapter).lower():
            return adapter
    known = "; ".join(adapter_name(a) for a in adapters)
    raise DeviceError(
        f"{option('adapter', one_line(text))}: no adapter's name contains this text; choose one of: {known}"
    )
