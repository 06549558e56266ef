"""Captions on Map, one level at a time: parts of the model, stages of a block, or tensors and their heads."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from compute.models.names import split_name
from compute.models.operations import Heads
from compute.views.map_layout import Region

from .label_space import HEAD_MARK, REGION, SMALL, STAGE, TENSOR, Label, LabelSpace, text_width
from .map_bands import Band, Visible
from .part_titles import part_title

_LEAST = 11  # smallest letters
_AROUND = 4.5  # pixels around the name of a tensor; data above it may be rounded up to the next pixel
_SHORT = {"embedding": "embed"}
_SIZES = (REGION, STAGE, TENSOR, _LEAST)  # for titles, the largest that fits


def shows_names(shown: Visible) -> bool:
    """True when the space above tensors is high enough for their names."""
    return shown.pixels(shown.layout.name) >= _LEAST + _AROUND


def captions(shown: Visible, space: LabelSpace, left: float, top: float) -> None:
    """Add the captions of one level. left, top: where rulers end."""
    if shows_names(shown):
        for band in shown.bands:
            _tensor(shown, space, band, left, top)
        for region in shown.layout.regions:
            _region(shown, space, region)
    elif shown.layout.stages and shown.pixels(shown.layout.caption) >= _LEAST + 3:
        first, *blocks, last = shown.layout.regions
        named = {_stage(shown, space, stage) for stage in shown.layout.stages}
        for region in (first, last):
            _region(shown, space, region)
        _inside(shown, space, [region for region in blocks if region.title not in named])
    else:
        first, *blocks, last = shown.layout.regions
        unnamed = [region for region in (*blocks, first, last) if not _region(shown, space, region)]
        _inside(shown, space, [region for region in unnamed if region not in (first, last)])


def where(shown: Visible) -> str:
    """The part of the model at the center of the picture; empty outside of all."""
    x, y = shown.view.cell_at(shown.width / 2, shown.height / 2)
    for region in shown.layout.regions:
        if region.x <= x < region.x + region.width and region.y <= y < region.y + region.height:
            return part_title(region.title)
    return ""


def _region(shown: Visible, space: LabelSpace, region: Region) -> bool:
    """A title above a part of the model, above the residual stream; False without space for it."""
    x, y = shown.view.pixel_at(region.x, region.y - 0.75 * shown.layout.grid)
    if x + shown.pixels(region.width) < 0:
        return False
    title = part_title(region.title)
    texts = (title, title.rpartition(" ")[2]) if title.startswith("block ") else (title, _SHORT.get(title, title))
    for size in _SIZES:
        fits = shown.pixels(shown.layout.margin - 0.75 * shown.layout.grid) >= size + 4
        if fits and space.add(*(Label(text, max(x, 0), y - size - 3, size, of=region.title) for text in texts)):
            return True
    return False


def _inside(shown: Visible, space: LabelSpace, blocks: Iterable[Region]) -> None:
    """Titles of blocks in the gaps beside and below their tensors, for blocks with no space above or no top in sight.

    Blocks are laid out alike, so the first position that is found suits most of the others.
    """
    known: tuple[float, float] | None = None
    for region in blocks:
        left, top = shown.view.pixel_at(region.x, region.y)
        box = left, top, left + shown.pixels(region.width), top + shown.pixels(region.height)
        if box[2] <= 0 or box[3] <= 0 or left >= shown.width or top >= shown.height:
            continue
        corners = space.corners_in(box)
        if known is not None:
            corners = np.concatenate([[(left + known[0], top + known[1])], corners])
        title = part_title(region.title)
        for text, size in itertools.product((title, title.rpartition(" ")[2]), (TENSOR, _LEAST)):
            found = space.first_free(corners, text_width(text, size), size, box)
            if found is not None and space.add(Label(text, *found, size, of=region.title)):
                known = known or (found[0] - left, found[1] - top)
                break
        else:
            if left >= 0 and top >= 0 and box[2] <= shown.width and box[3] <= shown.height:
                return  # a block in full view has no gap for its title, so that others have none either


def _stage(shown: Visible, space: LabelSpace, stage: Region) -> str:
    """A caption above a stage of a block, which also names the block; the block's title, or "" without space for it."""
    region = next(
        (r for r in shown.layout.regions if r.x <= stage.x < r.x + r.width and r.y <= stage.y < r.y + r.height), stage
    )
    block, title = part_title(region.title), stage.title
    x, y = shown.view.pixel_at(stage.x, stage.y)
    right = x + shown.pixels(stage.width)
    if right < 0:
        return ""
    sizes = [size for size in (STAGE, TENSOR, _LEAST) if shown.pixels(shown.layout.caption) >= size + 3]
    texts = (f"{block}: {title}", f"{block}: {title.partition(',')[0]}", title.partition(",")[0])
    for text, size in itertools.product(texts, sizes):
        label = Label(text, max(x, 2.0), y - size - 2, size, of=region.title)
        if label.x + label.width <= max(right, x + text_width(block, size)) and space.add(label):
            return region.title
    return ""


