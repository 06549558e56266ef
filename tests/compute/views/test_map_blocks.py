"""The arrangement of blocks on Map: that of GPT-2 exactly, and a sensible one of other descriptions."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import pytest

from compute.models.architectures import describe
from compute.models.builder import Builder
from compute.models.config import GPT2_SIZES, ModelConfig
from compute.models.description import Description
from compute.models.names import block_name
from compute.models.operations import LayerNorm, Linear, Operation
from compute.views.map_blocks import Down, Part, Right, Spread, Stage, plan
from compute.views.map_layout import map_layout

from helpers.make_models import ODD_SHAPES, TINY
from helpers.map_registry import registry_of
from helpers.parallel_model import parallel

# The arrangements of a block of GPT-2, with names without the block.
PATTERN = "attn.pattern"
ENTER = Down(("resid_pre", "ln_1.weight", "ln_1.bias", "ln_1"))
QKV = Down(("attn.c_attn.weight", "attn.c_attn.bias", "attn.qkv"))
OUT = Right(("attn.out", Down(("attn.c_proj.weight", "attn.c_proj.bias", "attn.c_proj")), "resid_mid"))
NORM = Down(("ln_2.weight", "ln_2.bias", "ln_2"))
HIDDEN = Down(("mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_fc", "mlp.gelu"))
LEAVE = Down(("mlp.c_proj.bias", "mlp.c_proj", "resid_post"))
ATTENTION = Down((Right((ENTER, QKV)), Spread(PATTERN, 5), OUT))
MLP = Down((Right((NORM, HIDDEN)), Right(("mlp.c_proj.weight", LEAVE))))
GPT2_BLOCKS: tuple[Part, ...] = (
    Down((ATTENTION, MLP)),
    Right((ATTENTION, MLP)),
)


def flat(part: Part) -> Part:
    """The same arrangement without captions, parts that contain a single part, or parts of their own kind."""
    if isinstance(part, str | Spread):
        return part
    if isinstance(part, Stage):
        return flat(part.part)
    kind = type(part)
    inner: list[Part] = []
    for piece in map(flat, part.parts):
        inner += piece.parts if isinstance(piece, kind) else [piece]
    return inner[0] if len(inner) == 1 else kind(tuple(inner))


def named(part: Part, block: int) -> Part:
    """The arrangement with whole names."""
    if isinstance(part, str):
        return block_name(block, part)
    if isinstance(part, Spread):
        return Spread(block_name(block, part.name), part.units)
    if isinstance(part, Stage):
        return Stage(part.title, named(part.part, block))
    return type(part)(tuple(named(inner, block) for inner in part.parts))


def names(part: Part) -> list[str]:
    if isinstance(part, str):
        return [part]
    if isinstance(part, Stage):
        return names(part.part)
    return [part.name] if isinstance(part, Spread) else [name for inner in part.parts for name in names(inner)]


@pytest.mark.parametrize("config", [*GPT2_SIZES.values(), *ODD_SHAPES, TINY], ids=str)
def test_the_arrangement_of_gpt2(config: ModelConfig) -> None:
    arranged = plan(describe(config))
    assert (arranged.embedding.table, arranged.head.table) == ("wte", None)
    assert flat(arranged.embedding.rest) == Down(("wpe", "embed.tokens", "embed.positions", "embed.sum"))
    assert flat(arranged.head.rest) == Down(("ln_f.weight", "ln_f.bias", "ln_f", "logits"))
    assert len(arranged.blocks) == len(GPT2_BLOCKS)
    for blocks, by_hand in zip(arranged.blocks, GPT2_BLOCKS, strict=True):
        assert len(blocks) == config.layers
        for number, block in enumerate(blocks):
            assert flat(block) == flat(named(by_hand, number))


def wide(config: ModelConfig) -> Description:
    """Attention twice as wide as the stream, nothing else, and neither positions nor norms; the head is tied."""
    c = config.channels
    m = Builder(config, defaultdict(str))
    m.section("embedding")
    table = m.weight("table", config.padded_vocabulary, c)
    stream = m.gather("tokens", table, by="token")
    for block in range(config.layers):
        m.section(f"block {block}", block)
        qkv = m.linear("qkv", stream, "in", 6 * c)
        stream = m.linear("out", m.attention("mixed", qkv, heads=config.heads, pattern="weights"), "out", c)
    m.section("head")
    m.head("scores", m.layer_norm("last", stream), table)
    return m.description("wide")


def with_weights_of(operation: Operation, other: Operation) -> Operation:
    """The operation with the weights of another one of its kind."""
    if isinstance(operation, LayerNorm) and isinstance(other, LayerNorm):
        return replace(operation, scale=other.scale, shift=other.shift)
    if isinstance(operation, Linear) and isinstance(other, Linear):
        return replace(operation, weight=other.weight, bias=other.bias)
    return operation


def shared(config: ModelConfig) -> Description:
    """As `parallel`, but every block uses the weights of the first one."""
    description = parallel(config)
    embedding, first, *others, head = description.sections
    blocks = [first]
    for section in others:
        operations = map(with_weights_of, section.operations, first.operations)
        blocks.append(replace(section, operations=tuple(operations)))
    return replace(description, sections=(embedding, *blocks, head))


OTHERS = (parallel, wide, shared)


@pytest.mark.parametrize("config", ODD_SHAPES, ids=str)
@pytest.mark.parametrize("model", OTHERS)
def test_every_tensor_is_in_every_arrangement_once(
    model: Callable[[ModelConfig], Description], config: ModelConfig
) -> None:
    description = model(config)
    registry, arranged = registry_of(description, 3), plan(description)
    tables = [outside.table for outside in (arranged.embedding, arranged.head) if outside.table is not None]
    assert set(tables) == {description.token_table.name, description.head.weight.name}
    outside = [*tables, *names(arranged.embedding.rest), *names(arranged.head.rest)]
    for blocks in arranged.blocks:
        found = outside + [name for block in blocks for name in names(block)]
        assert sorted(found) == sorted(tensor.name for tensor in registry)


@pytest.mark.parametrize("model", OTHERS)
def test_tensors_of_other_models_have_their_own_cells(model: Callable[[ModelConfig], Description]) -> None:
    layout = map_layout(registry_of(model(TINY), 5), 5)
    total = 0
    cells = set()
    for name, placement in layout.placements.items():
        for row, column in itertools.product(range(placement.rows), range(placement.columns)):
            cell = layout.cell_of(name, row, column)
            assert layout.cell_at(*cell) == (name, row, column)
            assert 0 <= cell[0] < layout.width
            assert 0 <= cell[1] < layout.height
            cells.add(cell)
            total += 1
    assert len(cells) == total


def test_the_parallel_block_in_lines_of_its_widest_column() -> None:
    around, beside = (blocks[0] for blocks in plan(parallel(TINY)).blocks)
    norm = Down(("ln_1.weight", "ln_1"))
    qkv, mixed = Down(("attn.c_attn.weight", "attn.qkv")), Down(("attn.c_proj.weight", "attn.c_proj"))
    hidden, leave = Down(("mlp.c_fc.weight", "mlp.c_fc", "mlp.relu")), Down(("mlp.c_proj", "resid_post"))
    wanted = Down(
        (
            Right((Down(("resid_pre", norm)), qkv)),
            Spread(PATTERN, 4),
            Right(("attn.out", mixed)),
            hidden,
            Right(("mlp.c_proj.weight", leave)),
        )
    )
    assert flat(around) == flat(beside) == flat(named(wanted, 0))


def test_the_stages_of_a_block_have_captions() -> None:
    for description, wanted in (
        (describe(TINY), ["attention, 3 heads", "MLP, widens 4x"]),
        (parallel(TINY), ["attention, 3 heads; MLP, widens 3x"]),
        (wide(TINY), ["attention, 3 heads"]),
    ):
        for blocks in plan(description).blocks:
            for block in blocks:
                assert isinstance(block, Down | Right)
                titles = [part.title for part in block.parts if isinstance(part, Stage)]
                assert len(titles) == len(block.parts)
                assert [title for title in titles if "," in title] == wanted
