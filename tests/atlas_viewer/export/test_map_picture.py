"""Pictures of Map as files: bands make up the whole, labels are on them, and mistakes are reported."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from atlas_viewer.cli.main import main
from atlas_viewer.export.map_picture import _GROUND, write_labels
from atlas_viewer.media.png import PngWriter
from atlas_viewer.state.label_space import Label, Ruler
from atlas_viewer.state.map_labels import MapLabels

pytestmark = pytest.mark.gpu

PROMPT = "Once upon a time"


def pixels(data: bytes) -> np.ndarray:
    """uint8 [height, width, 3] of a PNG file without filters."""
    at, body, width, height = 8, b"", 0, 0
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, chunk = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + chunk)
        if kind == b"IHDR":
            width, height = struct.unpack(">II", chunk[:8])
        if kind == b"IDAT":
            body += chunk
        at += 12 + size
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, 1 + 3 * width)
    return rows[:, 1:].reshape(height, width, 3)


def render(out: Path, *more: str) -> np.ndarray:
    assert main(["render", PROMPT, "-n", "2", "--view", "map", "--context", "64", "--out", str(out), *more]) == 0
    return pixels(out.read_bytes())


def test_rows_survive_encoding() -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 31, 4), np.uint8)
    file = io.BytesIO()
    with PngWriter(file, 31, 50) as writer:
        for first in range(0, 50, 7):
            writer.write(image[first : first + 7])
    np.testing.assert_array_equal(pixels(file.getvalue()), image[..., :3])


def test_missing_and_surplus_rows_are_errors() -> None:
    rows = np.zeros((3, 5, 4), np.uint8)
    writer = PngWriter(io.BytesIO(), 5, 4)
    writer.write(rows)
    with pytest.raises(ValueError, match="1 rows of 5 are left"):
        writer.write(rows)
    with pytest.raises(ValueError, match="1 rows are missing"):
        writer.close()


def test_labels_are_the_same_in_bands() -> None:
    labels = MapLabels(
        [Label("h.3.attn.qkv", 5.0, 3.0, 13), Label("cut", -6.0, 25.0, 17), Label("edge", 70, 38, 12)],
        [Ruler(0, 0, 80, 18)],
    )
    whole = np.full((48, 80, 4), 40, np.uint8)
    bands = whole.copy()
    write_labels(whole, labels, 0)
    for top in range(0, 48, 10):
        write_labels(bands[top : top + 10], labels, top)
    np.testing.assert_array_equal(bands, whole)
    assert (whole[..., 0] > 200).sum() > 60
    assert (whole[0, :, :3] == _GROUND).all()
    assert (whole[20, -1, :3] == 40).all()


def test_bands_are_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = render(tmp_path / "whole.png", "--size", "320x180")
    monkeypatch.setattr("atlas_viewer.export.map_picture._BAND", 320 * 50)
    np.testing.assert_array_equal(render(tmp_path / "bands.png", "--size", "320x180"), whole)
    assert len(np.unique(whole.reshape(-1, 3), axis=0)) > 500


def test_a_named_value_is_in_the_middle(tmp_path: Path) -> None:
    image = render(tmp_path / "place.png", "--size", "480x270", "--place", "h.2.attn.pattern[1, 2, 0]")
    cell = image[135 - 70 : 135 + 70, 240 - 70 : 240 + 70].reshape(-1, 3)
    # One color except for the digits. A probability is positive, so the color is gold.
    ground = np.median(cell, axis=0)
    assert ((cell == ground).all(1)).mean() > 0.8
    assert ground[0] > ground[1] > ground[2]
    digits = np.abs(cell - ground).max(1) > 100
    assert 50 < digits.sum() < 2000


@pytest.mark.parametrize("size", ["1x1", "3x200", "400x2"])
def test_pictures_of_odd_sizes(tmp_path: Path, size: str) -> None:
    width, height = map(int, size.split("x"))
    assert render(tmp_path / "odd.png", "--size", size).shape == (height, width, 3)


def test_the_center_is_in_the_middle(tmp_path: Path) -> None:
    image = render(tmp_path / "point.png", "--size", "320x180", "--zoom", "50", "--center", "0,0")
    assert (image[:80, :150] == (6, 9, 14)).all()  # beyond the corner of the plane


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ("--view", "map", "--panels", "--place", "nothing"),
            "--place nothing: no tensor has this name; `atlas",
        ),
        (
            ("--view", "map", "--place", "nothing"),
            "--place nothing: no tensor has this name; `atlas-viewer trace`",
        ),
        (("--view", "map", "--place", "qk"), "--place qk: no tensor has this name; there are h.0.attn.qkv"),
        (("--view", "map", "--place", ""), "--place: is empty"),
        (("--view", "strip", "--place", "wte"), "works only with the map"),
        (("--view", "map", "--zoom", "nan"), "--zoom"),
        (("--view", "map", "--center", "inf,0"), "--center"),
        (("--view", "map", "--place", "wte[1, 999]"), "there is no such value"),
    ],
)
def test_mistakes_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], message: str
) -> None:
    assert main(["render", PROMPT, "-n", "1", "--out", str(tmp_path / "x.png"), *more]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
