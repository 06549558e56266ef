"""`models` on the command line: its output, its question, and one line for every error."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save

from atlas_viewer.hub.catalogue import CATALOGUE, CatalogueFile
from compute.models.config import ModelConfig

from helpers.command_line import Run, runner
from helpers.hub_server import COMMIT, HubServer, hub_server
from helpers.make_hugging_face import config_values, state_dict, unpadded, write_folder
from helpers.make_models import TINY, tiny_checkpoint, tiny_model
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

pytestmark = pytest.mark.gpu

REPO = CATALOGUE["gpt2"].repo
# The vocabulary of GPT-2, so that its tokenizer fits, and otherwise tiny.
SMALL = ModelConfig(layers=1, heads=1, channels=4, positions=16, vocabulary=50257, padded_vocabulary=50257)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("ATLAS_VIEWER_CACHE", str(folder))
    return folder / "models"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[HubServer]:
    """A hub that offers a small model as `gpt2`."""
    files = {
        f"{REPO}/config.json": json.dumps(config_values(SMALL)).encode(),
        f"{REPO}/model.safetensors": save(state_dict(tiny_model(SMALL))),
    }
    names = tuple(CatalogueFile(name.rsplit("/", 1)[1]) for name in files)
    monkeypatch.setitem(CATALOGUE, "gpt2", replace(CATALOGUE["gpt2"], revision=COMMIT, files=names))
    with hub_server(files=files) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def assert_one_line(result: SimpleNamespace, status: int, *parts: str) -> None:
    assert result.status == status, result.err
    assert re.fullmatch(r"atlas-viewer: [^\n]+\n", result.err), result.err
    for part in parts:
        assert part in result.err


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Make standard input a terminal at which `text` is typed."""
    terminal = io.StringIO(text)
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)


def test_a_fetched_model_runs(run: Run, hub: HubServer, cache: Path) -> None:
    assert_one_line(run("generate", "x", "-n", 1, "--model", "gpt2"), 1, "models fetch gpt2")
    assert_one_line(run("models", "path", "gpt2"), 1, "models fetch gpt2")
    result = run("models", "fetch", "gpt2", "--yes")
    assert (result.status, result.err) == (0, "")
    for part in ("license   MIT", f"{REPO} at {COMMIT}", "0.8 MB", str(cache / "gpt2"), "use it with --model gpt2"):
        assert part in result.out
    assert run("models", "path", "gpt2").out == f"{cache / 'gpt2'}\n"
    record = json.loads(run("generate", "x", "-n", 1, "--context", 8, "--json", "--model", "gpt2").out)
    assert (record["model"]["name"], record["model"]["channels"]) == ("gpt2", 4)
    assert "all finite" in run("models", "verify", "gpt2").out
    hub.status = 500
    again = run("models", "fetch", "gpt2")
    assert (again.status, again.out) == (0, f"gpt2 is already on this machine: {cache / 'gpt2'}\n")
    states = {record["name"]: record["state"] for record in json.loads(run("models", "list", "--json").out)}
    assert states == {name: "fetched" if name == "gpt2" else "absent" for name in CATALOGUE}
    (cache / "gpt2" / "config.json").write_text("{}")
    result = run("models", "verify", "gpt2")
    assert_one_line(result, 1, "is damaged; remove", "and fetch it again")
    assert "config.json: has 2 bytes" in result.out


