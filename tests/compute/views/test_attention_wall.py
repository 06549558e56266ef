"""Attention of all heads and of one head: values and pictures over odd shapes, in slices, and as a text grows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch
from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.selftest import attention_model
from compute.selftest.attention_views import (
    all_scores,
    checks,
    finish,
    read_line,
    read_picture,
    read_statistics,
)
from compute.selftest.gpu import run_pass
from compute.selftest.models import loud_model, some_tokens
from compute.views.attention_colors import ATTENTION_COLORS
from compute.views.attention_head import SCORES, WEIGHTS, AttentionHead, AttentionViews, MatrixPicture
from compute.views.attention_wall import TILE, AttentionWall, WallPicture, pool_for
from compute.weights.checkpoint import ArrayModel

from helpers.architectures import architecture, without_attention
from helpers.gpu import assert_ok
from helpers.make_models import ODD_SHAPES
from helpers.map_pictures import CONFIG

pytestmark = pytest.mark.gpu
COLORS = ATTENTION_COLORS["dark"]


def engine_of(positions: int = 150) -> Engine:
    config = dataclasses.replace(CONFIG, positions=positions)
    return Engine.load(loud_model(config), LoadOptions(context=positions, program="rows"))


def picture_of(wall: AttentionWall) -> np.ndarray:
    """All tiles with a pixel per cell."""
    picture = WallPicture(wall.heads * TILE, TILE, wall.heads, TILE, TILE, wall.cells, tuple(range(wall.heads)))
    return read_picture(wall._engine, wall.paint(picture, COLORS))


@pytest.mark.parametrize("config", ODD_SHAPES, ids=str)
def test_values_and_pictures_equal_the_model(config: ModelConfig) -> None:
    engine = Engine.load(loud_model(config), LoadOptions(context=config.positions, program="rows"))
    found = list(checks(engine))
    assert len(found) == 4
    for check in found:
        assert_ok(check)


def test_slices_give_the_same_as_one_update() -> None:
    engine = engine_of()
    run_pass(engine, some_tokens(engine.config, 150))
    whole, sliced = AttentionWall(engine, most=10**9), AttentionWall(engine, most=20_000)
    assert finish(whole) == 1
    assert finish(sliced) > 5
    assert sliced.complete
    assert sliced.rows_ready == sliced.rows == 150
    np.testing.assert_array_equal(picture_of(sliced), picture_of(whole))
    np.testing.assert_array_equal(read_statistics(engine, sliced).means, read_statistics(engine, whole).means)


def test_a_pass_that_changes_every_row_in_the_middle_of_the_slices_is_shown_in_full() -> None:
    engine = engine_of()
    wall = AttentionWall(engine, most=20_000)
    run_pass(engine, some_tokens(engine.config, 150))
    for _ in range(4):
        wall.update()
    ready = wall.rows_ready
    assert 0 < ready < 150
    run_pass(engine, some_tokens(engine.config, 150, seed=1))
    assert not wall.complete
    finish(wall)
    whole = AttentionWall(engine)
    finish(whole)
    np.testing.assert_array_equal(picture_of(wall), picture_of(whole))


def test_a_new_token_computes_only_its_own_row(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of()
    ran: list[tuple[str, tuple[int, int, int]]] = []
    tokens = some_tokens(engine.config, 131)
    run_pass(engine, tokens[:130])
    views = AttentionViews(engine)
    assert views.head is not None
    finish(views.wall)
    views.head.update()
    run_pass(engine, tokens, valid_rows=130, follows=True)
    original = ComputeEncoder.run

    def listening(encoder: ComputeEncoder, dispatches: Sequence[Dispatch]) -> None:
        ran.extend((dispatch.label, dispatch.groups) for dispatch in dispatches)
        original(encoder, dispatches)

    monkeypatch.setattr(ComputeEncoder, "run", listening)
    assert views.wall.update()
    assert ran == [(layer.pattern, (layer.heads, 1, 1)) for layer in views.wall.layers]
    ran.clear()
    assert views.head.update()
    pattern = views.head.layers[0].pattern
    assert ran == [(pattern, (1, 130, 1)), (pattern, (3, 1, 1)), ("attention/weights", (1, 1, 1))]
    ran.clear()
    assert not views.wall.update()
    assert not views.head.update()
    assert ran == []


def test_a_shorter_text_leaves_nothing_behind() -> None:
    engine = engine_of()
    views = AttentionViews(engine)
    assert views.head is not None
    for rows in (150, 3):
        run_pass(engine, some_tokens(engine.config, rows))
        finish(views.wall)
        views.head.update()
    assert views.wall.cells == 3
    line = read_line(engine, views.head, query=149, key=149)
    assert (line.query, line.key, len(line.query_weights)) == (2, 2, 3)
    scores = all_scores(engine)[0]
    assert line.peaks[0] == pytest.approx(np.abs(scores).max(), rel=1e-5), "the largest score of the longer text"


def test_one_head_in_slices_gives_the_same_as_in_one_update() -> None:
    engine = engine_of()
    tokens = some_tokens(engine.config, 131)
    run_pass(engine, tokens[:130])
    whole, sliced = AttentionHead(engine), AttentionHead(engine, most=20_000)
    for rows in (130, 131):  # the second time in the middle of the slices
        if rows == 131:
            run_pass(engine, tokens, valid_rows=130, follows=True)
        whole.update()
        for _ in range(5):
            assert sliced.update()
        assert 0 < sliced.ready < rows
        assert not sliced.known
    while sliced.update():
        pass
    assert sliced.complete
    assert sliced.known
    for step in (SCORES, WEIGHTS):
        picture = MatrixPicture(step, 131, 0.0, 0.0, 1.0)
        one, other = (read_picture(engine, head.paint([picture], COLORS)[step]) for head in (sliced, whole))
        np.testing.assert_array_equal(one, other)
    assert read_line(engine, sliced, 130, 0).peaks == read_line(engine, whole, 130, 0).peaks
    sliced.select(1, 1)
    sliced.update()
    texture = sliced.paint([MatrixPicture(SCORES, 131, 0.0, 0.0, 1.0)], COLORS)[SCORES]
    later = np.rint(255 * np.array(COLORS.later))
    np.testing.assert_array_equal(read_picture(engine, texture)[130, :, :3], np.tile(later, (131, 1)))


def test_another_head_is_computed_when_it_is_selected() -> None:
    engine = engine_of(20)
    run_pass(engine, some_tokens(engine.config, 20))
    head, expected = AttentionHead(engine), attention_model.weights(all_scores(engine))
    for layer, number in ((0, 0), (1, 2), (0, 1)):
        head.select(layer, number)
        assert not head.known
        assert head.update()
        line = read_line(engine, head, 11, 4)
        assert (line.layer, line.head) == (layer, number)
        np.testing.assert_allclose(line.query_weights, expected[3 * layer + number, 11], atol=1e-5)
        np.testing.assert_allclose(line.key_weights, expected[3 * layer + number, :, 4], atol=1e-5)


def test_nan_is_shown_in_its_own_color() -> None:
    model = loud_model(CONFIG)
    arrays = {name: model.tensor(name).copy() for name in parameter_shapes(CONFIG)}
    arrays["h.0.attn.c_attn.bias"][0] = np.nan
    broken = ArrayModel("broken", CONFIG, arrays)
    engine = Engine.load(broken, LoadOptions(context=CONFIG.positions, program="rows"))
    run_pass(engine, some_tokens(engine.config, 5))
    wall, head = AttentionWall(engine), AttentionHead(engine)
    finish(wall)
    head.update()
    red = [round(255 * part) for part in COLORS.broken]
    assert picture_of(wall)[4, 4, :3].tolist() == red
    texture = head.paint([MatrixPicture(WEIGHTS, 5, 0.0, 0.0, 1.0)], COLORS)[WEIGHTS]
    assert read_picture(engine, texture)[4, 4, :3].tolist() == red


def test_a_model_without_attention_has_nothing_to_compute() -> None:
    with architecture("no-attention", without_attention):
        config = dataclasses.replace(CONFIG, architecture="no-attention")
        engine = Engine.load(loud_model(config), LoadOptions(context=9, program="rows"))
        run_pass(engine, some_tokens(config, 5))
        views = AttentionViews(engine)
        assert views.head is None
        assert views.wall.complete
        assert not views.wall.update()
        assert not views.wall.request_statistics()


@pytest.mark.parametrize(("rows", "pool"), [(0, 1), (1, 1), (64, 1), (65, 2), (128, 2), (129, 4), (1024, 16)])
def test_as_many_tokens_share_a_cell_as_needed(rows: int, pool: int) -> None:
    assert pool_for(rows) == pool
    assert -(-rows // pool) <= TILE
