"""Files are short enough for one idea, and functions fit on a screen."""

from __future__ import annotations

import ast

from helpers.paths import ROOT

LINES_OF_A_FILE = 350
LINES_OF_A_FUNCTION = 60
FILES = [
    path
    for folder in ("wgsl", "compute", "atlas_viewer", "assets", "tests")
    for suffix in ("py", "wgsl")
    for path in sorted((ROOT / folder).rglob(f"*.{suffix}"))
]


def long_functions(source: str) -> list[str]:
    """The functions of a Python source that are too long, by name."""
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    return [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= LINES_OF_A_FUNCTION]


def test_a_long_function_is_found() -> None:
    lines = ["def f():", *["    pass"] * (LINES_OF_A_FUNCTION - 1)]
    assert long_functions("\n".join(lines)) == []
    assert long_functions("\n".join([*lines, "    pass"])) == ["f"]


def test_no_file_is_too_long() -> None:
    assert len(FILES) > 400
    lengths = {path: path.read_text("utf-8").count("\n") for path in FILES}
    assert [str(path) for path, lines in lengths.items() if lines > LINES_OF_A_FILE] == []


def test_no_function_is_too_long() -> None:
    python = [path for path in FILES if path.suffix == ".py"]
    found = {str(path): long_functions(path.read_text("utf-8")) for path in python}
    assert {path: names for path, names in found.items() if names} == {}
