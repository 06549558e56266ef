"""Which OS family this is, and the commands that install what the viewer needs on it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence

DEBIAN, FEDORA, ARCH, MACOS, WINDOWS, OTHER = "debian", "fedora", "arch", "macos", "windows", "other"

# Values of ID and ID_LIKE in /etc/os-release. Derived distributions list their parent distributions in ID_LIKE.
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

# Requirement -> the package that contains it on Debian and Ubuntu, Fedora, and Arch.
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
# On these systems, drivers come with system updates.
_UPDATE = {
    MACOS: "softwareupdate --install --all",
    WINDOWS: "start ms-settings:windowsupdate-optionalupdates",
}
_RUNTIME = "winget install Microsoft.VCRedist.2015+.x64"


def this_system() -> str:
    """DEBIAN (which includes Ubuntu), FEDORA or ARCH, even for derived distributions; MACOS, WINDOWS or OTHER."""
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


def is_packaged(library: str) -> bool:
    """True if it is known which package provides `library`, such as "libX11.so.6"."""
    return library in _PACKAGES


def packages(system: str, lacking: Sequence[str]) -> list[str]:
    """The packages that provide what is missing on `system`, without duplicates; Debian's for an unknown system."""
    if system in _UPDATE:
        return []
    column = _COLUMN.get(system, 0)
    return list(dict.fromkeys(_PACKAGES[need][column] for need in lacking))


def install_command(system: str, lacking: Sequence[str]) -> str:
    """The command that installs what is missing on `system`; empty if nothing is missing.

    For an unknown system, it is a hint that names the Debian packages.
    """
    if not lacking:
        return ""
    if system in _UPDATE:
        return _UPDATE[system]
    names = " ".join(packages(system, lacking))
    if system not in _INSTALL:
        return f"your system's equivalents of the Debian packages {names}"
    return f"{'' if is_root() else 'sudo '}{_INSTALL[system].format(names)}"


def module_command(system: str, module: str, error: Exception, lacking: Sequence[str]) -> str:
    """The command that fixes the failed import of a Python package.

    error: why the import failed; lacking: the missing libraries.
    """
    if lacking:
        return install_command(system, lacking)
    pip = f"{sys.executable} -m pip install"
    if isinstance(error, ModuleNotFoundError):
        return f"{pip} {module.replace('_', '-')}"
    if system == WINDOWS and "DLL load failed" in str(error):
        return _RUNTIME
    return f"{pip} --force-reinstall --no-deps {module.replace('_', '-')}"


def is_root() -> bool:
    """True if the user is root; always False on systems without a root user."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
