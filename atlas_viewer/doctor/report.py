"""Diagnoses this machine: what the viewer needs, what is missing, and the command that installs it."""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import assets
from atlas_viewer import __version__
from compute.errors import AtlasError
from compute.io.system_errors import first_line

from . import systems

# The viewer cannot run without the required features. The optional ones are used if available.
REQUIRED_FEATURES = ("float32-filterable",)
OPTIONAL_FEATURES = ("subgroup", "shader-f16", "timestamp-query")
LIMITS = (
    "max-buffer-size",
    "max-storage-buffer-binding-size",
    "max-compute-workgroup-storage-size",
    "max-compute-invocations-per-workgroup",
    "max-compute-workgroups-per-dimension",
    "max-texture-dimension-2d",
)
PACKAGES = ("wgpu", "pygfx", "rendercanvas", "glfw", "imgui_bundle", "numpy", "tiktoken", "safetensors")

# GLFW loads these for its window; Dear ImGui's module is linked against the first two.
_WINDOW_LIBRARIES = ("libX11.so.6", "libXext.so.6", "libXcursor.so.1", "libXi.so.6", "libXrandr.so.2")


@dataclass(frozen=True)
class Check:
    """The result of one check. `needed_for` says what does not work if it fails: "all" or only the "window"."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    needed_for: str = "all"


@dataclass(frozen=True)
class AdapterFacts:
    """One GPU, or a driver that acts as one. Limits have WebGPU's names and are bytes or counts."""

    name: str
    software: bool
    driver: str
    backend: str
    features: dict[str, bool]
    limits: dict[str, int]


@dataclass(frozen=True)
class Diagnosis:
    """The whole result of `doctor`. The first of `adapters` is the default."""

    version: str
    python: str
    system: str
    adapters: tuple[AdapterFacts, ...]
    checks: tuple[Check, ...]
    family: str
    """The OS family, as returned by `systems.this_system`."""
    lacking: tuple[str, ...]
    """Missing libraries and drivers that system packages provide."""

    @property
    def can_render(self) -> bool:
        """True if pictures can be rendered and text generated, with or without a display."""
        return all(check.ok for check in self.checks if check.needed_for == "all")

    @property
    def ok(self) -> bool:
        """True only if the viewer can run, which takes everything for rendering and a display for its window."""
        return all(check.ok for check in self.checks)

    @property
    def install_command(self) -> str:
        """The command that installs what is missing; empty if no package would help."""
        return systems.install_command(self.family, self.lacking)


def diagnose(adapter: str | None = None) -> Diagnosis:
    """Examine this machine. Changes nothing and raises no errors, whatever it finds.

    adapter: text that the adapter's name must contain; None for the default adapter.
    """
    family = systems.this_system()
    missing: list[str] = []
    checks = [*(_module(name, family, missing) for name in PACKAGES), _data()]
    if sys.platform == "linux":
        checks.append(_loader(family, missing))
    facts, adapter_checks = _adapters(adapter, family, missing)
    checks += adapter_checks
    if sys.platform == "linux":
        checks.append(_window_libraries(family, missing))
    checks.append(_display(family))
    return Diagnosis(
        version=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        adapters=facts,
        checks=tuple(checks),
        family=family,
        lacking=tuple(dict.fromkeys(missing)),
    )


def report(diagnosis: Diagnosis) -> str:
    """The diagnosis as human-readable text. Its last line says what can run."""
    lines = [f"atlas-viewer {diagnosis.version}, Python {diagnosis.python}, {diagnosis.system}", ""]
    width = max((len(check.name) for check in diagnosis.checks), default=0)
    for check in diagnosis.checks:
        lines.append(f"  {'ok     ' if check.ok else 'MISSING'}  {check.name:<{width}}  {check.detail}")
        if check.remedy and not check.ok:
            lines.append(f"           {'':<{width}}  -> {check.remedy}")
    for index, facts in enumerate(diagnosis.adapters):
        lines += ["", f"  adapter {index}: {facts.name}{', software' if facts.software else ''}"]
        lines.append(f"    driver    {facts.driver}")
        lines.append("    features  " + ", ".join(f"{n} {'yes' if has else 'no'}" for n, has in facts.features.items()))
        lines += [f"    limit     {name} {value:,}" for name, value in facts.limits.items()]
    lines.append("")
    if diagnosis.install_command:
        lines.append(f"To install what is missing: {diagnosis.install_command}")
    if diagnosis.ok:
        lines.append("The viewer can run.")
    elif diagnosis.can_render:
        lines.append("The window cannot open on this machine; generate, render and atlas can run.")
    else:
        lines.append("The viewer cannot run yet.")
    return "\n".join(lines)


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """The diagnosis as plain JSON values."""
    return {
        **asdict(diagnosis),
        "packages": systems.packages(diagnosis.family, diagnosis.lacking),
        "install_command": diagnosis.install_command,
        "can_render": diagnosis.can_render,
        "ok": diagnosis.ok,
    }


