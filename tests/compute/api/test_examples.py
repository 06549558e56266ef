"""The examples in the docstrings of the Python API, and what importing it costs."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from typing import Any

import pytest

import atlas_viewer

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
