"""The reference of the Python API: generated, complete, and its examples show what happens."""

from __future__ import annotations

import doctest
import inspect
import runpy
from typing import Any

import pytest

import atlas_viewer
from compute.errors import AtlasError

from helpers.documents import anchors, blocks
from helpers.paths import ROOT

PAGE = ROOT / "docs" / "python.md"


def reference() -> str:
    return PAGE.read_text("utf-8").partition("\n## Reference\n")[2]


def test_it_is_up_to_date() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "python_page.py"))["page"]()
    assert PAGE.read_text("utf-8") == made, "run ./dev reference"


def test_it_has_every_name() -> None:
    errors = [name for name in atlas_viewer.__all__ if is_error(getattr(atlas_viewer, name))]
    others = set(atlas_viewer.__all__) - set(errors)
    assert {name.lower() for name in others} <= anchors(PAGE)
    assert [name for name in errors if f"| `{name}` | " not in reference()] == []
    assert len(errors) >= 9


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, AtlasError)


@pytest.mark.parametrize("name", ["load", "Model.run", "Model.generate", "LoadOptions"])
def test_every_argument_is_explained(name: str) -> None:
    value: Any = atlas_viewer
    for part in name.split("."):
        value = getattr(value, part)
    arguments = set(inspect.signature(value).parameters) - {"self", "prompt"}
    assert len(arguments) >= 2
    assert [argument for argument in arguments if f"\n- `{argument}`: " not in reference()] == []


@pytest.mark.gpu
def test_its_examples_show_what_happens() -> None:
    known = {"av": atlas_viewer, "model": atlas_viewer.load("stories", context=64)}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    shown = [block for block in blocks(PAGE) if block.language == "pycon"]
    for block in shown:
        runner.run(doctest.DocTestParser().get_doctest(block.text, known, str(block), str(PAGE), block.line))
    assert len(shown) >= 8
    assert runner.failures == 0
