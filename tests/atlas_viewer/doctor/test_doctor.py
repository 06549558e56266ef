"""The doctor reports what is present and what is missing, and names the command that fixes it."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

import assets
import compute.gpu.device
from atlas_viewer.doctor import report, systems
from atlas_viewer.doctor.report import Check, Diagnosis, diagnose
from compute.errors import DeviceError

pytestmark = pytest.mark.gpu


def find(diagnosis: Diagnosis, name: str) -> Check:
    return next(check for check in diagnosis.checks if check.name == name)


@pytest.fixture(autouse=True)
def a_debian_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(systems, "this_system", lambda: "debian")
    monkeypatch.setattr(systems, "is_root", lambda: False)


def test_this_machine_can_render_and_the_missing_display_is_reported() -> None:
    diagnosis = diagnose()
    assert diagnosis.can_render
    assert diagnosis.adapters[0].limits["max-storage-buffer-binding-size"] >= 1 << 27
    assert diagnosis.adapters[0].features["float32-filterable"]
    assert not diagnosis.ok
    assert "DISPLAY" in find(diagnosis, "display").detail
    text = report.report(diagnosis)
    assert diagnosis.adapters[0].name in text
    assert "set DISPLAY" in text
    assert text.endswith("generate, render and atlas can run.")


def test_a_display_without_a_server_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":9871")
    check = report._display("debian")
    assert not check.ok
    assert check.needed_for == "window"
    assert ":9871" in check.detail


def test_json_is_plain_and_has_the_verdict() -> None:
    record = json.loads(json.dumps(report.as_json(diagnose()), allow_nan=False))
    assert record["can_render"] is True
    assert record["ok"] is False
    assert {"name", "ok", "detail", "remedy", "needed_for"} == set(record["checks"][0])
    assert record["adapters"][0]["backend"] in ("Vulkan", "Metal", "D3D12")


@pytest.mark.skipif(sys.platform != "linux", reason="names Debian packages")
def test_without_an_adapter_the_software_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute.gpu.device, "list_adapters", list)
    diagnosis = diagnose()
    assert not diagnosis.can_render
    assert diagnosis.install_command == "sudo apt-get install mesa-vulkan-drivers"
    assert diagnosis.install_command in report.report(diagnosis)
    assert report.report(diagnosis).endswith("cannot run yet.")


def test_an_adapter_that_cannot_be_opened_is_reported_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_adapter: str | None) -> None:
        raise DeviceError("no adapter has that in its name")

    monkeypatch.setattr(compute.gpu.device, "shared_device", fail)
    diagnosis = diagnose("nonsense")
    assert find(diagnosis, "adapter").detail == "no adapter has that in its name"
    assert not diagnosis.ok


def test_an_adapter_without_a_required_feature_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = compute.gpu.device.list_adapters()[0]
    poor = SimpleNamespace(adapter=adapter, features={"subgroup"})
    monkeypatch.setattr(compute.gpu.device, "shared_device", lambda _adapter: poor)
    check = find(diagnose(), "adapter")
    assert not check.ok
    assert "float32-filterable" in check.detail


def test_a_missing_library_of_a_module_names_the_package() -> None:
    def fail(_name: str) -> None:
        raise ImportError("libX11.so.6: cannot open shared object file: No such file or directory\nmore")

    missing: list[str] = []
    check = report._module("imgui_bundle", "debian", missing, fail)
    assert not check.ok
    assert "\n" not in check.detail
    assert check.remedy == "sudo apt-get install libx11-6"
    assert missing == ["libX11.so.6"]


def test_a_missing_module_names_pip() -> None:
    missing: list[str] = []
    check = report._module("a_module_that_nobody_has", "debian", missing)
    assert not check.ok
    assert check.remedy.endswith("-m pip install a-module-that-nobody-has")
    assert missing == []


def test_missing_embedded_data_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "CHECKPOINT", assets.FOLDER / "gone.bin")
    check = find(diagnose(), "embedded data")
    assert not check.ok
    assert "gone.bin" in check.detail


@pytest.mark.skipif(sys.platform != "linux", reason="GLFW loads others elsewhere")
def test_missing_window_libraries_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_loads", lambda library: library not in ("libXi.so.6", "libXcursor.so.1"))
    diagnosis = diagnose()
    check = find(diagnosis, "window libraries")
    assert (check.ok, check.needed_for) == (False, "window")
    assert check.detail == "libXcursor.so.1, libXi.so.6 not found"
    assert diagnosis.install_command == "sudo apt-get install libxcursor1 libxi6"
    assert diagnosis.can_render
    assert report.as_json(diagnosis)["packages"] == ["libxcursor1", "libxi6"]
