"""The labels of the map at each scale."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from atlas_viewer.state.label_space import Label, elided, text_width
from atlas_viewer.state.map_bands import Words
from atlas_viewer.state.map_camera import MapCamera
from atlas_viewer.state.map_labels import MapLabels, labels_for
from atlas_viewer.state.roles import Role, role_color, role_ink
from atlas_viewer.ui import theme
from compute.models.config import GPT2_SIZES, ModelConfig
from compute.views.map_layout import MapLayout, map_layout
from compute.views.map_view import MapView
from compute.views.palettes import CANVASES, contrast

from helpers.make_models import TINY
from helpers.map_registry import STORIES, registry, registry_of
from helpers.parallel_model import parallel

WIDE, HIGH = 1280, 720
LIKELIEST = (257, 262, 13, 50256, 20000, 20001, 20002, 30000, 45000, 900)
WORDS = Words(lambda row: f"row {row}", lambda token: f"token {token}", LIKELIEST)
REGISTRY = registry(STORIES, 64)
REGISTRY.rows = 40
LAYOUT = map_layout(REGISTRY, 64)
SIZES = ((320, 200), (640, 340), (1280, 720), (1920, 1000))
ZOOMS = (1.0, 2.0, 4.0, 8.0, 16.0, 40.0, 120.0, 400.0)


def at(name: str, row: int, column: int, cell: float) -> list[Label]:
    """Labels with the value's cell at pixel (300, 200) and cells of the tensor `cell` pixels wide."""
    x, y = LAYOUT.cell_of(name, row, column)
    unit = cell / LAYOUT.placements[name].cell_width
    view = MapView(x - 300 / unit, y - 200 / unit, 1 / unit)
    return list(labels_for(REGISTRY, LAYOUT, view, WIDE, HIGH, WORDS).labels)


def find(labels: list[Label], text: str) -> Label:
    return next(label for label in labels if label.text == text)


def whole(layout: MapLayout, wide: int = WIDE, high: int = HIGH) -> list[str]:
    view = MapCamera(layout.width, layout.height).view(wide, high)
    return [label.text for label in labels_for(REGISTRY, layout, view, wide, high, WORDS).labels]


def test_from_afar_parts_of_the_model_are_named_and_nothing_else() -> None:
    rest = map_layout(REGISTRY, 64, tables=False)
    assert set(whole(rest, 640, 360)) == {"embed", "output", *(f"block {layer}" for layer in range(8))}
    assert {"embedding", "output", "block 7"} <= set(whole(LAYOUT, 640, 360))


def test_in_a_picture_of_the_usual_size_the_stages_of_all_blocks_are_named() -> None:
    texts = whole(map_layout(REGISTRY, 64, tables=False))
    stages = {f"block {layer}: {stage}" for layer in range(8) for stage in ("attention", "MLP")}
    assert stages == {text.partition(",")[0] for text in texts} - {"embedding", "output"}


def test_nearer_the_stages_of_blocks_are_named() -> None:
    region = LAYOUT.regions[4]
    view = MapView(region.x - 100, region.y - 200, 2.4)
    texts = [label.text for label in labels_for(REGISTRY, LAYOUT, view, WIDE, HIGH, WORDS).labels]
    assert any(text.startswith("block 3: attention") for text in texts)
    assert not any("weight" in text or text == "block 3" for text in texts)


def test_where_a_block_fills_the_picture_its_tensors_are_named() -> None:
    layout = map_layout(REGISTRY, 64, tables=False)
    region = layout.regions[4]
    scale = max(region.width / WIDE, region.height / HIGH)
    labels = labels_for(REGISTRY, layout, MapView(region.x, region.y - 40, scale), WIDE, HIGH, WORDS).labels
    named = {label.of.partition("#")[0] for label in labels}
    block = {name for name in layout.placements if name.startswith("h.3.")}
    # Vectors and activations below each other leave no space for a few.
    assert len(block & named) > 0.8 * len(block)
    assert {"h.3.mlp.c_fc.weight", "h.3.attn.pattern", "h.3.attn.qkv", "h.3.resid_mid"} <= named


def test_the_parts_of_a_folded_matrix_and_the_heads_are_named() -> None:
    texts = [label.text for label in at("h.3.mlp.c_fc.weight", 0, 0, 2)]
    assert "mlp.c_fc.weight [768, 192], rows 0-191 of 768" in texts
    assert "rows 192-383 of 768" in texts
    texts = [label.text for label in at("h.3.attn.pattern", 0, 0, 4)]
    assert {"head 1", "head 2"} <= set(texts)
    labels = at("h.3.attn.qkv", 0, 0, 4)
    name = next(label for label in labels if label.of == "h.3.attn.qkv")
    assert name.text.startswith("attn.qkv [40, 576]")
    assert name.x == pytest.approx(300)
    assert name.role is Role.ACTIVATION
    assert name.y + name.size < 200
    assert find(labels, "q 1").x == pytest.approx(300 + 32 * 4)
    assert find(labels, "k 0").x > find(labels, "q 5").x


