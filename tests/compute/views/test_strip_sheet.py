"""The sheet against a NumPy picture of it: every cell is shown once, and points convert in both directions."""

from __future__ import annotations

import numpy as np
import pytest

from compute.views.strip_layout import BUDGETS, WIDTH, Span, StripLayout
from compute.views.strip_sheet import GAP, NAMES, ROWS, StripSheet, strip_sheet

ODD = (1, 2, 23, 24, 25, 191, 511, 512)


def layout_of(blocks: int, tokens: int, odd: tuple[int, ...] = ODD) -> StripLayout:
    """Embeddings, then blocks with weights of odd sizes and activations of 37 channels, then logits."""
    wanted = [("embed.tokens", "embedding", min(tokens * 37, BUDGETS["embedding"]))]
    for block in range(blocks):
        wanted += [(f"h.{block}.weight{number}", "weight", cells) for number, cells in enumerate(odd)]
        wanted += [(f"h.{block}.act{n}", "activation", min(tokens * 37, BUDGETS["activation"])) for n in range(3)]
    wanted.append(("logits", "logits", 1001))
    spans: list[Span] = []
    first = 0
    for name, kind, cells in wanted:
        spans.append(Span(name, kind, first, cells, cells))
        first += cells + 64
    return StripLayout(tuple(spans), ())


def title_of(name: str) -> str:
    return f"block {name.split('.')[1]}" if name.startswith("h.") else name


def picture(sheet: StripSheet) -> np.ndarray:
    """The cell of Strip at each cell of the sheet, int [height, width]; -1 where there is none."""
    cells = np.full((sheet.height, sheet.width), -1)
    for box in sheet.boxes:
        for index in range(box.span.cells):
            at = box.y + index // box.columns, box.x + index % box.columns
            assert cells[at] == -1
            cells[at] = box.span.first + index
    return cells


@pytest.mark.parametrize(("blocks", "tokens"), [(0, 1), (1, 1), (2, 3), (7, 40)])
def test_every_cell_is_shown_once(blocks: int, tokens: int) -> None:
    layout = layout_of(blocks, tokens)
    sheet = strip_sheet(layout, title_of)
    cells = picture(sheet)
    shown = np.sort(cells[cells >= 0])
    wanted = np.concatenate([np.arange(span.first, span.last + 1) for span in layout.spans])
    np.testing.assert_array_equal(shown, wanted)
    rng = np.random.default_rng(blocks)
    for y, x in zip(rng.integers(0, sheet.height, 300), rng.integers(0, sheet.width, 300), strict=True):
        found = sheet.cell_at(x + 0.5, y + 0.5)
        assert (-1 if found is None else found) == cells[y, x]
    for cell in rng.choice(wanted, 300):
        row, column = np.argwhere(cells == cell)[0]
        assert sheet.position_of(int(cell)) == (column, row)
    assert sheet.position_of(int(wanted[-1]) + 1) is None


def test_bands_and_boxes_leave_space_for_names() -> None:
    sheet = strip_sheet(layout_of(5, 9), title_of)
    assert [band.title for band in sheet.bands] == ["embed.tokens", *(f"block {n}" for n in range(5)), "logits"]
    for before, after in zip(sheet.bands, sheet.bands[1:], strict=False):
        assert before.y + before.height < after.y
    used = np.zeros((sheet.height, sheet.width), bool)
    for box in sheet.boxes:
        band = next(band for band in sheet.bands if band.title == title_of(box.span.name))
        assert band.y + NAMES <= box.y
        assert box.y + ROWS <= band.y + band.height
        part = used[box.y - NAMES : box.y + ROWS, box.x : box.x + box.columns + GAP]
        assert not part.any()
        part[:] = True


def test_boxes_stay_where_they_are_as_the_text_grows() -> None:
    short, longer = (strip_sheet(layout_of(3, tokens), title_of) for tokens in (1, 200))
    assert [(box.span.name, box.x, box.y, box.columns) for box in short.boxes] == [
        (box.span.name, box.x, box.y, box.columns) for box in longer.boxes
    ]
    assert (short.width, short.height) == (longer.width, longer.height)


def test_points_of_strip_and_of_the_sheet_convert() -> None:
    layout = layout_of(4, 6)
    sheet = strip_sheet(layout, title_of)
    rng = np.random.default_rng(1)
    for cell in rng.choice(np.concatenate([np.arange(s.first, s.last + 1) for s in layout.spans]), 300):
        point = int(cell) % WIDTH + 0.25, int(cell) // WIDTH + 0.75
        x, y = sheet.from_strip(*point)
        assert sheet.cell_at(x, y) == cell
        assert sheet.to_strip(x, y) == point
    # Between boxes, the nearest cell stands for the point; in a gap of Strip, too.
    box = sheet.boxes[0]
    assert sheet.to_strip(0.5, 0.5) == (box.span.first + 0.5, 0.5)
    gap = layout.spans[0].last + 3
    x, y = sheet.from_strip(gap % WIDTH + 0.5, gap // WIDTH + 0.5)
    assert sheet.cell_at(x, y) == layout.spans[0].last


def test_no_tensors() -> None:
    sheet = strip_sheet(StripLayout((), ()), title_of)
    assert (sheet.boxes, sheet.cell_at(3, 3), sheet.from_strip(3.5, 4.5), sheet.to_strip(3.5, 4.5)) == (
        (), None, (3.5, 4.5), (3.5, 4.5),
    )  # fmt: skip