def _tensor(shown: Visible, space: LabelSpace, band: Band, left: float, top: float) -> None:
    """The name above a tensor; above its other bands, which part they are, or which head."""
    size = min(TENSOR, int(shown.pixels(shown.layout.name) - _AROUND))
    y = band.top - size - 3
    ruled = y < top
    if y < 0 and not top:
        return
    if ruled:
        if band.bottom <= top:
            return
        y = 2.0
    x = max(band.left, left + 2)
    name = band.tensor.name
    of = f"{name}{HEAD_MARK}{_head(shown, band)}" if band.tensor.heads else name
    # The text may go beyond the band where there is nothing, but not beyond the tensor.
    limit = max(band.right, x + 1) if band.placement.bands > 1 else band.right + shown.pixels(shown.layout.grid / 2)
    variants = [
        Label(text, x, y, size, of=of, role=band.role, ruler=ruled)
        for text in _texts(shown, band)
        if x + text_width(text, size) <= limit
    ]
    if ruled:
        space.add_ruled(*variants)
    else:
        space.add(*variants)
        _columns_of_heads(shown, space, band)


def _head(shown: Visible, band: Band) -> int:
    return band.first_row // shown.layout.context


def _texts(shown: Visible, band: Band) -> Iterator[str]:
    """What may be written above a band, the most informative first."""
    placement, (_, short) = band.placement, split_name(band.tensor.name)
    # The padding of the vocabulary is not on Map.
    sizes = (placement.columns,) if band.tensor.is_logits else shown.registry.shape(band.tensor)
    shape = f"{short} [{', '.join(map(str, sizes))}]"
    last = short.removeprefix("attn.").removeprefix("mlp.").removeprefix("embed.")
    part = _part(shown, band)
    if band.number == 0:
        if part:
            yield f"{shape}, {part}"
        yield shape
        yield short
        yield last
        yield last.removesuffix(".weight").removesuffix(".bias")
    elif placement.bands > 1:
        yield part
        yield part.partition(" of ")[0]
        yield part.rpartition(" ")[2] if band.tensor.heads else ""


def _part(shown: Visible, band: Band) -> str:
    """Which part of a tensor in several bands a band is."""
    placement = band.placement
    if band.tensor.heads:
        return f"head {_head(shown, band)}"
    if placement.bands == 1:
        return ""
    if band.tensor.is_logits:
        return f"{placement.band_columns} tokens per line"
    if placement.over > 1:
        first, count, whole, what = band.first_column, band.columns, placement.columns, "columns"
    else:
        first, count, whole, what = band.first_row, band.rows, placement.rows, "rows"
    return f"{what} {first}-{first + count - 1} of {whole}"


def _columns_of_heads(shown: Visible, space: LabelSpace, band: Band) -> None:
    """The heads under the columns of queries, keys, values and what attention returns."""
    attention = band.attention
    if attention is None or band.tensor.heads or band.tensor.rows is not None:
        return
    wide, name = attention.head_size * band.cell_width, band.tensor.name
    output = (("head", Heads(name, attention.heads, attention.head_size)),)
    for kind, heads in output if name == attention.output else attention.parts:
        for number in range(heads.heads if heads.source == name else 0):
            column = heads.column(number) - band.first_column
            if 0 <= column < band.columns:
                x, y = band.left + column * band.cell_width, band.bottom + 2
                labels = [Label(text, x, y, SMALL, role=band.role) for text in (f"{kind} {number}", str(number))]
                space.add(*(label for label in labels if label.width + 4 <= wide))