def test_rows_of_activations_have_their_tokens() -> None:
    labels = at("h.3.attn.qkv", 10, 0, 20)
    high = 20 * LAYOUT.placements["h.3.attn.qkv"].cell_height
    label = find(labels, "row 10")
    assert label.x + label.width < 300
    assert label.y + label.size / 2 == pytest.approx(200 + high / 2)
    assert "row 40" not in {label.text for label in at("h.3.attn.qkv", 39, 0, 20)}  # no token yet


def test_rulers_name_what_continues_beyond_the_picture() -> None:
    x, y = LAYOUT.cell_of("h.3.mlp.c_fc.weight", 100, 100)
    made = labels_for(REGISTRY, LAYOUT, MapView(x - 5, y - 3, 1 / 60), WIDE, HIGH, WORDS)
    across, down = made.rulers
    assert (across.width, down.height) == (WIDE, HIGH)
    rows = {label.text for label in made.labels if label.ruler and label.x < down.width}
    assert {"98", "100", "105"} <= rows
    columns = {label.text for label in made.labels if label.ruler and label.x >= down.width}
    assert "100" in columns
    assert any(text.startswith("mlp.c_fc.weight") for text in columns)
    for label in made.labels:
        assert label.ruler == (label.y < across.height or label.x < down.width)


def test_columns_are_numbered() -> None:
    label = find(at("h.3.ln_1", 0, 50, 40), "50")
    assert label.x + label.width / 2 == pytest.approx(320)
    assert not any(label.text == "50" for label in at("h.3.ln_1", 0, 50, 20))


def test_patterns_have_tokens_on_both_sides() -> None:
    labels = at("h.3.attn.pattern", 64 + 3, 2, 50)
    assert [label.text for label in labels].count("row 3") >= 2
    assert [label for label in labels if label.text == "row 2" and label.y < 200 - 3 * 50]


def test_vocabulary_along_wte_and_in_logits() -> None:
    assert find(at("wte", 1000, 0, 15), "token 1000").x < 300
    logit = find(at("logits", 0, 500, 60), "token 500")
    assert (logit.x, logit.y) == pytest.approx((303, 203))
    last = {label.text for label in at("logits", 0, 50256, 100)}
    assert "token 50256" in last
    assert "token 50257" not in last  # a padding row


def test_the_lines_of_the_logits_are_named() -> None:
    labels = at("logits", 0, 1000, 14)
    assert {"512-767", "768-1023"} <= {label.text for label in labels}
    assert "50176-50256" in {label.text for label in at("logits", 0, 50200, 14)}, "the last line"
    assert any(label.text == "logits [50257], 256 tokens per line" for label in at("logits", 0, 0, 2))


def test_the_likeliest_tokens_are_named_beside_the_logits() -> None:
    placement = LAYOUT.placements["logits"]
    view = MapView(placement.x - 120, placement.y - 50, placement.width / 600)
    found = [label for label in labels_for(REGISTRY, LAYOUT, view, WIDE, HIGH, WORDS).labels if label.to]
    assert [label.text for label in found] == [f"{rank}. token {token}" for rank, token in enumerate(LIKELIEST, 1)]
    for label, token in zip(found, LIKELIEST, strict=True):
        x, y = view.pixel_at(*placement.cell_of(0, token))
        assert label.to is not None
        assert abs(label.to[0] - x) < 12, "the line ends beside the cell"
        assert abs(label.to[1] - y) < 5
        assert abs(label.y - y) < 90
    assert not [label for label in at("logits", 0, 257, 60) if label.to], "in large cells, every token is named"
    assert not [label for label in at("logits", 0, 257, 0.3) if label.to], "from afar, they would hide the logits"


def test_another_model_has_its_vocabulary_along_both_tables_and_its_heads_under_attention() -> None:
    known = registry_of(parallel(TINY), 5)
    known.rows = 5
    layout = map_layout(known, 5)

    def texts(name: str, cell: float) -> list[str]:
        x, y = layout.cell_of(name, 0, 0)
        view = MapView(x - 300 / cell, y - 200 / cell, 1 / cell)
        return [label.text for label in labels_for(known, layout, view, WIDE, HIGH, WORDS).labels]

    for table in (known.description.token_table.name, known.description.head.weight.name):
        assert {"token 0", "token 20"} <= set(texts(table, 12)), table
    assert {"q 0", "q 2", "k 0", "v 2"} <= set(texts(known.description.attention[0].query.source, 8))
    assert any(text in texts(known.description.attention[0].output, 8) for text in ("head 2", "2"))


