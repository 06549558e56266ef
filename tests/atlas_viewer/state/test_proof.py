"""The latest result of the self-test, as the window and `bench` show it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import wgpu

import wgsl
from atlas_viewer.state import proof
from atlas_viewer.state.proof import NOT_PROVED, Proved, Subject, keep, known, short
from atlas_viewer.state.state import ModelSummary, State
from atlas_viewer.ui import theme
from atlas_viewer.ui.panels import status
from atlas_viewer.ui.panels.widgets import wrapped
from compute.sampling.options import GenerateOptions

from helpers.screen import Screen, context

pytestmark = pytest.mark.gpu

__all__ = ["context"]

GOOD = Proved(1.2e-6, True, "2026-11-28T02:00:00Z")
BAD = Proved(0.25, False, "2026-11-28T02:00:00Z")
NO_NUMBER = Proved(None, False, "2026-11-28T02:00:00Z")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ATLAS_VIEWER_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("proved", [GOOD, BAD, NO_NUMBER])
def test_a_result_is_saved(device: wgpu.GPUDevice, proved: Proved) -> None:
    assert known(device.adapter) is None
    keep(device.adapter, BAD)
    keep(device.adapter, proved)
    assert known(device.adapter) == proved


def test_texts() -> None:
    assert GOOD.text == "proved: 1.2e-6"
    assert BAD.text == NO_NUMBER.text == "FAILED; run doctor --prove for details"
    assert [short(error) for error in (0.0, 1.26e-12, 3.0)] == ["0", "1.3e-12", "3.0e0"]


def test_a_result_is_invalid_for_different_shaders(device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(device.adapter, GOOD)
    monkeypatch.setattr(wgsl, "digest", lambda: "0" * 64)
    assert known(device.adapter) is None


def test_the_digest_depends_on_names_and_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wgsl, "FOLDER", tmp_path)
    digests = []
    for name, text in (("a", "x"), ("a", "y"), ("b", "y")):
        for old in tmp_path.iterdir():
            old.unlink()
        (tmp_path / f"{name}.wgsl").write_text(text)
        wgsl.digest.cache_clear()
        digests.append(wgsl.digest())
    wgsl.digest.cache_clear()
    assert len(set(digests)) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"ok": "yes"}, {"ok": None}, {"error": "small"}, {"error": True}, {"error": -1.0}, {"error": None}, {"date": 5},
        {"driver": "another"}, {"shader_hash": ""}, {"adapter": None},
    ],
    ids=str,
)  # fmt: skip
def test_invalid_values_are_ignored(device: wgpu.GPUDevice, change: dict[str, object]) -> None:
    keep(device.adapter, GOOD)
    path = Subject.of(device.adapter).path
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert known(device.adapter) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"error": NaN}', b"[" * 100_000])
def test_a_damaged_file_is_ignored(device: wgpu.GPUDevice, data: bytes) -> None:
    keep(device.adapter, GOOD)
    Subject.of(device.adapter).path.write_bytes(data)
    assert known(device.adapter) is None


def test_a_folder_instead_of_the_file_is_ignored(device: wgpu.GPUDevice) -> None:
    Subject.of(device.adapter).path.mkdir(parents=True)
    assert known(device.adapter) is None


@pytest.mark.parametrize("proved", [None, GOOD, BAD])
def test_the_status_panel_shows_a_result(context: None, monkeypatch: pytest.MonkeyPatch, proved: Proved | None) -> None:
    colors: dict[str, object] = {}
    monkeypatch.setattr(status, "wrapped", lambda text, color: (colors.update({text: color}), wrapped(text, color)))
    text, failed = (proved.text, not proved.ok) if proved else (NOT_PROVED, False)
    model = ModelSummary("fake", 2, 6, 192, 512, 50257, 1000, "bf16", "an adapter", proved=text, proof_failed=failed)
    state = State("Once", GenerateOptions(), model=model)
    screen = Screen(state, monkeypatch)
    assert screen.shows(text)
    assert (colors[text] == theme.now.error) == failed
    state.live = False  # pictures must look the same every time
    screen.frame()
    assert not screen.shows(text)


def test_a_model_without_an_adapter_has_no_self_test_line(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ModelSummary("fake", 2, 6, 192, 512, 50257, 1000, "bf16", "as recorded")
    assert not Screen(State("Once", GenerateOptions(), model=model), monkeypatch).shows("Self-test")


def test_the_subject_contains_adapter_driver_and_version(device: wgpu.GPUDevice) -> None:
    subject = Subject.of(device.adapter)
    assert device.adapter.info["device"] in subject.adapter
    assert subject.driver == device.adapter.info["description"]
    assert wgpu.__version__ in subject.program
    assert proof.Subject.of(device.adapter).path == subject.path
