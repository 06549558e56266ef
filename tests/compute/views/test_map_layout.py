"""The layout of Map: nothing overlaps, and values and cells correspond one to one."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from compute.models.architectures import describe, parameter_shapes
from compute.models.config import GPT2_SIZES, ModelConfig
from compute.views.map_layout import ASPECT, MapLayout, map_layout
from compute.views.map_placement import Placement

from helpers.make_models import ODD_SHAPES, TINY
from helpers.map_registry import STORIES, registry

REAL = {"stories": STORIES, "gpt2": GPT2_SIZES["gpt2"], "gpt2-xl": GPT2_SIZES["gpt2-xl"]}


def bands(layout: MapLayout) -> list[tuple[str, int, int, int, int]]:
    """(tensor, x, y, width, height) of every band; a tensor without gaps between its bands counts as one."""
    boxes = []
    for name, placement in layout.placements.items():
        if placement.pitch_y == placement.band_rows * placement.cell_height:
            boxes.append((name, placement.x, placement.y, placement.width, placement.height))
        else:
            boxes += [(name, *placement.band_box(band)) for band in range(placement.bands)]
    return boxes


@pytest.mark.parametrize("context", [1, 9])
@pytest.mark.parametrize("base", [2, 4, 8, None])
@pytest.mark.parametrize("config", ODD_SHAPES, ids=str)
def test_tiles_contain_one_tensor_and_bands_have_a_gap(config: ModelConfig, base: int | None, context: int) -> None:
    layout = map_layout(registry(config, context), context, base=base)
    assert base is None or layout.base == base
    assert layout.width % layout.grid == layout.height % layout.grid == 0
    taken = np.zeros((layout.height // layout.base, layout.width // layout.base), bool)
    tiles: dict[tuple[int, int], str] = {}
    for name, x, y, width, height in bands(layout):
        assert x % layout.grid == y % layout.grid == 0
        assert 0 <= x <= x + width + layout.base <= layout.width
        assert 0 <= y <= y + height + layout.base <= layout.height
        # A block of free space follows each band, so no pixel smaller than a block touches two bands.
        own = taken[
            y // layout.base : -(-(y + height) // layout.base) + 1,
            x // layout.base : -(-(x + width) // layout.base) + 1,
        ]
        assert not own.any(), name
        own[:] = True
        grid = layout.grid
        for tile in itertools.product(
            range(x // grid, -(-(x + width) // grid)), range(y // grid, -(-(y + height) // grid))
        ):
            assert tiles.setdefault(tile, name) == name


@pytest.mark.parametrize("config", ODD_SHAPES, ids=str)
def test_every_value_has_its_own_cell(config: ModelConfig) -> None:
    layout = map_layout(registry(config, 9), 9)
    cells = set()
    total = 0
    for name, placement in layout.placements.items():
        picked = itertools.product(range(placement.rows), range(placement.columns))
        if placement.rows * placement.columns > 4000:
            rng = np.random.default_rng(0)
            picked = {(int(rng.integers(placement.rows)), int(rng.integers(placement.columns))) for _ in range(500)}  # type: ignore[assignment]
        for row, column in picked:
            cell = layout.cell_of(name, row, column)
            assert layout.cell_at(*cell) == (name, row, column)
            cells.add(cell)
            total += 1
    assert len(cells) == total


def test_the_value_near_a_cell_is_in_the_same_band() -> None:
    # Bands of 4 x 5 cells, two side by side. The third and last has two columns; there is no fourth.
    placement = Placement("a", 100, 50, 4, 12, 4, 5, 2, 8, 8)
    assert placement.value_near(*placement.cell_of(2, 6)) == (2, 6)
    assert placement.value_near(106, 52) == (2, 4), "beside the first band"
    assert placement.value_near(110, 56) == (3, 7), "under the second"
    assert placement.value_near(-9, 51) == (1, 0)
    assert placement.value_near(9999, 51) == (1, 9)
    assert placement.value_near(111, 60) == (3, 11), "where there is no band"
    assert placement.value_near(103, 59) == (3, 11), "in the missing part of a band"


def test_cells_without_a_value() -> None:
    layout = map_layout(registry(TINY, 9), 9)
    named = {(x, y) for x in range(layout.width) for y in range(40) if layout.cell_at(x, y)}
    for x, y in named:
        name, row, column = layout.cell_at(x, y) or ("", 0, 0)
        assert layout.cell_of(name, row, column) == (x, y)
    assert layout.cell_at(-1, 5) is None
    assert layout.cell_at(layout.width, 5) is None
    assert layout.cell_at(0, 0) is None


@pytest.mark.parametrize("context", [64, 256, 1024])
@pytest.mark.parametrize("name", REAL)
def test_the_aspect_ratio_is_that_of_a_screen(name: str, context: int) -> None:
    config = REAL[name]
    context = min(context, config.positions)
    layout = map_layout(registry(config, context), context)
    assert ASPECT / 1.5 < layout.width / layout.height < ASPECT * 1.5
    units = sum(placement.width * placement.height for placement in layout.placements.values())
    assert units > 0.2 * layout.width * layout.height
    # The pyramid fits one texture.
    assert max(layout.width, layout.height * 3 // 2) // layout.base <= 16384


@pytest.mark.parametrize("name", REAL)
def test_logits_are_nearly_square_and_as_large_as_the_output_is_wide(name: str) -> None:
    config = REAL[name]
    placement = map_layout(registry(config, 64), 64).placements["logits"]
    assert placement.columns == config.vocabulary, "the padding is not shown"
    assert placement.band_columns == 256
    assert 1 / 1.5 < placement.width / placement.height < 1.5
    assert placement.width > config.channels / 2
    assert placement.cell_width == placement.cell_height


def test_blocks_are_in_run_order() -> None:
    layout = map_layout(registry(STORIES, 64), 64)
    titles = [region.title for region in layout.regions]
    assert titles == ["embedding", *(f"h.{layer}" for layer in range(8)), "head"]
    blocks = layout.regions[1:-1]
    for before, after in itertools.pairwise(blocks):
        assert (after.y, after.x) > (before.y, before.x)
    assert layout.regions[0].x < min(block.x for block in blocks)
    assert layout.regions[-1].x > max(block.x for block in blocks)
    for region, section in zip(blocks, describe(STORIES).sections[1:-1], strict=True):
        for operation in section.computed():
            placement = layout.placements[operation.output]
            assert region.x <= placement.x
            assert placement.x + placement.width <= region.x + region.width


def test_a_weight_is_above_the_activation_it_produces() -> None:
    placements = map_layout(registry(STORIES, 64), 64).placements
    for weight, made in (("attn.c_attn", "attn.qkv"), ("attn.c_proj", "attn.c_proj"), ("mlp.c_fc", "mlp.c_fc")):
        above, below = placements[f"h.3.{weight}.weight"], placements[f"h.3.{made}"]
        assert above.x == below.x
        assert above.y + above.height < below.y
        assert above.width == below.width
    qkv = placements["h.3.attn.qkv"]
    assert [qkv.band_box(band)[1] for band in range(3)] == [qkv.y] * 3  # q, k and v side by side


def test_the_layout_is_deterministic() -> None:
    assert map_layout(registry(STORIES, 64), 64) == map_layout(registry(STORIES, 64), 64)


def test_without_activations_the_map_shows_the_weights() -> None:
    layout = map_layout(registry(TINY, 9, traced=False), 9)
    assert layout.placements.keys() == {*parameter_shapes(TINY), "logits"}


@pytest.mark.parametrize("shard_rows", [7, 10])
def test_bands_do_not_contain_rows_of_two_buffers(shard_rows: int) -> None:
    config = replace(TINY, vocabulary=97, padded_vocabulary=97)
    placement = map_layout(registry(config, 3, shard_rows=shard_rows), 3).placements["wte"]
    assert shard_rows % placement.band_rows == 0


def test_a_short_last_band() -> None:
    placement = Placement(
        "wte", 16, 32, rows=10, columns=4, band_rows=4, band_columns=4, across=2, pitch_x=16, pitch_y=32
    )
    assert (placement.bands, placement.lines, placement.width, placement.height) == (3, 2, 20, 36)
    assert placement.band_box(2) == (16, 64, 4, 2)
    assert placement.value_at(16, 65) == (9, 0)
    assert placement.value_at(16, 66) is None
    assert placement.value_at(32, 64) is None


@pytest.mark.parametrize("context", [32, 64, 256])
@pytest.mark.parametrize("name", ["stories", "gpt2"])
def test_activations_of_short_texts_are_large(name: str, context: int) -> None:
    config = REAL[name]
    layout = map_layout(registry(config, context), context, tables=False)
    pattern = layout.placements["h.0.attn.pattern"]
    if context == 32:
        assert pattern.width > 3 * config.channels
        assert pattern.lines == 1, "all heads are side by side"
    assert pattern.band_columns * pattern.cell_width <= max(config.channels, context)
    assert pattern.cell_width == pattern.cell_height
    for short in ("ln_1", "attn.out", "resid_post", "mlp.gelu"):
        placement = layout.placements[f"h.0.{short}"]
        assert config.channels / 8 <= placement.height <= max(context, config.channels)
    assert layout.placements["h.0.mlp.c_fc.weight"].cell_height == 1


def test_the_area_of_a_pattern_hardly_changes_while_the_text_grows() -> None:
    areas = []
    for context in (32, 64, 128):
        placement = map_layout(registry(STORIES, context), context, tables=False).placements["h.0.attn.pattern"]
        areas.append(placement.width * placement.height)
    assert max(areas) < 1.2 * min(areas)


def test_heads_are_in_lines_of_the_same_length() -> None:
    for context in (64, 128, 256, 512):
        placement = map_layout(registry(STORIES, context), context).placements["h.0.attn.pattern"]
        assert placement.bands == placement.across * placement.lines


def test_without_tables_everything_else_is_there() -> None:
    whole, rest = (map_layout(registry(STORIES, 64), 64, tables=tables) for tables in (True, False))
    assert whole.placements.keys() - rest.placements.keys() == {"wte"}
    assert rest.width * rest.height < whole.width * whole.height


def test_captions_of_stages_have_space() -> None:
    layout = map_layout(registry(STORIES, 64), 64)
    assert [stage.title for stage in layout.stages[:2]] == ["attention, 6 heads", "MLP, widens 4x"]
    assert len(layout.stages) == 2 * STORIES.layers
    for stage in layout.stages:
        above = stage.x, stage.y - layout.caption, stage.x + stage.width, stage.y
        for placement in layout.placements.values():
            beside = placement.x >= above[2] or placement.x + placement.width <= above[0]
            assert beside or placement.y >= above[3] or placement.y + placement.height <= above[1], placement.name