def test_a_picture_between_tensors_says_what_to_do() -> None:
    made = labels_for(REGISTRY, LAYOUT, MapView(0, 0, 1 / 50), WIDE, HIGH, WORDS)
    assert [label.text for label in made.labels] == ["Nothing is here. F shows the whole map."]
    assert labels_for(REGISTRY, LAYOUT, MapView(0, 0, 1 / 50), 100, 60, WORDS).labels == []


def test_long_texts_are_cut_with_an_ellipsis() -> None:
    assert elided("token", 100, 12) == "token"
    assert elided("a long token", 30, 12) == "a lo…"
    assert elided("token", 10, 12) == ""
    assert text_width("日本", 12) == 24


# -- no label covers data or another label


def boxes(layout: MapLayout, view: MapView, logits: str) -> np.ndarray:
    """Left, top, right and bottom of every band in pixels."""
    found = []
    for name, placement in layout.placements.items():
        bands = [(placement.x, placement.y, placement.width, placement.height)]
        if name != logits:
            bands = [placement.band_box(band) for band in range(placement.bands)]
        for x, y, wide, high in bands:
            found.append((*view.pixel_at(x, y), *view.pixel_at(x + wide, y + high)))
    return np.array(found)


def checked(made: MapLabels, data: np.ndarray, wide: int, high: int) -> None:
    left = max((ruler.width for ruler in made.rulers if ruler.height == high), default=0)
    top = max((ruler.height for ruler in made.rulers if ruler.width == wide), default=0)
    rects = np.array([(lb.x, lb.y, lb.x + lb.width, lb.y + lb.size) for lb in made.labels]).reshape(-1, 4)
    for label, rect in zip(made.labels, rects, strict=True):
        assert label.text.strip(), "a label is empty"
        assert 0 <= rect[0] < rect[2] <= wide, label
        assert 0 <= rect[1] < rect[3] <= high, label
        if label.ruler:
            assert rect[3] <= top or rect[2] <= left, label
        elif label.role is not Role.LOGITS or label.of or label.to:
            shown = data[(data[:, 2] > left) & (data[:, 3] > top)]
            over = (shown[:, 0] < rect[2]) & (shown[:, 2] > rect[0]) & (shown[:, 1] < rect[3]) & (shown[:, 3] > rect[1])
            assert not over.any(), f"{label} covers data"
    for (a, first), (b, second) in itertools.combinations(zip(made.labels, rects, strict=True), 2):
        apart = first[2] <= second[0] or second[2] <= first[0] or first[3] <= second[1] or second[3] <= first[1]
        assert apart, f"{a} and {b} overlap"


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("config", [STORIES, GPT2_SIZES["gpt2"]], ids=["stories", "gpt2"])
def test_labels_cover_neither_data_nor_each_other(config: ModelConfig, size: tuple[int, int]) -> None:
    known = registry(config, 64)
    known.rows = 23
    layout = map_layout(known, 64, tables=False)
    rng = np.random.default_rng(0)
    names = list(layout.placements)
    for zoom in ZOOMS:
        written = 0
        for name in (*(names[rng.integers(len(names))] for _ in range(4)), known.description.head.output):
            placement = layout.placements[name]
            camera = MapCamera(layout.width, layout.height)
            middle = placement.x + rng.random() * placement.width, placement.y + rng.random() * placement.height
            camera.look_at(zoom, *middle, *size)
            view = camera.view(*size)
            made = labels_for(known, layout, view, *size, WORDS)
            written += len(made.labels)
            checked(made, boxes(layout, view, known.description.head.output), *size)
        assert written or size[0] < 640, zoom


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("theme_name", CANVASES)
def test_the_colors_of_roles_can_be_read(role: Role, theme_name: str) -> None:
    assert contrast(role_color(role, theme_name), CANVASES[theme_name].ground) >= 4.5
    assert contrast(role_ink(role, theme_name), CANVASES[theme_name].ground) >= 9


@pytest.mark.parametrize("theme_name", CANVASES)
def test_names_can_be_read(theme_name: str) -> None:
    colors = theme.THEMES[theme_name]
    for ink in (colors.text, colors.accent):
        assert contrast((ink.x, ink.y, ink.z), CANVASES[theme_name].ground) >= 4.5
