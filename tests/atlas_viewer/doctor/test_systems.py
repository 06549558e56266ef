"""Each system is recognized, and each problem names the command of that system."""

from __future__ import annotations

import platform
import shlex
import sys
from types import SimpleNamespace

import pytest

import assets
import compute.gpu.device
from atlas_viewer.doctor import report, systems
from atlas_viewer.doctor.report import Check, Diagnosis, diagnose
from compute.errors import DeviceError

pytestmark = pytest.mark.gpu

RELEASES = {
    "debian": (
        {"ID": "debian"},
        {"ID": "ubuntu", "ID_LIKE": "debian"},
        {"ID": "linuxmint", "ID_LIKE": "ubuntu debian"},
    ),
    "fedora": ({"ID": "fedora"}, {"ID": "rocky", "ID_LIKE": "rhel centos fedora"}),
    "arch": ({"ID": "arch"}, {"ID": "manjaro", "ID_LIKE": "arch"}),
    "other": ({"ID": "nixos"}, {}),
}
ALL = ("debian", "fedora", "arch", "macos", "windows")


@pytest.fixture(autouse=True)
def not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systems, "is_root", lambda: False)


def become(monkeypatch: pytest.MonkeyPatch, name: str, release: dict[str, str] | None = None) -> None:
    """Make this machine look like another system."""
    monkeypatch.setattr(sys, "platform", {"macos": "darwin", "windows": "win32"}.get(name, "linux"))
    values = RELEASES[name][0] if release is None and name in RELEASES else release or {}
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: values)


@pytest.mark.parametrize(
    ("name", "release"), [(name, release) for name, releases in RELEASES.items() for release in releases]
)
def test_distributions_are_recognized(monkeypatch: pytest.MonkeyPatch, name: str, release: dict[str, str]) -> None:
    become(monkeypatch, name, release)
    assert systems.this_system() == name


def test_systems_are_recognized(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("macos", "windows"):
        become(monkeypatch, name)
        assert systems.this_system() == name
    become(monkeypatch, "debian")

    def fail() -> dict[str, str]:
        raise OSError

    monkeypatch.setattr(platform, "freedesktop_os_release", fail)
    assert systems.this_system() == "other"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("debian", "sudo apt-get install libvulkan1 mesa-vulkan-drivers libx11-6"),
        ("fedora", "sudo dnf install vulkan-loader mesa-vulkan-drivers libX11"),
        ("arch", "sudo pacman -S --needed vulkan-icd-loader vulkan-swrast libx11"),
        ("macos", "softwareupdate --install --all"),
        ("windows", "start ms-settings:windowsupdate-optionalupdates"),
        ("other", "your system's equivalents of the Debian packages libvulkan1 mesa-vulkan-drivers libx11-6"),
    ],
)
def test_the_command_that_installs(monkeypatch: pytest.MonkeyPatch, name: str, command: str) -> None:
    assert systems.install_command(name, ["libvulkan.so.1", systems.SOFTWARE_DRIVER, "libX11.so.6"]) == command
    assert systems.install_command(name, []) == ""
    monkeypatch.setattr(systems, "is_root", lambda: True)
    assert systems.install_command(name, ["libvulkan.so.1"]).split()[0] != "sudo"


def test_a_package_of_two_libraries_is_named_once() -> None:
    assert systems.install_command("arch", ["libstdc++.so.6", "libgcc_s.so.1"]) == "sudo pacman -S --needed gcc-libs"


@pytest.mark.parametrize("name", ALL)
def test_modules_that_do_not_load(name: str) -> None:
    gone = systems.module_command(name, "imgui_bundle", ModuleNotFoundError("No module named 'imgui_bundle'"), [])
    assert gone == f"{sys.executable} -m pip install imgui-bundle"
    broken = systems.module_command(name, "imgui_bundle", ImportError("DLL load failed while importing _imgui"), [])
    if name == "windows":
        assert broken == "winget install Microsoft.VCRedist.2015+.x64"
    else:
        assert broken == f"{sys.executable} -m pip install --force-reinstall --no-deps imgui-bundle"


def problem(diagnosis: Diagnosis, name: str) -> Check:
    check = next(check for check in diagnosis.checks if check.name == name)
    assert not check.ok
    return check


COMMANDS = {
    "debian": "sudo apt-get install mesa-vulkan-drivers",
    "fedora": "sudo dnf install mesa-vulkan-drivers",
    "arch": "sudo pacman -S --needed vulkan-swrast",
    "macos": "softwareupdate --install --all",
    "windows": "start ms-settings:windowsupdate-optionalupdates",
}


@pytest.mark.parametrize("name", ALL)
def test_every_problem_names_a_command(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """On each system, with everything missing that can be missing."""
    become(monkeypatch, name)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(compute.gpu.device, "list_adapters", list)
    monkeypatch.setattr(assets, "TOKENIZER", assets.FOLDER / "gone.bin")

    def fail(library: str) -> None:
        raise OSError(f"{library}: not found")

    monkeypatch.setattr("atlas_viewer.doctor.report.ctypes.CDLL", fail)
    diagnosis = diagnose()
    text = report.report(diagnosis)
    assert problem(diagnosis, "adapter").remedy.startswith(COMMANDS[name])
    assert "pip install --force-reinstall --no-deps atlas-viewer" in problem(diagnosis, "embedded data").remedy
    assert text.endswith("The viewer cannot run yet.")
    for check in diagnosis.checks:
        assert check.ok or check.remedy in text
    if name in ("macos", "windows"):
        assert "apt-get" not in text
        assert not any(check.name in ("vulkan loader", "window libraries") for check in diagnosis.checks)
        return
    installer = COMMANDS[name].rsplit(" ", 1)[0]
    assert installer in problem(diagnosis, "vulkan loader").remedy
    assert installer in problem(diagnosis, "window libraries").remedy
    assert f"without a screen: {installer} x" in problem(diagnosis, "display").remedy
    assert diagnosis.install_command.startswith(installer)
    assert len(diagnosis.install_command.split()) == len(installer.split()) + 7


@pytest.mark.parametrize("name", ALL)
def test_an_unsuitable_adapter_names_another(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    become(monkeypatch, name)
    adapter = compute.gpu.device.list_adapters()[-1]
    poor = SimpleNamespace(adapter=adapter, features=set())
    monkeypatch.setattr(compute.gpu.device, "shared_device", lambda _adapter: poor)
    remedy = problem(diagnose(), "adapter").remedy
    command, other = remedy.split(", or ")
    words = shlex.split(command)
    assert words[:3] == ["atlas-viewer", "doctor", "--adapter"]
    assert words[3] in compute.gpu.device.adapter_name(adapter)
    assert other == COMMANDS[name]

    def lost(_adapter: str | None) -> None:
        raise DeviceError("the device cannot be opened")

    monkeypatch.setattr(compute.gpu.device, "shared_device", lost)
    assert problem(diagnose(), "adapter").remedy == command
