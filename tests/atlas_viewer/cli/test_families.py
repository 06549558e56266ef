"""Every command with models of other architectures, from files as people have them: a folder with a tokenizer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.models.patch_points import PATCHED
from compute.selftest.models import loud_model
from compute.selftest.small_models import SMALL_MODELS
from compute.weights.convert import convert

from helpers import small_tokenizers
from helpers.command_line import Run, assert_one_line, runner

pytestmark = pytest.mark.gpu

TOKENS = 360
CLEAN, CORRUPT = "the cat sat", "the mat sat"


def config_of(name: str) -> ModelConfig:
    return replace(SMALL_MODELS[name], vocabulary=TOKENS, padded_vocabulary=TOKENS)


@pytest.fixture(scope="module", params=["llama", "gemma3", "gpt_neox"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder, named like its architecture."""
    path = tmp_path_factory.mktemp("models") / request.param
    config = config_of(request.param)
    convert(loud_model(config, scale=1.8 / config.channels**0.5), path)
    return small_tokenizers.write_folder(path, begin=True)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


def test_a_session(run: Run, folder: Path, tmp_path: Path) -> None:
    recording = tmp_path / "a.atlas"
    edit = "h.1.attn.out[head=1] = 0"
    options = ("--temperature", 0, "-n", 3, "--with-lens", "--edit", edit, "--out", recording)
    assert run("session", "record", CLEAN, "--model", folder, *options).status == 0
    info = json.loads(run("session", "info", recording, "--json").out)
    assert info["head"]["config"]["architecture"] == folder.name
    assert edit in run("session", "info", recording).out
    verified = run("session", "verify", recording, "--model", folder)
    assert verified.status == 0
    assert "3 steps: 3 identical" in verified.out
    assert_one_line(run("session", "verify", recording, "--model", "stories"), 1, folder.name, "gpt2")
    names = {kind: tmp_path / f"e.{kind}" for kind in ("json", "csv", "npz", "png", "mp4")}
    arguments = ["--json", names["json"], "--csv", names["csv"], "--npz", names["npz"], "--lens", names["png"]]
    exported = run("session", "export", recording, "--model", folder, *arguments)
    assert exported.status == 0, exported.err
    assert len(json.loads(names["json"].read_text())["runs"][0]["steps"]) == 3
    with np.load(names["npz"]) as arrays:
        assert arrays["logits"].shape == (3, TOKENS)
    for view in ("strip", "map"):
        out = tmp_path / view
        made = run("session", "export", recording, "--model", folder, "--png", out, "--view", view, "--size", "320x180")
        assert made.status == 0, made.err
        assert list(out.iterdir())
    filmed = ("--video", names["mp4"], "--size", "320x180", "--panels", "--step-frames", 1)
    assert run("session", "export", recording, "--model", folder, *filmed).status == 0
    with av.open(str(names["mp4"])) as video:
        assert video.streams.video[0].codec_context.width == 320


def test_two_sessions_differ_by_their_edit(run: Run, folder: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "a.atlas", tmp_path / "b.atlas"
    options = ("--model", folder, "--temperature", 0, "-n", 2)
    assert run("session", "record", CLEAN, *options, "--out", one).status == 0
    edit = "h.0.mlp.c_proj *= 3"
    assert run("session", "record", CLEAN, *options, "--edit", edit, "--out", other).status == 0
    assert run("session", "diff", one, one).out == "the same: 2 steps\n"
    different = run("session", "diff", one, other)
    assert different.status == 1
    assert f"({edit})" in different.out


def test_captured_arrays_have_both_names(run: Run, folder: Path, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "a.npz", tmp_path / "b.npz"
    assert run("capture", CLEAN, "--model", folder, "--out", ours).status == 0
    assert run("capture", CLEAN, "--model", folder, "--out", theirs, "--names-as", "transformerlens").status == 0
    with np.load(ours) as one, np.load(theirs) as other:
        description, config = describe(config_of(folder.name)), config_of(folder.name)
        assert set(one) >= {*description.outputs, *description.patterns, "tokens"}
        queries = other["blocks.1.attn.hook_rot_q"]
        assert queries.shape == (4, config.heads, config.head_size)
        assert np.array_equal(queries.reshape(4, -1), one["h.1.attn.q_rot"])
        assert np.array_equal(other["blocks.1.hook_resid_post"], one["h.1.resid_post"])


@pytest.mark.parametrize("command", ["trace", "score", "lens", "attribute"])
def test_what_a_model_computes(run: Run, folder: Path, command: str) -> None:
    more = ("--target", "id:20") if command == "attribute" else ()
    text = run(command, CLEAN, "--model", folder, *more)
    assert text.status == 0, text.err
    assert "check: " not in text.out or ": ok, " in text.out
    found = json.loads(run(command, CLEAN, "--model", folder, *more, "--json").out)
    if command == "trace":
        assert not any(tensor["nan"] for tensor in found)
    elif command == "lens":
        assert found["points"][-1] == "h.1.resid_post"
    elif command == "attribute":
        assert sum(part["value"] for part in found["parts"]) == pytest.approx(found["logit"], abs=2e-3)


@pytest.mark.parametrize("over", PATCHED)
def test_patching(run: Run, folder: Path, over: str) -> None:
    target = ("--target", "id:20", "--against", "id:30")
    done = run("patch", CLEAN, CORRUPT, "--model", folder, *target, "--over", over, "--json")
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert all(check["ok"] for check in found["checks"])
    assert np.any(np.array(found["values"], float))


def test_comparing(run: Run, folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "c.png"
    arguments = ("--prompt", CLEAN, "--prompt-b", CORRUPT)
    assert run("compare", folder, folder, *arguments, "--out", picture).status == 0
    assert picture.stat().st_size
    assert_one_line(run("compare", "stories", folder, "--prompt", CLEAN), 2, "different shapes", folder.name)


@pytest.mark.parametrize("view", ["strip", "map"])
def test_pictures(run: Run, folder: Path, view: str, tmp_path: Path) -> None:
    out, options = tmp_path / "a.png", ("--panels", "--theme", "light")
    done = run("render", CLEAN, "-n", 1, "--model", folder, "--view", view, "--size", "320x180", "--out", out, *options)
    assert done.status == 0, done.err
    assert out.stat().st_size
