"""Every command that the documents show with its output is run, and says what is shown; `...` there is anything."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from atlas_viewer.cli.main import main
from atlas_viewer.hub.catalogue import CATALOGUE, CatalogueFile
from compute.models.config import ModelConfig

from helpers.documents import PAGES, Block, blocks
from helpers.hub_server import hub_server
from helpers.make_hugging_face import config_values, state_dict, write_folder
from helpers.make_models import tiny_model
from helpers.paths import ROOT

pytestmark = pytest.mark.gpu

SHOWN = {
    page.name: [block for block in blocks(page) if block.language == "console"]
    for page in PAGES
    if "```console" in page.read_text("utf-8")
}
HOME = "/home/you/.cache"  # what the pages call the user's cache
# GPT-2's vocabulary, so that its tokenizer fits, and little else.
SMALL = ModelConfig(layers=1, heads=1, channels=4, positions=16, vocabulary=50257, padded_vocabulary=50257)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the models that the pages speak of, an empty cache, and a hub that offers a small one as `gpt2`."""
    tensors = state_dict(tiny_model(SMALL))
    write_folder(tmp_path / "my-model", tensors, SMALL)
    bad = {name: values.copy() for name, values in tensors.items()}
    bad["h.0.attn.c_attn.weight"][[2, 3], [10, 4]] = [np.nan, np.inf]  # [in, out]
    write_folder(tmp_path / "broken", bad, SMALL)
    entry = CATALOGUE["gpt2"]
    files = {
        f"{entry.repo}/config.json": json.dumps(config_values(SMALL)).encode(),
        f"{entry.repo}/model.safetensors": save(tensors),
    }
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("ATLAS_VIEWER_CACHE")
    with hub_server(files=files, commit=entry.revision) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        names = tuple(CatalogueFile(name.rsplit("/", 1)[1]) for name in files)
        # `models list` shows the sizes of the real one.
        monkeypatch.setattr("atlas_viewer.cli.models.known_bytes", known_bytes(dict(CATALOGUE)))
        monkeypatch.setitem(CATALOGUE, "gpt2", replace(entry, files=names))
        yield tmp_path


def known_bytes(real: dict[str, object]) -> Callable[[object], int | None]:
    from atlas_viewer.cli.models import known_bytes as told

    return lambda entry: told(real[entry.name])  # type: ignore[attr-defined, arg-type]


def examples(block: Block) -> list[tuple[str, str]]:
    """(command, output) of each `$` line."""
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)
    assert parts[0] == "", f"{block}: begins with no command"
    return list(zip(parts[1::2], parts[2::2], strict=True))


def pattern(shown: str) -> str:
    """What must come out: `...` in a line is any text, a line of its own any lines."""
    lines = [
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(re.escape("..."), ".*?") + r"\n"
        for line in shown.splitlines()
    ]
    return "".join(lines)


def run(command: str, capfd: pytest.CaptureFixture[str]) -> str:
    words = shlex.split(command)
    settings = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    program, *arguments = [word for word in words if not re.match(r"[A-Z_]+=", word)]
    assert program == "atlas-viewer", command
    if settings:  # some are read when a library is loaded
        environment = {**os.environ, **settings, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "atlas_viewer", *arguments], env=environment, capture_output=True, text=True
        )
        return done.stdout + done.stderr
    main(arguments)
    told = capfd.readouterr()
    return told.out + told.err


@pytest.mark.skipif(sys.platform != "linux", reason="the cache lies elsewhere")
@pytest.mark.parametrize("page", sorted(SHOWN))
def test_what_is_shown_comes_out(page: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for block in SHOWN[page]:
        for command, shown in examples(block):
            told = run(command, capfd).replace(str(place / "cache"), HOME)
            assert re.fullmatch(pattern(shown), told), f"{block}: {command}\n{told}"


@pytest.mark.parametrize(
    ("shown", "told", "same"),
    [
        ("a ... b\n", "a 12 b\n", True),
        ("a\n...\nb\n", "a\nx\ny\nb\n", True),
        ("a ... b\n", "a\nb\n", False),
        ("1.5\n", "125\n", False),
        ("a\n", "a\nb\n", False),
    ],
)
def test_output_is_compared_as_a_whole(shown: str, told: str, same: bool) -> None:
    assert bool(re.fullmatch(pattern(shown), told)) == same
