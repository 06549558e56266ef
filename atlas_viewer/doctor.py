"""What this machine has for the viewer, what is missing, and the command that installs it."""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import assets
from compute.errors import AtlasError

from . import __version__

# Without these nothing is drawn or computed; the others are used where they are.
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
PACKAGES = ("wgpu", "pygfx", "rendercanvas", "glfw", "imgui_bundle", "numpy", "tiktoken")

# Which Debian package holds what a module or the Vulkan driver is linked against.
_DEBIAN = {
    "libvulkan.so.1": "libvulkan1",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libstdc++.so.6": "libstdc++6",
    "libgcc_s.so.1": "libgcc-s1",
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `needed_for` says what fails without it: "all" or only the "window"."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    needed_for: str = "all"


@dataclass(frozen=True)
class AdapterFacts:
    """One GPU, or a driver that acts as one. Limits are in bytes or counts, as WebGPU names them."""

    name: str
    software: bool
    driver: str
    backend: str
    features: dict[str, bool]
    limits: dict[str, int]


@dataclass(frozen=True)
class Diagnosis:
    """All that `doctor` found out. `adapters` has the one that would be taken first."""

    version: str
    python: str
    system: str
    adapters: tuple[AdapterFacts, ...]
    checks: tuple[Check, ...]
    packages: tuple[str, ...]
    """Debian packages that would mend what is missing."""

    @property
    def can_render(self) -> bool:
        """True when pictures can be rendered and text generated, with or without a display."""
        return all(check.ok for check in self.checks if check.needed_for == "all")

    @property
    def ok(self) -> bool:
        """True only if the viewer can run: all that rendering needs, and a display for its window."""
        return all(check.ok for check in self.checks)

    @property
    def install_command(self) -> str:
        """The command that installs what is missing, empty when no package would help."""
        return install_command(self.packages)


def diagnose(adapter: str | None = None) -> Diagnosis:
    """Look at this machine; changes nothing and raises nothing for what it finds.

    adapter: text that the adapter's name must contain; None means the one that is taken by default.
    """
    missing: list[str] = []
    checks = [*(_module(name, missing) for name in PACKAGES), _data()]
    if sys.platform == "linux":
        checks.append(_loader(missing))
    facts, adapter_checks = _adapters(adapter, missing)
    checks += [*adapter_checks, _display()]
    return Diagnosis(
        version=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        adapters=facts,
        checks=tuple(checks),
        packages=tuple(dict.fromkeys(missing)),
    )


def report(diagnosis: Diagnosis) -> str:
    """The diagnosis for a person to read, ending with a line on what can run."""
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
        lines.append("The window cannot be opened here; generate, render and atlas can run.")
    else:
        lines.append("The viewer cannot run yet.")
    return "\n".join(lines)


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """The diagnosis as plain JSON values."""
    return {
        **asdict(diagnosis),
        "install_command": diagnosis.install_command,
        "can_render": diagnosis.can_render,
        "ok": diagnosis.ok,
    }


def install_command(packages: tuple[str, ...]) -> str:
    """How an administrator installs Debian `packages` here; other systems get the names, as theirs may differ."""
    if not packages:
        return ""
    if shutil.which("apt-get") is None:
        return f"your system's own packages for what Debian calls {', '.join(packages)}"
    return f"{'' if _is_root() else 'sudo '}apt-get install {' '.join(packages)}"


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _module(name: str, missing: list[str], load: Callable[[str], Any] = importlib.import_module) -> Check:
    try:
        module = load(name)
    except Exception as error:
        # A module that is linked against a library which is not there names it.
        library = re.search(r"lib[\w+.-]*\.so[\w.]*", str(error))
        package = _DEBIAN.get(library.group()) if library else None
        if package:
            missing.append(package)
            return Check(name, False, _first_line(error), install_command((package,)))
        return Check(name, False, _first_line(error), f"{sys.executable} -m pip install {name.replace('_', '-')}")
    return Check(name, True, str(getattr(module, "__version__", "installed")))


def _data() -> Check:
    for path in (assets.CHECKPOINT, assets.TOKENIZER):
        if not path.is_file() or path.stat().st_size == 0:
            return Check("embedded data", False, f"{path} is not there", "install atlas-viewer again")
    return Check("embedded data", True, str(assets.FOLDER))


def _loader(missing: list[str]) -> Check:
    library = "libvulkan.so.1"
    try:
        ctypes.CDLL(library)
    except OSError as error:
        missing.append(_DEBIAN[library])
        return Check("vulkan loader", False, _first_line(error), install_command((_DEBIAN[library],)))
    return Check("vulkan loader", True, library)


def _adapters(text: str | None, missing: list[str]) -> tuple[tuple[AdapterFacts, ...], list[Check]]:
    try:
        from compute.device import adapter_name, is_software, list_adapters, shared_device

        adapters = list_adapters()
    except Exception as error:
        return (), [Check("adapter", False, _first_line(error), "mend the lines above first")]
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
        if sys.platform != "linux":
            return (), [Check("adapter", False, "no Metal, D3D12 or Vulkan adapter", "update the GPU's driver")]
        missing.append("mesa-vulkan-drivers")
        remedy = f"{install_command(('mesa-vulkan-drivers',))}, or the driver of your GPU's maker"
        return (), [Check("adapter", False, "no Vulkan adapter", remedy)]
    try:
        device = shared_device(text)
    except AtlasError as error:
        return facts, [Check("adapter", False, str(error), "choose another one with --adapter")]
    name = adapter_name(device.adapter)
    lacks = [feature for feature in REQUIRED_FEATURES if feature not in device.features]
    if lacks:
        detail = f"{name} lacks {', '.join(lacks)}"
        return facts, [Check("adapter", False, detail, "choose another one with --adapter, or update its driver")]
    return facts, [Check("adapter", True, name)]


def _display() -> Check:
    remedy = "set DISPLAY to a running X server; without one use `atlas-viewer render`"
    if sys.platform != "linux":
        return Check("display", True, sys.platform, needed_for="window")
    shown = " ".join(f"{n}={os.environ[n]}" for n in ("DISPLAY", "WAYLAND_DISPLAY") if os.environ.get(n))
    if not shown:
        return Check("display", False, "DISPLAY and WAYLAND_DISPLAY are not set", remedy, "window")
    # In a process of its own: GLFW is started once a process, and a broken display can end it.
    probe = "import sys, warnings; warnings.simplefilter('ignore'); import glfw; sys.exit(not glfw.init())"
    try:
        opened = subprocess.run([sys.executable, "-c", probe], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        opened = False
    return Check("display", opened, shown if opened else f"{shown}: no window can be opened there", remedy, "window")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
