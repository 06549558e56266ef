"""File > Save tensor in the real window: the saved files contain the values of `Model.run`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import atlas_viewer

from helpers.real_window import ARTIFACTS, Window, display, needs_display

__all__ = ["display"]

pytestmark = [pytest.mark.gpu, pytest.mark.window, needs_display]

PROMPT = "Once upon a time, there was a"
TOKENS = 12


def save(window: Window, names: str, path: str) -> str:
    """Type names and a file into the open dialog, press Save, and return the note."""
    window.type("##save names", names, lambda report: report["save"][1])
    window.type("##save path", path, lambda report: report["save"][2])
    report = window.click_until("Save##tensors", f"{path} is saved", lambda report: path in report["save"][3])
    return str(report["save"][3])


@pytest.mark.slow
def test_files_contain_the_values_of_a_run(display: str, tmp_path: Path) -> None:
    with Window(display, ["view", PROMPT, "-n", str(TOKENS), "--temperature", "0"], tmp_path / "window") as window:
        window.wait("the run ends", lambda report: report["done"] and report["steps"] == TOKENS)
        window.click_until("tab:Generated tokens", "chips are shown", lambda report: "chip4" in report["places"])
        window.click_until("chip4", "the fifth step is shown", lambda report: report["chosen"] == 4)
        window.click_until("File##menu", "the menu is open", lambda report: "tensors.save" in report["places"])
        window.click_until("tensors.save", "the dialog is open", lambda report: report["dialog"] == "save")

        note = save(window, "h.3.attn.pattern", "one.npy")
        assert "step 5 of run 1, stories" in note
        assert str(tmp_path / "one.npy") in note
        save(window, "blocks.*.hook_resid_post logits ln_f.weight", "several.npz")
        save(window, "h.*", "all.safetensors")
        window.picture(ARTIFACTS / "window-save-tensor.png")

        window.type("##save names", "h.3.attn.patern", lambda report: report["save"][1])
        window.wait(
            "an unknown name is reported", lambda report: "the nearest are h.3.attn.pattern" in report["unknown"]
        )
        window.type("##save names", "ln_f", lambda report: report["save"][1])
        window.type("##save path", "one.npy", lambda report: report["save"][2])
        window.click_until("Save##tensors", "a file is kept", lambda report: "already exists" in report["save"][4])
        report = window.last()
        assert report["messages"] == []

    model = atlas_viewer.load("stories")
    tokens = model.generate(PROMPT, max_new_tokens=4, temperature=0).tokens
    run = model.run(tokens, keep="*")
    assert close(np.load(tmp_path / "one.npy"), run["h.3.attn.pattern"])
    with np.load(tmp_path / "several.npz") as file:
        assert file["tokens"].tolist() == tokens
        assert json.loads(file["metadata"].item())["step"] == "5"
        assert json.loads(file["metadata"].item())["model"] == "stories"
        assert set(file) == {"tokens", "metadata", "logits", "ln_f.weight", *(f"h.{n}.resid_post" for n in range(8))}
        assert close(file["h.7.resid_post"], run["h.7.resid_post"])
        assert close(file["logits"], run.logits[-1:])
        assert np.array_equal(file["ln_f.weight"], model.weights["ln_f.weight"])
    with safe_open(tmp_path / "all.safetensors", "np") as opened:
        assert opened.metadata()["run"] == "1"
        names = set(opened.keys()) - {"tokens"}
        assert names == {name for name in [*run, *model.weights] if name.startswith("h.")}
        for name in names:
            wanted = model.weights[name] if name in model.weights else run[name]
            assert close(opened.get_tensor(name), wanted), name


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return found.shape == wanted.shape and found.dtype == wanted.dtype and bool(np.allclose(found, wanted, atol=2e-3))
