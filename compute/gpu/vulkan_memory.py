"""The memory size of a Vulkan adapter, read from the Vulkan library itself, since wgpu does not report it.

The structures are those of the Vulkan 1.0 specification; fields that are not read are declared as bytes.
"""

from __future__ import annotations

import ctypes
import functools
import sys

_LIBRARIES = {"linux": "libvulkan.so.1", "win32": "vulkan-1.dll"}
_CREATE_INSTANCE = 1  # VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO
_DEVICE_LOCAL = 1  # VK_MEMORY_HEAP_DEVICE_LOCAL_BIT


class _InstanceCreateInfo(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("next", ctypes.c_void_p),
        ("flags", ctypes.c_uint32),
        ("application", ctypes.c_void_p),
        ("layer_count", ctypes.c_uint32),
        ("layers", ctypes.c_void_p),
        ("extension_count", ctypes.c_uint32),
        ("extensions", ctypes.c_void_p),
    )


class _Properties(ctypes.Structure):
    _fields_ = (
        ("api_version", ctypes.c_uint32),
        ("driver_version", ctypes.c_uint32),
        ("vendor", ctypes.c_uint32),
        ("device", ctypes.c_uint32),
        ("rest", ctypes.c_uint8 * 1024),  # 808 bytes in the specification
    )


class _Heap(ctypes.Structure):
    _fields_ = (("size", ctypes.c_uint64), ("flags", ctypes.c_uint32))


class _MemoryProperties(ctypes.Structure):
    _fields_ = (
        ("type_count", ctypes.c_uint32),
        ("types", ctypes.c_uint32 * 2 * 32),
        ("heap_count", ctypes.c_uint32),
        ("heaps", _Heap * 16),
    )


@functools.cache  # the library is started for it, which takes 5 ms
def device_memory(vendor: int, device: int) -> int | None:
    """Size in bytes of the largest memory heap of the adapter with these PCI ids; None if it is unknown."""
    name = _LIBRARIES.get(sys.platform)
    if name is None:
        return None
    try:
        vulkan = ctypes.CDLL(name)
    except OSError:
        return None
    instance = ctypes.c_void_p()
    info = _InstanceCreateInfo(type=_CREATE_INSTANCE)
    if vulkan.vkCreateInstance(ctypes.byref(info), None, ctypes.byref(instance)) != 0:
        return None
    try:
        count = ctypes.c_uint32()
        vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
        handles = (ctypes.c_void_p * count.value)()
        vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), handles)
        for handle in handles[: count.value]:
            properties = _Properties()
            vulkan.vkGetPhysicalDeviceProperties(ctypes.c_void_p(handle), ctypes.byref(properties))
            if (properties.vendor, properties.device) == (vendor, device):
                memory = _MemoryProperties()
                vulkan.vkGetPhysicalDeviceMemoryProperties(ctypes.c_void_p(handle), ctypes.byref(memory))
                heaps = memory.heaps[: memory.heap_count]
                return max((heap.size for heap in heaps if heap.flags & _DEVICE_LOCAL), default=None)
    finally:
        vulkan.vkDestroyInstance(instance, None)
    return None
