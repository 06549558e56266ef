"""Which system this is, and the commands that install there what the viewer lacks."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence

DEBIAN, FEDORA, ARCH, MACOS, WINDOWS, OTHER = "debian", "fedora", "arch", "macos", "windows", "other"

# Names in ID and ID_LIKE of /etc/os-release; those derived from these distributions list them there.
_FAMILIES = {
    "debian": DEBIAN,
    "ubuntu": DEBIAN,
    "fedora": FEDORA,
    "rhel": FEDORA,
    "centos": FEDORA,
    "arch": ARCH,
}

SOFTWARE_DRIVER = "software Vulkan driver"
VIRTUAL_DISPLAY = "virtual display"

# What is lacking -> the package that holds it on Debian and Ubuntu, on Fedora, on Arch.
_PACKAGES = {
    "libvulkan.so.1": ("libvulkan1", "vulkan-loader", "vulkan-icd-loader"),
    SOFTWARE_DRIVER: ("mesa-vulkan-drivers", "mesa-vulkan-drivers", "vulkan-swrast"),
    VIRTUAL_DISPLAY: ("xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb"),
    "libX11.so.6": ("libx11-6", "libX11", "libx11"),
    "libXext.so.6": ("libxext6", "libXext", "libxext"),
    "libXcursor.so.1": ("libxcursor1", "libXcursor", "libxcursor"),
    "libXi.so.6": ("libxi6", "libXi", "libxi"),
    "libXrandr.so.2": ("libxrandr2", "libXrandr", "libxrandr"),
    "libstdc++.so.6": ("libstdc++6", "libstdc++", "gcc-libs"),
    "libgcc_s.so.1": ("libgcc-s1", "libgcc", "gcc-libs"),
}
_INSTALL = {
    DEBIAN: "apt-get install {}",
    FEDORA: "dnf install {}",
    ARCH: "pacman -S --needed {}",
}
_COLUMN = {DEBIAN: 0, FEDORA: 1, ARCH: 2}
# There the drivers come with the system.
_UPDATE = {
    MACOS: "softwareupdate --install --all",
    WINDOWS: "start ms-settings:windowsupdate-optionalupdates",
}
_RUNTIME = "winget install Microsoft.VCRedist.2015+.x64"


def this_system() -> str:
    """One of DEBIAN (and Ubuntu), FEDORA, ARCH, each with what is derived from it, MACOS, WINDOWS and OTHER."""
    if sys.platform == "darwin":
        return MACOS
    if sys.platform == "win32":
        return WINDOWS
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return OTHER
    for name in (release.get("ID", ""), *release.get("ID_LIKE", "").split()):
        if name in _FAMILIES:
            return _FAMILIES[name]
    return OTHER


def holds(library: str) -> bool:
    """Whether it is known which package holds `library`, such as "libX11.so.6"."""
    return library in _PACKAGES


def packages(system: str, lacking: Sequence[str]) -> list[str]:
    """Packages of `system` for what is lacking, each once; those of Debian where the system is not known."""
    if system in _UPDATE:
        return []
    column = _COLUMN.get(system, 0)
    return list(dict.fromkeys(_PACKAGES[need][column] for need in lacking))


def install_command(system: str, lacking: Sequence[str]) -> str:
    """The command that an administrator of `system` gives for what is lacking; empty when nothing is.

    Where the system is not known the packages are named as Debian does.
    """
    if not lacking:
        return ""
    if system in _UPDATE:
        return _UPDATE[system]
    names = " ".join(packages(system, lacking))
    if system not in _INSTALL:
        return f"your system's own packages for what Debian calls {names}"
    return f"{'' if is_root() else 'sudo '}{_INSTALL[system].format(names)}"


def module_command(system: str, module: str, error: Exception, lacking: Sequence[str]) -> str:
    """What mends an import of the Python package `module` that failed with `error` for lack of `lacking`."""
    if lacking:
        return install_command(system, lacking)
    pip = f"{sys.executable} -m pip install"
    if isinstance(error, ModuleNotFoundError):
        return f"{pip} {module.replace('_', '-')}"
    if system == WINDOWS and "DLL load failed" in str(error):
        return _RUNTIME
    return f"{pip} --force-reinstall --no-deps {module.replace('_', '-')}"


def is_root() -> bool:
    """Whether this user is the administrator already; never on systems that have none of that kind."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
