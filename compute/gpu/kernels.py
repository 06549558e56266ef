"""Compute pipelines from WGSL templates: each is created once, and its resources are bound by name."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import wgpu

import wgsl

from .wgpu_native import Dispatch, create_shader

_BINDING = re.compile(
    r"@group\(0\)\s*@binding\((?P<index>\d+)\)\s*var(?:<(?P<space>[a-z_, ]+)>)?\s*(?P<name>\w+)\s*:\s*(?P<type>[^;]+);"
)

# What can be bound: a whole buffer, (buffer, byte offset, byte size), or a texture.
Resource: TypeAlias = "wgpu.GPUBuffer | tuple[wgpu.GPUBuffer, int, int] | wgpu.GPUTexture"


class Kernel:
    """A compute pipeline whose bindings have the names of the shader's variables."""

    def __init__(self, device: wgpu.GPUDevice, label: str, source: str) -> None:
        self.label = label
        self._device = device
        self._index: dict[str, int] = {}
        entries: list[dict[str, Any]] = []
        for match in _BINDING.finditer(source):
            self._index[match["name"]] = int(match["index"])
            entries.append(
                {"binding": int(match["index"]), "visibility": wgpu.ShaderStage.COMPUTE}
                | _layout_entry(match["space"], match["type"].strip())
            )
        self._layout = device.create_bind_group_layout(label=label, entries=entries)
        self._pipeline = device.create_compute_pipeline(
            label=label,
            layout=device.create_pipeline_layout(label=label, bind_group_layouts=[self._layout]),
            compute={"module": create_shader(device, label, source), "entry_point": "main"},
        )

    def dispatch(
        self, groups: tuple[int, int, int], resources: Mapping[str, Resource], *, cost: float = 1.0, label: str = ""
    ) -> Dispatch:
        """Bind `resources` by name. Raises `KeyError` unless the names are exactly those of the shader."""
        if resources.keys() != self._index.keys():
            raise KeyError(f"{self.label}: the shader binds {sorted(self._index)}, but got {sorted(resources)}")
        bind_group = self._device.create_bind_group(
            label=self.label,
            layout=self._layout,
            entries=[{"binding": self._index[name], "resource": _resource(r)} for name, r in resources.items()],
        )
        return Dispatch(label or self.label, self._pipeline, bind_group, groups, cost)


def _layout_entry(space: str | None, type_name: str) -> dict[str, Any]:
    if space is not None:
        kind = {"uniform": "uniform", "storage,read_write": "storage", "storage,read": "read-only-storage"}
        return {"buffer": {"type": kind[space.replace(" ", "")]}}
    if type_name.startswith("texture_storage_2d"):
        texel_format, access = (part.strip() for part in type_name.split("<")[1].rstrip(">").split(","))
        return {"storage_texture": {"access": f"{access}-only", "format": texel_format}}
    sample_type = {"f32": "unfilterable-float", "u32": "uint"}[type_name.split("<")[1].rstrip(">")]
    return {"texture": {"sample_type": sample_type}}


def _resource(resource: Resource) -> Any:
    if isinstance(resource, tuple):
        buffer, offset, size = resource
        return {"buffer": buffer, "offset": offset, "size": size}
    if isinstance(resource, wgpu.GPUBuffer):
        return {"buffer": resource, "offset": 0, "size": resource.size}
    return resource.create_view()


class Kernels:
    """The pipelines of one device, created at first use and kept."""

    def __init__(self, device: wgpu.GPUDevice) -> None:
        self.device = device
        self.team: tuple[int, bool] | None = None  # see subgroups.team_size
        self._made: dict[tuple[str, tuple[tuple[str, object], ...]], Kernel] = {}

    def get(self, name: str, **values: str | int | float | bool) -> Kernel:
        """The kernel of `wgsl/NAME.wgsl` with `values` filled in."""
        key = (name, tuple(sorted(values.items())))
        if key not in self._made:
            self._made[key] = Kernel(self.device, name, wgsl.load(name, **values))
        return self._made[key]


@functools.cache
def shared_kernels(device: wgpu.GPUDevice) -> Kernels:
    """The pipelines of `device`, kept for the life of the process: a second engine, for another model or a longer
    context, compiles only the pipelines that are new."""
    return Kernels(device)
