"""The page on how it works: its shapes are the registry's, its files exist."""

from __future__ import annotations

import re

import pytest

from compute.models.config import GPT2_SIZES, ModelConfig

from helpers.documents import PAGES, blocks, prose
from helpers.map_registry import STORIES, registry
from helpers.paths import ROOT

PAGE = ROOT / "docs" / "how-it-works.md"
TOKENS = 97  # stands for T: no other size is a multiple of it
MODELS = {"stories": STORIES, "GPT-2 124M": GPT2_SIZES["gpt2"]}


def rows(head: str) -> list[list[str]]:
    """Cells of the table rows whose table has `head` in its first line."""
    found: list[list[str]] = []
    for table in re.findall(r"(?:^\|.*\n)+", prose(PAGE), re.MULTILINE):
        lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        if lines[0][0] == head:
            found += lines[2:]
    return found


def sizes(config: ModelConfig) -> dict[str, int]:
    return {
        "T": TOKENS, "L": config.layers, "C": config.channels, "H": config.heads, "D": config.head_size,
        "N": config.positions, "V": config.vocabulary, "P": config.padded_vocabulary,
    }  # fmt: skip


def shape(text: str, known: dict[str, int]) -> tuple[int, ...]:
    """`[3C, C]` as numbers."""
    parts = (re.fullmatch(r"(\d*)([A-Z]?)", part.strip()) for part in text.strip("[]").split(","))
    return tuple(int(part[1] or 1) * (known[part[2]] if part[2] else 1) for part in parts if part)


TABLE = [(name, model) for name in ("parameter", "activation") for model in MODELS]


@pytest.mark.parametrize(("head", "model"), TABLE)
def test_shapes_are_those_of_the_registry(head: str, model: str) -> None:
    config = MODELS[model]
    tensors = registry(config, config.positions)
    tensors.rows = TOKENS
    table = rows(head)
    assert len(table) >= 16
    for name, symbols, *shown in (row[:4] for row in table):
        tensor = tensors[name.strip("`")]
        wanted = tensors.shape(tensor)
        assert (tensor.kind == "weight") == (head == "parameter")
        assert shape(symbols, sizes(config)) == wanted, name
        assert shape(shown[list(MODELS).index(model)], sizes(config)) == wanted, name


def test_no_tensor_is_left_out() -> None:
    tensors = {tensor.name for tensor in registry(STORIES, 64)}
    table = [row[0].strip("`") for head in ("parameter", "activation") for row in rows(head)]
    assert len(table) == len(set(table))
    assert set(table) == {name for name in tensors if not name.startswith("h.") or name.startswith("h.0.")}


def test_sizes_are_those_of_the_models() -> None:
    table = {row[0]: row[2:] for row in rows("")}
    for place, config in enumerate(MODELS.values()):
        known = sizes(config)
        del known["T"]
        assert {name: int(values[place]) for name, values in table.items()} == known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: object) -> None:
    named = re.findall(r"`((?:wgsl|compute|atlas_viewer|assets|tests|docs)/[\w/.]+)`", prose(page))  # type: ignore[arg-type]
    made = {block.about for block in blocks(ROOT / "docs" / "extending.md")}
    assert [name for name in named if not (ROOT / name).exists() and name not in made] == []
