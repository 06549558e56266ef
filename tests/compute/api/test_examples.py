"""The examples in the docstrings of the Python API, and what importing it costs."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import atlas_viewer
from atlas_viewer.cli.main import main

from helpers.documents import blocks
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

MODULES = ("atlas_viewer", "compute.api.load", "compute.api.model", "compute.api.run", "compute.api.weights")
LATE = {"wgpu", "pygfx", "glfw", "imgui_bundle", "cffi", "tiktoken", "compute.forward.engine"}
IMPORT_S = 0.05


@pytest.mark.gpu
@pytest.mark.parametrize("name", MODULES)
def test_examples_show_what_happens(name: str) -> None:
    model = atlas_viewer.load("stories", context=64)
    failed, tried = doctest.testmod(
        importlib.import_module(name), extraglobs={"model": model}, optionflags=doctest.ELLIPSIS
    )
    assert tried > 1
    assert failed == 0


def by_hand() -> str:
    """The page on Python above its generated reference."""
    return (ROOT / "docs" / "python.md").read_text("utf-8").partition("\n## Reference\n")[0]


@pytest.mark.gpu
def test_the_examples_of_the_manual_run() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", by_hand(), re.M | re.S)
    assert len(blocks) == 2
    names: dict[str, Any] = {}
    exec("".join(blocks), names)
    assert names["run"].tokens == [7454, 2402, 257, 640]
    assert [run["ln_f"].shape for run in (names["first"], names["second"])] == [(4, 192), (2, 192)]


@pytest.mark.gpu
def test_the_first_lines_of_the_manual_print_what_it_shows() -> None:
    pages = [block for block in blocks(ROOT / "docs" / "python.md") if block.language == "pycon"]
    end = by_hand().count("\n")
    examples = "\n".join(block.text for block in pages if block.line < end)
    test = doctest.DocTestParser().get_doctest(examples, {}, "python.md", None, None)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    runner.run(test, clear_globs=False)
    assert runner.summarize(verbose=False) == (0, 10)
    assert test.globs["x"].flags.writeable is False
    assert test.globs["model"].weights["wte"].shape == (50304, 192)


@pytest.mark.gpu
def test_the_example_of_the_first_page_runs() -> None:
    (shown,) = re.findall(r"`(av\.load\(.*)`", (ROOT / "README.md").read_text("utf-8"))
    array = eval(shown, {"av": atlas_viewer})
    assert (array.shape, array.dtype) == ((4, 192), np.float32)


@pytest.mark.gpu
def test_the_command_saves_the_array_of_the_first_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shown,) = (line for line in by_hand().splitlines() if line.startswith("atlas-viewer "))
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(shown)[1:]) == 0
    run = atlas_viewer.load("stories").run("Once upon a time", keep="h.3.resid_post")
    with np.load("x.npz") as saved:
        np.testing.assert_allclose(saved["h.3.resid_post"], run["h.3.resid_post"], rtol=0, atol=1e-4)


@pytest.mark.gpu
def test_the_table_of_names_is_that_of_the_program() -> None:
    tensors = atlas_viewer.load("stories", context=64).tensors()
    theirs = {info.transformerlens for info in tensors.values() if info.transformerlens}
    page = by_hand()
    for name in theirs:
        assert name.rpartition(".")[2] in page, name


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    return done.stdout


def test_importing_the_package_loads_no_gpu_library() -> None:
    assert python(f"import sys, atlas_viewer; print(*sorted({LATE!r} & set(sys.modules)))").strip() == ""


def test_importing_the_package_takes_no_time() -> None:
    code = "import time, numpy\nstart = time.process_time()\nimport atlas_viewer\nprint(time.process_time() - start)"
    assert min(float(python(code)) for _ in range(3)) < IMPORT_S


def test_every_name_can_be_imported() -> None:
    for name in atlas_viewer.__all__:
        value = getattr(atlas_viewer, name)
        assert value.__name__ == name
        assert value.__doc__
    assert set(atlas_viewer.__all__) <= set(dir(atlas_viewer))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'loads'"):
        atlas_viewer.loads  # noqa: B018
