"""Opens the real window, generates, and prints as JSON what its memory consists of, in MB.

Usage: `window_memory_driver.py SECONDS MODEL`: measured SECONDS after the first picture of the map, with the map in
front. With `python -X tracemalloc`: the objects of Python by package.
"""

from __future__ import annotations

import json
import re
import sys
import time
import tracemalloc
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import wgpu
import wgpu.backends.wgpu_native

import atlas_viewer.app.open_window as window
from atlas_viewer.app.viewer import Viewer
from compute.forward.load_options import LoadOptions
from compute.sampling.options import GenerateOptions
from compute.weights.checkpoint import open_model

TOKENS = 64  # of a run, as by default; then the next one begins
MB = 1 << 20
# Which mapped files belong together; the first match counts.
GROUPS = {
    "LLVM, which compiles shaders for lavapipe": "LLVM|libz3|libicu|libxml",
    "Vulkan drivers": "libvulkan|VkLayer|libdrm|libelf",
    "wgpu": "wgpu",
    "imgui": "imgui",
    "NumPy and OpenBLAS": "numpy|_multiarray|openblas|gfortran|quadmath|_umath|/random/",
    "Python": r"libpython|/bin/python|lib-dynload|_cffi",
    "the model's file": r"stories|\.safetensors|\.gguf",
}
TEXELS = {"r8": 1, "r16": 2, "r32": 4, "rg32": 8, "rgba8": 4, "bgra8": 4, "rgba16": 8, "rgba32": 16, "depth32": 4}

_resources: weakref.WeakSet[Any] = weakref.WeakSet()
_pipelines: list[str] = []


def observe() -> None:
    """Remember every buffer and texture as long as it lives, and count pipelines."""
    device = wgpu.backends.wgpu_native.GPUDevice

    def observed(name: str, note: Any) -> None:
        create = getattr(device, name)

        def made(self: Any, *arguments: Any, **named: Any) -> Any:
            result = create(self, *arguments, **named)
            note(result)
            return result

        setattr(device, name, made)

    for name in ("create_buffer", "create_texture"):
        observed(name, _resources.add)
    for name in ("create_compute_pipeline", "create_render_pipeline"):
        observed(name, lambda _: _pipelines.append(""))


def size_of(resource: Any) -> int:
    """Bytes of a buffer or texture."""
    if isinstance(resource, wgpu.GPUBuffer):
        return int(resource.size)
    width, height, depth = resource.size
    kind = re.match(r"[a-z]+[0-9]+", resource.format)
    assert kind is not None
    return int(width * height * depth * TEXELS[kind[0]])


def mappings() -> Counter[str]:
    """Resident bytes by mapped file; "" is anonymous memory."""
    found: Counter[str] = Counter()
    name = ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        header = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)", line)
        if header:
            name = header[1] if header[1].startswith("/") else ""
        elif line.startswith("Rss:"):
            found[name] += 1024 * int(line.split()[1])
    return found


def process() -> dict[str, float]:
    """What the process has resident, in MB."""
    files = mappings()
    anonymous, total = files.pop("", 0), sum(files.values())
    gpu = sum(map(size_of, list(_resources)))
    found = {"all": (anonymous + total) / MB, "buffers and textures": gpu / MB}
    found |= {f"  {label}": size / MB for label, size in labels().most_common(8)}
    found[f"other anonymous memory: objects, {len(_pipelines)} pipelines, windows"] = (anonymous - gpu) / MB
    for group, pattern in GROUPS.items():
        own = [name for name in files if re.search(pattern, name)]
        found[group] = sum(files.pop(name) for name in own) / MB
    return found | {"other libraries and files": sum(files.values()) / MB}


def labels() -> Counter[str]:
    """Bytes of buffers and textures by label, those of the weights together."""
    found: Counter[str] = Counter()
    for resource in list(_resources):
        weight = re.match(r"(wte|wpe|h\.\d+|ln_f|keys and values)", resource.label)
        label = resource.label if weight is None else ("keys and values" if "keys" in weight[0] else "weights")
        found[label.rstrip(" 0123456789") or f"unnamed {type(resource).__name__}"] += size_of(resource)
    return found


def objects() -> dict[str, float]:
    """Python's objects in MB, by the package whose code made them."""
    found: Counter[str] = Counter()
    for line in tracemalloc.take_snapshot().statistics("filename"):
        name = line.traceback[0].filename
        package = re.search(r"site-packages/([^/]+)", name) or re.search(r"/(atlas_viewer|compute|wgsl)/", name)
        if "importlib" in name:
            found["code and classes of all modules"] += line.size
        else:
            found[package[1] if package else "standard library"] += line.size
    whole = {"objects of Python": sum(found.values()) / MB}
    return whole | {f"  {package}": size / MB for package, size in found.most_common(8)}


class MeasuredViewer(Viewer):
    """The viewer, closed when it has been measured."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._opened: float | None = None

    def frame(self) -> None:
        super().frame()
        run = self.state.run
        if self._opened is None:
            if self._displays.pictures[1] is not None:
                self._opened = time.perf_counter()
            return
        if run is not None and run.done:
            self.state.generate()
        if time.perf_counter() > self._opened + float(sys.argv[1]):
            print(json.dumps(objects() if tracemalloc.is_tracing() else process()), flush=True)
            self.canvas.close()


if __name__ == "__main__":
    observe()
    window.Viewer = MeasuredViewer  # type: ignore[assignment, attr-defined]
    options = GenerateOptions(max_new_tokens=TOKENS, temperature=0.0)
    window.view(open_model(sys.argv[2]), "Once upon a time, there was a", options, LoadOptions())