@pytest.mark.parametrize(("typed", "status"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_fetching_asks_first(
    run: Run, hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch, typed: str, status: int
) -> None:
    answer(monkeypatch, typed)
    result = run("models", "fetch", "gpt2")
    assert result.status == status
    assert "license" in result.out
    assert ("nothing was fetched" in result.out) == (status == 1)
    assert (cache / "gpt2").exists() == (status == 0)


@pytest.mark.parametrize("stream", [io.StringIO("y\n"), None])
def test_fetching_without_a_terminal(
    run: Run, hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None
) -> None:
    monkeypatch.setattr("sys.stdin", stream)
    assert_one_line(run("models", "fetch", "gpt2"), 2, "accept the license and the size with --yes")
    assert not cache.exists()


def test_unknown_models_are_reported(run: Run, hub: HubServer) -> None:
    assert_one_line(run("models", "fetch", "gpt3", "--yes"), 2, "gpt3: no model with this name", "gpt2-xl")
    assert_one_line(run("models", "path", "two\nlines"), 2, "two\\nlines")
    assert_one_line(run("models", "fetch", "gpt2-large", "--yes"), 1, "the hub has no such repository")
    assert_one_line(run("models"), 2, "ACTION")
    assert_one_line(run("models", "verify", "/none/of.safetensors"), 1, "/none/of.safetensors", "no such file")


def test_every_model_has_a_line(run: Run, cache: Path) -> None:
    lines = run("models", "list").out.splitlines()
    assert [line.split()[:2] for line in lines] == [[name, "absent"] for name in CATALOGUE]
    assert "548 MB" in lines[0]
    assert "Apache-2.0" in lines[list(CATALOGUE).index("distilgpt2")]
    assert run("models", "path").out == f"{cache}\n"


def test_a_missing_model_is_named_by_its_argument(run: Run, cache: Path, tmp_path: Path) -> None:
    for part, arguments in (
        (": NAME gpt2: has not been fetched", ("path", "gpt2")),
        (": PATH gpt2: has not been fetched", ("verify", "gpt2")),
        (": PATH nothing: neither a known model nor a file", ("verify", "nothing")),
        (": IN random:x: there is no such size", ("convert", "random:x", tmp_path / "a.bin")),
    ):
        assert_one_line(run("models", *arguments), 1, part)


def test_verify_refuses_models_that_cannot_run(run: Run, tmp_path: Path) -> None:
    config = replace(TINY, channels=100, heads=4)
    folder = write_folder(tmp_path / "a", state_dict(tiny_model(unpadded(config))), unpadded(config))
    reason = "head size 25 (channels / heads) is not a multiple of 4; such a model cannot run here"
    for command in ("models", "verify", folder), ("generate", "a", "--model", folder):
        assert_one_line(run(*command), 1, "config.json", reason)


def test_verify_names_the_bad_tensors(run: Run, tmp_path: Path) -> None:
    tensors = state_dict(tiny_model(unpadded(TINY)))
    tensors["h.1.attn.c_attn.weight"][[2, 3], [30, 4]] = [np.nan, np.inf]  # [in, out]
    tensors["ln_f.bias"][7] = np.nan
    folder = write_folder(tmp_path / "a", tensors)
    result = run("models", "verify", folder)
    assert_one_line(result, 1, str(folder), "2 of 28 tensors have values that are not finite")
    assert result.out.splitlines() == [
        "h.1.attn.c_attn.weight [36, 12]: 1 NaN and 1 infinite, the first at [4, 3]",
        "ln_f.bias [12]: 1 NaN, the first at [7]",
    ]
    tensors["wpe.weight"] = np.zeros((3, 12), np.float32)
    del tensors["ln_f.weight"]
    result = run("models", "verify", write_folder(tmp_path / "b", tensors))
    assert_one_line(result, 1, "wpe.weight has shape [3, 12], must be [9, 12] (and 1 more")
    assert result.out.splitlines() == ["wpe.weight has shape [3, 12], must be [9, 12]", "ln_f.weight is missing"]
    assert run("models", "verify", "stories").out == "stories: 100 tensors, 13,306,944 parameters, bf16, all finite\n"


def test_convert_there_and_back(run: Run, tmp_path: Path) -> None:
    path = tiny_checkpoint(tmp_path / "a.bin")
    folder = tmp_path / "b"
    result = run("models", "convert", path, folder)
    assert (result.status, result.out) == (0, f"{folder / 'model.safetensors'}\n{folder / 'config.json'}\n")
    assert run("models", "convert", folder, tmp_path / "c.bin").status == 0
    assert run("models", "convert", tmp_path / "c.bin", tmp_path / "d").status == 0
    assert (tmp_path / "d" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert run("models", "convert", path, tmp_path / "e", "--weights", "f16").status == 0
    assert "f16, all finite" in run("models", "verify", tmp_path / "e").out
    assert_one_line(run("models", "convert", path, tmp_path / "f.bin", "--weights", "f16"), 2, "--weights f16")
    assert_one_line(run("models", "convert", tmp_path / "none.bin", tmp_path / "g"), 1, "no such file")
    assert not (tmp_path / "g").exists()


# -- in a process of its own


def shell(*arguments: str, **environment: str) -> SimpleNamespace:
    done = subprocess.run(
        [sys.executable, "-m", "atlas_viewer", "models", *arguments],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
    )  # fmt: skip
    return SimpleNamespace(status=done.returncode, out=done.stdout, err=done.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a variable for the cache folder")
def test_the_environment_is_respected(tmp_path: Path) -> None:
    with hub_server() as server:
        own = {
            "ATLAS_VIEWER_CACHE": "",
            "XDG_CACHE_HOME": str(tmp_path),
            "HF_ENDPOINT": server.url,
            "NO_PROXY": "",
            "no_proxy": "",
        }
        assert shell("path", **own).out == f"{tmp_path}/atlas-viewer/models\n"
        assert shell("path", **{**own, "ATLAS_VIEWER_CACHE": "/elsewhere"}).out == "/elsewhere/models\n"
        offline = shell("fetch", "gpt2", "--yes", **own, HF_HUB_OFFLINE="1")
        assert_one_line(offline, 1, "HF_HUB_OFFLINE is set, so nothing is fetched")
        assert server.log == []
        own["HF_ENDPOINT"] = "http://hub.invalid"
        proxied = shell("fetch", "gpt2", "--yes", **own, HTTP_PROXY=server.url, http_proxy=server.url)
        assert_one_line(proxied, 1, "the hub has no such repository")
        assert [path for _, path, _ in server.log] == [f"/{REPO}/resolve/{CATALOGUE['gpt2'].revision}/config.json"]
    assert list(tmp_path.iterdir()) == []
