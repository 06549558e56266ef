"""Pictures of Map, compared with its NumPy model: every pixel, at random positions and zooms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from atlas_viewer.scene.glyphs import digit_glyphs
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.whole_pass import WholePass
from compute.models.architectures import parameter_shapes
from compute.models.registry import Registry
from compute.selftest.map import HEIGHT, WIDTH, pictures, views, written
from compute.selftest.map_model import GROUND, Plane
from compute.views import map_pass
from compute.views.map_layout import map_layout
from compute.views.map_pass import MapPass
from compute.views.map_view import MapView, level_of
from compute.views.palettes import PALETTES, ColorMapping, ViewColors, contrast
from compute.weights.checkpoint import ArrayModel

from helpers.gpu import Gpu, fixed_logits, replay_of, rounded_model
from helpers.make_models import tiny_model
from helpers.map_pictures import CONFIG, assert_same
from helpers.patience import wait_until

pytestmark = pytest.mark.gpu

CONTEXT = 9
DIGITS = digit_glyphs()


def corrupted_model() -> ArrayModel:
    model = tiny_model(CONFIG)
    arrays = {name: np.array(model.tensor(name), np.float32) for name in parameter_shapes(CONFIG)}
    arrays["h.1.mlp.c_fc.weight"][100, 33] = np.nan
    arrays["h.0.attn.c_proj.bias"][7] = np.nan
    arrays["wte"][3, 5] = -0.0
    return ArrayModel("corrupted", CONFIG, arrays)


@pytest.fixture(scope="module", params=[(2, "texture", "f32"), (4, "buffer", "bf16"), (8, "texture", "bf16")], ids=str)
def made(request: pytest.FixtureRequest) -> tuple[Engine, MapPass, Plane]:
    base, layout, dtype = request.param
    source = tiny_model(CONFIG)
    engine = Engine.load(source, LoadOptions(context=12, weights=dtype, layout=layout, program="rows"))
    WholePass(engine).run(range(7))
    passes = MapPass.load(engine, DIGITS, map_layout(engine.registry, CONTEXT, base=base))
    passes.update()
    return engine, passes, Plane(engine, rounded_model(source, dtype), passes.layout)


def test_every_pixel_shows_the_most_extreme_cell_under_it(made: tuple[Engine, MapPass, Plane]) -> None:
    _, passes, plane = made
    levels = set()
    for view in views(passes, 40):
        levels.add(level_of(view.scale, passes.layout.base, 4))
        assert_same(*pictures(passes, plane, view))
    assert {None, 0, 1} <= levels


def test_loading_in_many_steps_gives_the_same_pictures(stories: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = MapPass.load(stories, DIGITS, map_layout(stories.registry, 64))
    passes.update()
    layout = passes.layout
    placement = layout.placements["wte"]
    visible = [MapView(placement.x, y, layout.base) for y in range(placement.y, placement.y + placement.height, 1000)]
    wanted = [(passes.draw(view, 120, 500), passes.read())[1] for view in visible]
    del passes
    monkeypatch.setattr(map_pass, "_SLICE", {"texture": 1 << 19, "buffer": 1 << 19})
    opening, progress = MapPass.loading(stories, DIGITS, layout), []
    while True:
        try:
            progress.append(next(opening))
        except StopIteration as end:
            passes = end.value
            break
    assert len([what for what, _ in progress if what == "weights"]) > 30, "large weights must be split"
    passes.update()
    for view, picture in zip(visible, wanted, strict=True):
        passes.draw(view, 120, 500)
        np.testing.assert_array_equal(passes.read(), picture)


def test_new_rows_appear_in_their_cells() -> None:
    source = tiny_model(CONFIG)
    engine = Engine.load(source, LoadOptions(context=12, program="rows"))
    passes = MapPass.load(engine, DIGITS, map_layout(engine.registry, 12, base=2))
    passes.update()
    visible = list(views(passes, 12))
    for tokens, cached in (([1, 2, 3], 0), ([1, 2, 3, 4], 3), ([1, 2, 3, 4, 5], 4), ([9, 8], 0), ([9, 8, 7], 2)):
        assert cached <= engine.cached_prefix(tokens)
        replay_of(engine, tokens, cached=cached).go(0)
        passes.update()
        plane = Plane(engine, source, passes.layout)
        for view in visible:
            assert_same(*pictures(passes, plane, view))


@pytest.mark.parametrize("scale", ["tensor", "all"])
def test_a_picture_that_is_painted_again_is_the_same_as_a_new_one(stories: Engine, scale: str) -> None:
    layout = map_layout(stories.registry, 32)
    kept, fresh = (MapPass.load(stories, DIGITS, layout) for _ in range(2))
    activation = layout.placements["h.2.mlp.gelu"]
    width, height = 301, 203
    visible = [
        MapView(-50.5, -31, layout.width / 280),
        MapView(activation.x - 99, activation.y - 333, layout.base * 1.7),
    ]
    for passes in (kept, fresh):
        passes.set_color_mapping(ColorMapping(span_scale=scale))
    for view in visible:
        replay_of(stories, [1, 2, 3], cached=0).go(0)
        kept.update()
        before = (kept.draw(view, width, height), kept.read())[1]
        # Twice: the tiles are chosen by the first repetition, and known to the second.
        for tokens in ([1, 2, 3, 4], [1, 2, 3, 4, 5], [9, 8]):
            replay_of(stories, tokens, cached=0).go(0)
            kept.update()
            fresh.update()
            kept.draw(view, width, height)
            fresh.draw(MapView(0, 0, 100), width, height)
            fresh.draw(view, width, height)
            np.testing.assert_array_equal(kept.read(), fresh.read())
            assert (kept.read() != before).any(), "the pass must be visible"


@pytest.mark.parametrize("vocabulary", [1, 5, 26, 131])
@pytest.mark.parametrize("bad", [False, True])
def test_logits_are_shown_relative_to_their_mean(vocabulary: int, bad: bool) -> None:
    """Odd sizes of the vocabulary, with padding, and tokens whose logits are not finite."""
    config = replace(CONFIG, vocabulary=vocabulary, padded_vocabulary=vocabulary + 3)
    source = fixed_logits(config, np.random.default_rng(vocabulary).normal(-40, 5, vocabulary).astype(np.float32))
    if bad:
        source.tensor("wte")[[vocabulary // 2, vocabulary // 3], :] = [[np.nan], [np.inf]]
    engine = Engine.load(source, LoadOptions(context=12, program="rows"))
    passes = MapPass.load(engine, DIGITS, map_layout(engine.registry, 12, base=2))
    WholePass(engine).run([vocabulary - 1])
    passes.update()
    plane = Plane(engine, source, passes.layout)
    placement = passes.layout.placements["logits"]
    assert placement.columns == vocabulary, "the padding is not shown"
    for scale in (1 / 20, 0.7, 1.0, 2.0, 5.0, 9.0):
        view = MapView(placement.x - 3.3 * min(scale, 1), placement.y - 3.1 * min(scale, 1), scale)
        assert_same(*pictures(passes, plane, view))
    if vocabulary > 5 and not bad:
        # A pixel per cell, of all whole lines.
        size = placement.band_columns, vocabulary // placement.band_columns
        passes.draw(MapView(placement.x, placement.y, placement.cell_width), *size)
        image = passes.read()
        positive = image[..., 0] > image[..., 2]
        assert 0.3 < positive.mean() < 0.7, "all logits are negative, but not relative to their mean"


def test_the_mean_of_the_logits_arrives_once_after_each_update() -> None:
    logits = np.linspace(-60, -20, CONFIG.vocabulary, dtype=np.float32)
    engine = Engine.load(fixed_logits(CONFIG, logits), LoadOptions(context=12, program="rows"))
    passes = MapPass.load(engine, DIGITS, map_layout(engine.registry, 12))
    for tokens in ([1, 2], [1, 2, 3]):
        WholePass(engine).run(tokens)
        passes.update()
        found: list[tuple[float, float]] = []

        def arrived(found: list[tuple[float, float]] = found) -> bool:
            taken = passes.take_center()
            found += [taken] if taken is not None else []
            return not passes.center_pending

        wait_until(arrived, "the mean arrives")
        assert found[-1] == pytest.approx((-40, 20), rel=1e-5)
        assert passes.take_center() is None


@pytest.mark.parametrize("budget", [1, 1 << 30])
def test_a_pass_that_follows_another_adds_rows_and_columns(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cached token after the other: patterns get a row, and a column in every earlier row."""
    monkeypatch.setattr("compute.views.patterns._BUDGET", budget)
    source = tiny_model(CONFIG)
    engine = Engine.load(source, LoadOptions(context=40, program="rows"))
    passes = MapPass.load(engine, DIGITS, map_layout(engine.registry, 40, base=2))
    replay = replay_of(engine, [1, 2, 3, 4, 5, 6, 7], range(8, 26))
    placement = passes.layout.placements["h.1.attn.pattern"]
    replay.go(0)
    epoch = engine.epoch
    for step in range(19):
        replay.go(step)
        assert engine.epoch == epoch
        if step not in (0, 1, 2, 9, 10, 18):
            continue
        passes.update()
        plane = Plane(engine, source, passes.layout)
        for scale in (2.0, 4.5, 8.0):
            assert_same(*pictures(passes, plane, MapView(placement.x, placement.y, scale)))


