"""The picture of a lens: every cell in its place, readable, and the same as PNG and as SVG."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from atlas_viewer.export.lens_picture import LensPicture, color_of, draw, ink_on, shown_token, write_lens_picture
from atlas_viewer.media.drawing import Drawing, Rgb
from atlas_viewer.media.svg import svg
from atlas_viewer.scene.paint import paint

POINTS = ("embed.sum", "h.0.resid_post", "h.1.resid_post")
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ["<b>&\"'", "\x1b[2J", "\ufffe\uffff", "\ud800", "\u202eabc", "\u5b57" * 20, "a" * 60, "\n\n"]


def picture(count: int, tokens: Sequence[str] = (" named",), *, ranks: bool = True) -> LensPicture:
    texts = [[tokens[(row + column) % len(tokens)] for column in range(count)] for row in range(len(POINTS))]
    probabilities = np.linspace(0, 1, len(POINTS) * count, dtype=np.float32).reshape(len(POINTS), count)
    return LensPicture(
        title="Logit lens of stories",
        notes=["model stories, an adapter", "text 'Once'"],
        points=POINTS,
        columns=[(column, tokens[column % len(tokens)], column % 2 == 1) for column in range(count)],
        texts=texts,
        probabilities=probabilities,
        ranks=np.arange(len(POINTS) * count).reshape(len(POINTS), count) if ranks else None,
        ranked='" Lily"',
        decided=np.arange(count) % len(POINTS),
        hints=[[f"cell {row} {column}" for column in range(count)] for row in range(len(POINTS))],
    )


def pixels(drawing: Drawing) -> np.ndarray:
    """The pixels of the PNG file, uint8 [height, width, 3]."""
    file = io.BytesIO()
    paint(drawing, file)
    data, at, packed = file.getvalue(), 8, b""
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + size]
        at += 12 + size
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(drawing.height, 1 + 3 * drawing.width)
    return rows[:, 1:].reshape(drawing.height, drawing.width, 3)


def luminance(color: Rgb) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("count", [1, 8, 64, 256])
def test_everything_lies_inside_and_no_text_leaves_its_cell(count: int) -> None:
    drawing = draw(picture(count, HOSTILE))
    assert drawing.width < 1700
    for box in drawing.boxes:
        assert box.x >= 0
        assert box.x + box.width <= drawing.width
        assert box.y >= 0
        assert box.y + box.height <= drawing.height
    for words in drawing.words:
        assert words.left >= 0, words
        assert words.left + words.width <= drawing.width, words
        assert words.size < words.y < drawing.height, words
    cells = [box for box in drawing.boxes if box.hint]
    assert len(cells) == len(POINTS) * count
    for words in drawing.words:
        under = [box for box in cells if box.x <= words.x < box.x + box.width and box.y < words.y <= box.y + box.height]
        for box in under:
            assert box.x <= words.left, words
            assert words.left + words.width <= box.x + box.width, words


def test_a_cell_has_its_token_probability_and_rank() -> None:
    drawing = draw(picture(8))
    (cell,) = [box for box in drawing.boxes if box.hint == "cell 2 5"]
    inside = [
        words.text
        for words in drawing.words
        if cell.x < words.x < cell.x + cell.width and cell.y < words.y < cell.y + cell.height
    ]
    assert inside == ["\u00b7named", "91% #21"]
    assert cell.color == pytest.approx(color_of(21 / 23), abs=1e-6)
    plain = [words.text for words in draw(picture(8, ranks=False)).words]
    assert "91%" in plain
    assert not any("#" in text for text in plain)


def test_the_line_marks_where_the_prediction_is_decided() -> None:
    drawing = draw(picture(3))
    cells = {box.hint: box for box in drawing.boxes if box.hint}
    for column in range(3):
        cell = cells[f"cell {column % len(POINTS)} {column}"]
        above = [box for box in drawing.boxes if box.x == cell.x and box.height == 3 and abs(box.y - cell.y) < 4]
        assert len(above) == 1, column


@pytest.mark.parametrize("probability", np.linspace(0, 1, 101))
def test_texts_are_readable_on_every_color(probability: float) -> None:
    color = color_of(float(probability))
    light, dark = sorted((luminance(color), luminance(ink_on(color))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_colors_darken_with_the_probability() -> None:
    levels = [luminance(color_of(share)) for share in np.linspace(0, 1, 50)]
    assert levels == sorted(levels, reverse=True)


def test_svg_is_xml_with_every_text_whatever_the_tokens_are() -> None:
    made = picture(len(HOSTILE), HOSTILE)
    root = ElementTree.fromstring(svg(draw(made)))
    assert root.tag == f"{SVG}svg"
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert shown_token(HOSTILE[0]) in texts
    assert "\\x1b[2J" in texts
    assert not any(character in text for text in texts for character in "\x1b\ufffe\uffff\u202e\n")
    hints = {element.text for element in root.iter(f"{SVG}title")}
    assert {hint for row in made.hints for hint in row} <= hints


def test_png_has_the_colors_of_the_cells_and_the_ink_of_the_texts() -> None:
    drawing = draw(picture(40, HOSTILE))  # three bands, painted in several parts
    image = pixels(drawing)
    for box in drawing.boxes:
        if box.hint:
            corner = image[round(box.y) + 4, round(box.x) + 2]
            assert corner == pytest.approx(255 * np.asarray(box.color), abs=0.51), box
    title = next(words for words in drawing.words if words.bold)
    part = image[int(title.y - title.size) : int(title.y), int(title.left) : int(title.left + title.width)]
    assert part.min() < 60, "the title is not painted"
    for band in range(256, drawing.height - 20, 256):
        assert np.ptp(image[band - 20 : band + 20]) > 0  # nothing is missing where two parts meet


def test_a_cell_without_finite_logits_says_so() -> None:
    made = picture(2)
    made.probabilities[1, 1] = np.nan
    drawing = draw(made)
    assert any(words.text.startswith("-") for words in drawing.words)
    assert color_of(float("inf")) == color_of(float("nan")) == (1.0, 1.0, 1.0)
    svg(drawing)
    pixels(drawing)


def test_files_are_written_by_suffix(tmp_path: Path) -> None:
    write_lens_picture(tmp_path / "a.png", picture(3))
    write_lens_picture(tmp_path / "a.SVG", picture(3))
    data = (tmp_path / "a.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert b"Title\0" in data
    assert b"Logit lens of stories" in data
    assert b"an adapter" in data
    ElementTree.fromstring((tmp_path / "a.SVG").read_bytes())
