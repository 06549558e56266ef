"""Only compute/models names tensors of a model: everything else asks the description for them."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import pytest

from compute.models.architectures import describe
from compute.models.config import GPT2_SIZES
from compute.models.names import split_name

from helpers.paths import ROOT

PACKAGES = ("compute", "atlas_viewer")
MODELS = "compute/models/"
# Also the name of a kind of tensor, of bindings and of columns: it is a tensor only where something is selected.
WORD = "logits"


def names_of_gpt2() -> set[str]:
    """Names within a block or outside of them, and the names of modules, to which `.weight` and `.bias` belong."""
    description = describe(replace(GPT2_SIZES["gpt2"], layers=1))
    tensors = {*description.weights, *description.outputs, *description.patterns}
    short = {split_name(name)[1] for name in tensors} - {WORD}
    return short | {name.rsplit(".", 1)[0] for name in short if name.endswith((".weight", ".bias"))}


NAMES = names_of_gpt2()


def is_name(text: str) -> bool:
    """True for a tensor, for the beginning of its name such as `h.`, and for an end such as `.attn.qkv`."""
    return re.fullmatch(r"h\.(\d+\.?)?", text) is not None or split_name(text.strip("."))[1] in NAMES


def is_word(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == WORD


def selects(node: ast.AST) -> bool:
    """True for an index and a comparison with `WORD`."""
    if isinstance(node, ast.Subscript):
        return is_word(node.slice)
    return isinstance(node, ast.Compare) and any(map(is_word, [node.left, *node.comparators]))


def quoted_names(source: str) -> list[str]:
    """Tensor names in the strings of a module, as `line: name`. Docstrings may contain examples."""
    nodes = list(ast.walk(ast.parse(source)))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    strings = [
        (node.lineno, node.value) for node in nodes if isinstance(node, ast.Constant) if id(node) not in docstrings
    ]
    found = [f"{line}: {text}" for line, text in strings if isinstance(text, str) and is_name(text)]
    return found + [f"{node.lineno}: {WORD}" for node in nodes if isinstance(node, ast.expr) and selects(node)]


def test_strings_name_no_tensor_of_a_model() -> None:
    found = {}
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        file = path.relative_to(ROOT).as_posix()
        names = quoted_names(path.read_text("utf-8"))
        if names and not file.startswith(MODELS):
            found[file] = names
    assert found == {}


def test_names_are_found_where_they_are() -> None:
    assert quoted_names((ROOT / MODELS / "gpt2.py").read_text("utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        "registry['h.3.attn.qkv']",
        "engine.weights['wte']",
        "f'h.{layer}.{name}'",
        "f'{block}.mlp.gelu'",
        "name.startswith('h.')",
        "name.endswith('.resid_post')",
        "dense('attn.c_proj', x)",
        "table = {'ln_f': 1}",
        "registry['logits']",
        "if tensor.name == 'logits': pass",
        "if 'logits' != tensor.name: pass",
    ],
)
def test_a_quoted_name_is_found(source: str) -> None:
    assert quoted_names(source)


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    'h.3.attn.qkv'",
        "parser.add_argument('--place', help='value such as h.3.attn.qkv[5, 12]')",
        "name.startswith('hh.')",
        "resources = {'logits': buffer}",
        "registry[description.head.output]",
        "suffix = '.weight'",
    ],
)
def test_other_strings_are_left_alone(source: str) -> None:
    assert quoted_names(source) == []