def test_a_nan_is_red_at_every_zoom() -> None:
    engine = Engine.load(corrupted_model(), LoadOptions(context=12, program="rows"))
    passes = MapPass.load(engine, DIGITS, map_layout(engine.registry, 12))
    passes.update()
    layout = passes.layout
    for width, height in ((WIDTH, HEIGHT), (7, 4), (1, 1)):
        scale = max(layout.width / width, layout.height / height)
        passes.draw(MapView(0, 0, scale), width, height)
        image = passes.read()
        red = (image[..., 0] > 200) & (image[..., 1] < 90)
        for name, row, column in (("h.1.mlp.c_fc.weight", 100, 33), ("h.0.attn.c_proj.bias", 0, 7)):
            x, y = layout.cell_of(name, row, column)
            near = red[max(int(y / scale) - 1, 0) : int(y / scale) + 2, max(int(x / scale) - 1, 0) : int(x / scale) + 2]
            assert near.any(), name


def test_one_range_for_all_tensors_and_a_fixed_range() -> None:
    source = tiny_model(CONFIG)
    engine = Engine.load(source, LoadOptions(context=12, program="rows"))
    WholePass(engine).run([1, 2, 3])
    passes = MapPass.load(engine, DIGITS, map_layout(engine.registry, 12, base=2))
    passes.update()
    plane = Plane(engine, source, passes.layout)
    for mapping, high in ((ColorMapping(span_scale="all"), plane.peaks.max()), (ColorMapping(high=0.5), 0.5)):
        passes.set_color_mapping(mapping)
        plane.peaks[:] = high
        for view in views(passes, 6):
            assert_same(*pictures(passes, plane, view))


