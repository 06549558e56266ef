"""The doctor finds what is there, names what is not, and says which command mends it."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

import assets
import compute.device
from atlas_viewer import doctor
from atlas_viewer.doctor import Check, Diagnosis, diagnose
from compute.errors import DeviceError


def find(diagnosis: Diagnosis, name: str) -> Check:
    return next(check for check in diagnosis.checks if check.name == name)


@pytest.fixture(autouse=True)
def a_debian_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(doctor, "_is_root", lambda: False)


def test_this_machine_can_render_and_the_missing_display_is_told() -> None:
    diagnosis = diagnose()
    assert diagnosis.can_render
    assert diagnosis.adapters[0].limits["max-storage-buffer-binding-size"] >= 1 << 27
    assert diagnosis.adapters[0].features["float32-filterable"]
    assert not diagnosis.ok
    assert "DISPLAY" in find(diagnosis, "display").detail
    text = doctor.report(diagnosis)
    assert diagnosis.adapters[0].name in text
    assert "set DISPLAY" in text
    assert text.endswith("generate, render and atlas can run.")


def test_a_display_that_nobody_serves_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":9871")
    check = doctor._display()
    assert not check.ok
    assert check.needed_for == "window"
    assert ":9871" in check.detail


def test_json_is_plain_and_has_the_verdict() -> None:
    record = json.loads(json.dumps(doctor.as_json(diagnose()), allow_nan=False))
    assert record["can_render"] is True
    assert record["ok"] is False
    assert {"name", "ok", "detail", "remedy", "needed_for"} == set(record["checks"][0])
    assert record["adapters"][0]["backend"] in ("Vulkan", "Metal", "D3D12")


@pytest.mark.skipif(sys.platform != "linux", reason="names Debian packages")
def test_without_an_adapter_the_software_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute.device, "list_adapters", list)
    diagnosis = diagnose()
    assert not diagnosis.can_render
    assert diagnosis.install_command == "sudo apt-get install mesa-vulkan-drivers"
    assert diagnosis.install_command in doctor.report(diagnosis)
    assert doctor.report(diagnosis).endswith("cannot run yet.")


def test_an_adapter_that_cannot_be_opened_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_adapter: str | None) -> None:
        raise DeviceError("no adapter has that in its name")

    monkeypatch.setattr(compute.device, "shared_device", fail)
    diagnosis = diagnose("nonsense")
    assert find(diagnosis, "adapter").detail == "no adapter has that in its name"
    assert not diagnosis.ok


def test_an_adapter_without_a_required_feature_will_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = compute.device.list_adapters()[0]
    poor = SimpleNamespace(adapter=adapter, features={"subgroup"})
    monkeypatch.setattr(compute.device, "shared_device", lambda _adapter: poor)
    check = find(diagnose(), "adapter")
    assert not check.ok
    assert "float32-filterable" in check.detail


def test_a_module_that_misses_a_library_names_the_package() -> None:
    def fail(_name: str) -> None:
        raise ImportError("libX11.so.6: cannot open shared object file: No such file or directory\nmore")

    missing: list[str] = []
    check = doctor._module("imgui_bundle", missing, fail)
    assert not check.ok
    assert "\n" not in check.detail
    assert check.remedy == "sudo apt-get install libx11-6"
    assert missing == ["libx11-6"]


def test_a_module_that_is_not_installed_names_pip() -> None:
    missing: list[str] = []
    check = doctor._module("a_module_that_nobody_has", missing)
    assert not check.ok
    assert check.remedy.endswith("-m pip install a-module-that-nobody-has")
    assert missing == []


def test_embedded_data_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "CHECKPOINT", assets.FOLDER / "gone.bin")
    check = find(diagnose(), "embedded data")
    assert not check.ok
    assert "gone.bin" in check.detail


def test_root_needs_no_sudo_and_other_systems_get_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_is_root", lambda: True)
    assert doctor.install_command(("libvulkan1",)) == "apt-get install libvulkan1"
    assert doctor.install_command(()) == ""
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert "libvulkan1" in doctor.install_command(("libvulkan1",))
    assert "apt-get" not in doctor.install_command(("libvulkan1",))
