"""Labels in pictures of the window: they cover neither data nor each other, and they can be read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.label_space import Label
from atlas_viewer.state.map_labels import MapLabels, labels_for
from atlas_viewer.state.map_state import KeptLabels
from atlas_viewer.ui.panels import map_overlay, map_panel
from compute.forward.load_options import LoadOptions
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer
from compute.weights.checkpoint import open_model

from helpers.label_pictures import LEAST_CONTRAST, LabeledWindow, Mark, extreme_contrast, problems

pytestmark = pytest.mark.gpu

PROMPT = "Once upon a time"
SIZES = ((640, 400), (1024, 640), (1280, 720), (1920, 1080))
THEMES = ("dark", "light")
# Zooms of the camera, or widths of cells in pixels, with the value in the center.
ZOOMS = (
    (1.0, "h.3.ln_1", 0, 0),
    (2.0, "h.1.resid_mid", 0, 0),
    (6.0, "h.4.mlp.c_fc.weight", 40, 100),
)
CELLS = (
    (1.5, "h.3.attn.pattern", 3, 5),
    (6.0, "h.5.mlp.c_proj.weight", 20, 60),
    (20.0, "h.3.attn.qkv", 2, 180),
    (60.0, "logits", 0, 3000),
    (120.0, "h.2.mlp.c_fc.weight", 90, 100),
)
only_stories = pytest.mark.parametrize("window", ["stories"], indirect=True)
_DIGITS = 50.0  # minimum width of a cell with digits in pixels


@pytest.fixture(scope="module", params=["stories", pytest.param("random:gpt2", marks=pytest.mark.slow)])
def window(request: pytest.FixtureRequest, tokenizer: Tokenizer) -> Iterator[LabeledWindow]:
    options = GenerateOptions(max_new_tokens=8, context=64)
    runner = ModelRunner.load(open_model(request.param), tokenizer, LoadOptions(context=64, weights="bf16"))
    generation = runner.start(PROMPT, options)
    generation.run()
    opened = LabeledWindow(runner, generation, PROMPT)
    yield opened
    opened.close()
    runner.close()


def look(window: LabeledWindow, size: tuple[int, int]) -> Iterator[tuple[str, float]]:
    """Move Map's camera to each level; yields the tensor in the center, and the width of its cells in pixels."""
    window.settle(size, "Map")
    maps = window.state.map
    assert maps.layout is not None
    for wide, name, row, column in (*ZOOMS, *CELLS):
        placement = maps.layout.placements[name]
        x, y = placement.cell_of(row, column)
        zoom = wide
        if (wide, name, row, column) in CELLS:
            maps.camera.reset()
            zoom = wide * maps.view.scale / placement.cell_width
        maps.camera.look_at(zoom, x + placement.cell_width / 2, y + placement.cell_height / 2, *maps.size)
        yield name, maps.cell * placement.cell_width


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_map(window: LabeledWindow, size: tuple[int, int]) -> None:
    for name, cell in look(window, size):
        for theme in THEMES:
            shot = window.map_shot(theme)
            where = f"{name} at {cell:.3g} pixels per cell in {theme}"
            assert shot.marks, f"nothing is named: {where}"
            assert shot.data.any(), where
            assert problems(shot) == [], where
            if cell < _DIGITS:
                continue
            ratios = [extreme_contrast(shot.plain[Mark("", box).pixels]) for box in window.map_cells(name)]
            assert min(ratios, default=0) >= LEAST_CONTRAST, where


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_strip(window: LabeledWindow, size: tuple[int, int]) -> None:
    window.settle(size, "Atlas")
    shown = window.state.strip
    box = shown.sheet.boxes[len(shown.sheet.boxes) // 2]
    for zoom in (1.0, 3.0, 12.0, 64.0):
        shown.camera.look_at(zoom, box.x + 2, box.y + 2)
        for theme in THEMES:
            shot = window.strip_shot(theme)
            assert shot.marks, f"nothing is named: zoom {zoom} in {theme}"
            found = problems(shot)
            assert found == [], f"zoom {zoom} in {theme}: {found}"


@only_stories
@pytest.mark.parametrize("zoom", [0.75, 1.25, 2.0])
def test_other_sizes_of_letters(window: LabeledWindow, zoom: float) -> None:
    window.state.ui.zoom = zoom
    for name, _ in look(window, (1280, 720)):
        found = problems(window.map_shot("dark"))
        # At 75 %, letters of 8 pixels have no stroke that covers a pixel.
        assert [text for text in found if zoom > 1 or "contrast" not in text] == [], name
    window.state.ui.zoom = 1.0


@only_stories
def test_lecture_mode(window: LabeledWindow) -> None:
    """Letters are larger there, and names are as complete."""
    window.state.ui.lecture = True
    window.settle((1280, 720), "Atlas")
    window.state.strip.camera.reset()
    shot = window.strip_shot("dark")
    assert problems(shot) == []
    assert {"embedding", "block 0", "output"} <= {mark.text for mark in shot.marks}
    window.settle((1280, 720), "Map")
    window.state.map.camera.reset()
    shot = window.map_shot("light")
    assert problems(shot) == []
    assert {"block 0", "output"} <= {mark.text for mark in shot.marks}
    window.state.ui.lecture = False


def broken(change: Callable[[list[Label]], list[Label]], monkeypatch: pytest.MonkeyPatch, window: LabeledWindow) -> str:
    """The problems that are found when labels are changed."""

    def changed(*values: object) -> MapLabels:
        made = labels_for(*values)  # type: ignore[arg-type]
        return dataclasses.replace(made, labels=change(list(made.labels)))

    monkeypatch.setattr(map_panel, "labels_for", changed)
    window.state.map.labels = KeptLabels()
    found = problems(window.map_shot("dark"))
    window.state.map.labels = KeptLabels()
    return "\n".join(found)


class Narrow(Label):
    """A label that is wider than it claims."""

    @property
    def width(self) -> float:
        return 20.0


@only_stories
def test_faults_are_found(window: LabeledWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    window.settle((1280, 720), "Map")
    window.state.map.camera.reset()
    shot = window.map_shot("dark")
    assert problems(shot) == []
    row, column = (int(edge) for edge in np.argwhere(shot.data)[len(np.argwhere(shot.data)) // 2])
    over = broken(lambda labels: [*labels, Label("broken", column - 20.0, row - 6.0, 13)], monkeypatch, window)
    assert "'broken' covers data" in over

    def twice(labels: list[Label]) -> list[Label]:
        first = next(label for label in labels if label.text.startswith("block 0"))
        return [*labels, dataclasses.replace(first, text="broken", x=first.x + 20)]

    crossing = broken(twice, monkeypatch, window)
    assert "'broken' crosses another label" in crossing
    assert "'block 0: attention' crosses another label" in crossing

    def narrow(labels: list[Label]) -> list[Label]:
        return [Narrow(label.text, label.x, label.y, label.size) for label in labels]

    assert "pixels outside of labels change" in broken(narrow, monkeypatch, window)
    monkeypatch.setattr(map_overlay, "packed", lambda *_: 0xFF404040)
    assert "has a contrast of 1." in broken(lambda labels: labels, monkeypatch, window)