@pytest.mark.parametrize("cell", [60, 95, 120])
@pytest.mark.parametrize("name", ["h.0.attn.qkv", "h.1.mlp.c_fc.weight", "h.0.attn.pattern", "logits", "wpe"])
def test_digits_show_the_value(made: tuple[Engine, MapPass, Plane], name: str, cell: int) -> None:
    _, passes, plane = made
    texts = list(written(passes, plane, name, cell, DIGITS))
    assert len(texts) >= 3
    for text, wanted in texts:
        assert text == wanted


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("one_sign", [False, True])
def test_digits_are_legible_on_every_color(palette: str, one_sign: bool) -> None:
    """The whole range of each palette, from the brightest color of negative values to that of positive ones."""
    source = tiny_model(CONFIG)
    arrays = {name: np.array(source.tensor(name), np.float32) for name in parameter_shapes(CONFIG)}
    name, size = "h.1.mlp.c_fc.weight", 12
    rows = np.linspace(-1, 1, size * size, dtype=np.float32).reshape(size, size)
    arrays[name][:size, :size] = rows
    arrays[name][size:], arrays[name][:, size:] = 0, 0
    arrays[name][0, 1] = np.nan
    engine = Engine.load(ArrayModel("ramp", CONFIG, arrays), LoadOptions(context=12, program="rows"))
    passes = MapPass.load(engine, DIGITS, map_layout(engine.registry, 12))
    passes.set_color_mapping(
        ViewColors(palette=palette, curve="linear", one_signed=((name, -1.0, 1.0),) if one_sign else ())
    )
    placement, cell = passes.layout.placements[name], 80
    passes.draw(MapView(placement.x, placement.y, 1 / cell), size * cell, size * cell)
    cells = passes.read()[..., :3].reshape(size, cell, size, cell, 3).swapaxes(1, 2) / 255
    for cell_pixels in cells.reshape(-1, cell, cell, 3):
        back = tuple(cell_pixels[3, 3])
        pixels = np.unique(cell_pixels[1:, 1:].reshape(-1, 3), axis=0)
        assert max(contrast(back, tuple(pixel)) for pixel in pixels) >= 4.5, back


def test_large_cells_have_borders(made: tuple[Engine, MapPass, Plane]) -> None:
    _, passes, _ = made
    placement = passes.layout.placements["h.0.mlp.c_fc.weight"]
    passes.draw(MapView(placement.x - 1, placement.y - 1, 1 / 20), 100, 100)
    image = passes.read()[..., :3].astype(int)
    assert (image[:20, :20] == GROUND).all()  # a gap
    cells = image[20:, 20:].reshape(4, 20, 4, 20, 3)
    assert (cells[:, 0] == GROUND).all()
    assert (cells[:, :, :, 0] == GROUND).all()
    inner = cells[:, 1:, :, 1:]
    assert (inner == inner[:, :1, :, :1]).all()
    passes.draw(MapView(placement.x - 1, placement.y - 1, 1 / 4), 100, 100)
    fine = passes.read()[4:100:4, 4:100:4, :3]
    np.testing.assert_array_equal(fine[:4, :4], inner[:, 0, :, 0])


def test_a_matrix_with_several_shards(gpu: Gpu) -> None:
    source = tiny_model(CONFIG)
    engine = Engine.load(source, LoadOptions(context=12, layout="buffer", program="rows"))
    storage, _ = gpu.weight(np.asarray(source.tensor("wte")), "buffer", "f32", shards=(10, 20))
    split = Registry(engine.description)
    for tensor in engine.registry:
        split.add(replace(tensor, storage=storage) if tensor.name == "wte" else tensor)
    engine.registry = split
    WholePass(engine).run([1, 2, 3])
    passes = MapPass.load(engine, DIGITS, map_layout(split, 12, base=2))
    passes.update()
    plane = Plane(engine, source, passes.layout)
    placement = passes.layout.placements["wte"]
    assert 10 % placement.band_rows == 0
    for scale in (0.2, 0.7, 1.7, 2.5, 5.0, 9.0):
        assert_same(*pictures(passes, plane, MapView(placement.x - 3.3, placement.y - 3.1, scale)))