def _module(name: str, family: str, missing: list[str], load: Callable[[str], Any] = importlib.import_module) -> Check:
    try:
        module = load(name)
    except Exception as error:
        # If a module's shared library is missing, the error names that library.
        libraries = [name for name in re.findall(r"lib[\w+.-]*\.so[\w.]*", str(error)) if systems.is_packaged(name)][:1]
        missing += libraries
        return Check(name, False, first_line(error), systems.module_command(family, name, error, libraries))
    return Check(name, True, str(getattr(module, "__version__", "installed")))


def _data() -> Check:
    for path in (assets.CHECKPOINT, assets.TOKENIZER):
        if not path.is_file() or path.stat().st_size == 0:
            remedy = f"{sys.executable} -m pip install --force-reinstall --no-deps atlas-viewer"
            return Check("embedded data", False, f"{path} is missing", remedy)
    return Check("embedded data", True, str(assets.FOLDER))


def _loader(family: str, missing: list[str]) -> Check:
    library = "libvulkan.so.1"
    try:
        ctypes.CDLL(library)
    except OSError as error:
        missing.append(library)
        return Check("vulkan loader", False, first_line(error), systems.install_command(family, [library]))
    return Check("vulkan loader", True, library)


def _window_libraries(family: str, missing: list[str]) -> Check:
    lacking = [library for library in _WINDOW_LIBRARIES if not _loads(library)]
    missing += lacking
    detail = f"{', '.join(lacking)} not found" if lacking else ", ".join(_WINDOW_LIBRARIES)
    return Check("window libraries", not lacking, detail, systems.install_command(family, lacking), "window")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _adapters(text: str | None, family: str, missing: list[str]) -> tuple[tuple[AdapterFacts, ...], list[Check]]:
    try:
        from compute.gpu.device import adapter_name, is_software, list_adapters, shared_device

        adapters = list_adapters()
    except Exception as error:
        return (), [Check("adapter", False, first_line(error), "fix the problems above first")]
    facts = tuple(
        AdapterFacts(
            name=adapter_name(a),
            software=is_software(a),
            driver=str(a.info["description"]),
            backend=str(a.info["backend_type"]),
            features={name: name in a.features for name in REQUIRED_FEATURES + OPTIONAL_FEATURES},
            limits={name: int(a.limits[name]) for name in LIMITS if name in a.limits},
        )
        for a in adapters
    )
    if not facts:
        missing.append(systems.SOFTWARE_DRIVER)
        remedy = f"{systems.install_command(family, [systems.SOFTWARE_DRIVER])}, or the driver from your GPU's vendor"
        return (), [Check("adapter", False, "no Vulkan, Metal or D3D12 adapter", remedy)]
    try:
        device = shared_device(text)
    except AtlasError as error:
        return facts, [Check("adapter", False, str(error), _other_adapter(facts))]
    name = adapter_name(device.adapter)
    lacks = [feature for feature in REQUIRED_FEATURES if feature not in device.features]
    if lacks:
        detail = f"{name} lacks {', '.join(lacks)}"
        update = systems.install_command(family, [systems.SOFTWARE_DRIVER])
        return facts, [Check("adapter", False, detail, f"{_other_adapter(facts)}, or {update}")]
    return facts, [Check("adapter", True, name)]


def _other_adapter(facts: tuple[AdapterFacts, ...]) -> str:
    """The command that tries another adapter: the last one listed, which is the software adapter if there is one."""
    name = facts[-1].name.split(" (")[0]
    return f'atlas-viewer doctor --adapter "{name}"'


def _display(family: str) -> Check:
    install = systems.install_command(family, [systems.VIRTUAL_DISPLAY])
    remedy = (
        "set DISPLAY to a running X server (export DISPLAY=:0 on most desktops);"
        f" without a screen: {install}, then xvfb-run atlas-viewer, or use `atlas-viewer render`"
    )
    if sys.platform != "linux":
        return Check("display", True, sys.platform, needed_for="window")
    shown = " ".join(f"{n}={os.environ[n]}" for n in ("DISPLAY", "WAYLAND_DISPLAY") if os.environ.get(n))
    if not shown:
        return Check("display", False, "DISPLAY and WAYLAND_DISPLAY are not set", remedy, "window")
    # In a separate process, because GLFW can be initialized only once per process, and a broken display can end it.
    probe = "import sys, warnings; warnings.simplefilter('ignore'); import glfw; sys.exit(not glfw.init())"
    try:
        opened = subprocess.run([sys.executable, "-c", probe], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        opened = False
    return Check(
        "display", opened, shown if opened else f"{shown}: no window can be opened on this display", remedy, "window"
    )
