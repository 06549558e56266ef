"""`capture`: files of activations, and one line for every error."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

import atlas_viewer
from compute.models.transformerlens import transformerlens_name

from helpers.command_line import PROMPT, Run, assert_one_line
from helpers.make_recordings import make_session

pytestmark = pytest.mark.gpu


def arrays(path: Path) -> dict[str, np.ndarray]:
    return load_file(path) if path.suffix == ".safetensors" else dict(np.load(path))


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize("scheme", ["atlas", "transformerlens"])
def test_a_file_contains_every_activation(run: Run, tmp_path: Path, suffix: str, scheme: str) -> None:
    out = tmp_path / f"run.{suffix}"
    result = run("capture", PROMPT, "--out", out, "--names-as", scheme)
    assert (result.status, result.out, result.err) == (0, "", "")
    found = arrays(out)
    wanted = atlas_viewer.load("stories", context=64).run(PROMPT, keep="*")
    tokens = found.pop("tokens")
    assert tokens.dtype == np.int32
    assert tokens.tolist() == wanted.tokens
    names = {name: transformerlens_name(name) or name if scheme == "transformerlens" else name for name in wanted}
    assert set(found) == set(names.values())
    for ours, name in names.items():
        assert found[name].dtype == np.float32
        assert np.allclose(found[name], wanted[name], atol=1e-4), ours
    if scheme == "transformerlens":
        assert found["blocks.0.attn.hook_z"].shape == (len(tokens), 6, 32)
        assert np.array_equal(found["blocks.1.hook_resid_pre"], found["blocks.0.hook_resid_post"])


def test_names_choose_what_is_saved(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run.npz"
    names = ("--names", "h.3.attn.pattern", "--names", "blocks.*.hook_mlp_out")
    assert run("capture", PROMPT, "--out", out, *names).status == 0
    assert set(arrays(out)) == {"tokens", "h.3.attn.pattern", *(f"h.{layer}.mlp.c_proj" for layer in range(8))}


def test_generated_tokens_join_the_pass(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run.npz"
    options = ("-n", 5, "--temperature", 0, "--names", "ln_f", "--names", "logits")
    assert run("capture", PROMPT, "--out", out, *options).status == 0
    found = arrays(out)
    tokens = atlas_viewer.load("stories", context=64).generate(PROMPT, max_new_tokens=5, temperature=0).tokens
    assert found["tokens"].tolist() == tokens
    assert found["ln_f"].shape == (len(tokens), 192)
    assert found["logits"][7:-1].argmax(axis=1).tolist() == tokens[8:]


def test_the_context_keeps_the_end_of_a_long_prompt(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run.npz"
    result = run("capture", PROMPT, "--out", out, "--context", 4, "--names", "embed.positions")
    assert result.status == 0
    assert "the text has 8 tokens; the context keeps the last 4 of them" in result.err
    found = arrays(out)
    model = atlas_viewer.load("stories", context=64)
    assert found["tokens"].tolist() == model.tokenizer.encode(PROMPT)[-4:]
    assert np.array_equal(found["embed.positions"], model.weights["wpe"][4:8])


@pytest.mark.parametrize(
    ("arguments", "status", "parts"),
    [
        (("--names", "h.*.nothing"), 2, ("h.*.nothing: no tensor matches",)),
        (("--names", "h.0.resid_pots"), 2, ("no tensor has this name; the nearest are h.0.resid_post, ",)),
        (("-n", "-1"), 2, ("-n -1: must be 0 or more",)),
        (("--context", "0"), 2, ("--context 0",)),
    ],
)
def test_bad_input_is_one_line(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], status: int, parts: tuple[str, ...]
) -> None:
    out = tmp_path / "run.npz"
    assert_one_line(run("capture", PROMPT, "--out", out, *arguments), status, *parts)
    assert not out.exists()


def test_another_suffix_is_refused(run: Run, tmp_path: Path) -> None:
    assert_one_line(run("capture", PROMPT, "--out", tmp_path / "run.json"), 2, "ends in .npz or .safetensors")


def test_a_full_disk_is_found_before_the_pass(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
    out = tmp_path / "run.npz"
    assert_one_line(run("capture", PROMPT, "--out", out), 1, "the disk has 10.0 kB free", "name fewer tensors")
    assert not out.exists()


def test_a_recording_is_never_replaced(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    make_session(path)
    before = path.read_bytes()
    assert_one_line(run("capture", PROMPT, "--out", path), 1, "is a recording")
    assert path.read_bytes() == before
