"""Pictures and numbers of the Attention view of a difference against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.models.config import ModelConfig
from compute.selftest import attention_model
from compute.selftest.attention_views import all_scores, finish, read_line, read_picture, read_statistics
from compute.selftest.gpu import run_pass
from compute.selftest.models import loud_model, some_tokens
from compute.views.attention_colors import ATTENTION_COLORS
from compute.views.attention_difference import DifferenceViews
from compute.views.attention_head import MASKED, SCORES, WEIGHTS, MatrixPicture
from compute.views.attention_wall import WallPicture, pool_for
from compute.views.difference import DifferencePass

from helpers.make_models import ODD_SHAPES

pytestmark = pytest.mark.gpu
COLORS = ATTENTION_COLORS["dark"]


def _views(config: ModelConfig, rows: int, *, relative: bool) -> tuple[DifferenceViews, np.ndarray, np.ndarray]:
    """The views of a difference with all pictures computed, and the scores of both passes, [heads, rows, rows]."""
    a = Engine.load(loud_model(config), LoadOptions(program="rows", measured=False))
    b = a.twin()
    tokens = some_tokens(config, rows + 1)
    run_pass(a, tokens[:rows])
    run_pass(b, tokens[1:])
    difference = DifferencePass(a, b)
    difference.run(relative=relative)
    views = DifferenceViews(difference.subtraction)
    finish(views.wall)
    return views, all_scores(a), all_scores(b)


def _difference(one: np.ndarray, other: np.ndarray, relative: bool) -> np.ndarray:
    largest = np.maximum(np.maximum(np.abs(one), np.abs(other)), 1.2e-38)
    return np.asarray(one / largest - other / largest if relative else one - other)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("config", [ODD_SHAPES[0], ODD_SHAPES[2], ODD_SHAPES[3]], ids=str)
def test_tiles_are_differences(config: ModelConfig, relative: bool) -> None:
    rows = config.positions - 1
    views, ours, theirs = _views(config, rows, relative=relative)
    wall = views.wall
    one, other = (attention_model.tiles(attention_model.weights(scores), pool_for(rows)) for scores in (ours, theirs))
    apart = _difference(one, other, relative)
    side = wall.cells
    picture = WallPicture(wall.heads * side, side, wall.heads, side, side, side, tuple(range(wall.heads)))
    painted = read_picture(wall._engine, wall.paint(picture, COLORS))
    for head in range(wall.heads):
        for row in range(side):
            for key in range(row + 1):
                expected = np.array(COLORS.difference(float(apart[head, row, key]), 1.0)) * 255
                found = painted[row, head * side + key, :3].astype(float)
                # Small weights have a steep scale, so that rounding shows.
                assert np.abs(found - expected).max() <= 3, (head, row, key)


def test_statistics_and_lines_are_differences() -> None:
    config = ODD_SHAPES[2]
    views, ours, theirs = _views(config, 9, relative=False)
    tokens = some_tokens(config, 10)
    found = read_statistics(views.wall._engine, views.wall)
    a, b = (
        attention_model.statistics(attention_model.weights(scores), text)
        for scores, text in ((ours, tokens[:9]), (theirs, tokens[1:]))
    )
    np.testing.assert_allclose(found.means, a.means - b.means, atol=2e-4)
    assert views.head is not None
    views.head.select(0, 1)
    views.head.update()
    assert views.head.complete
    line = read_line(views.wall._engine, views.head, 8, 2)
    np.testing.assert_allclose(line.query_scores, ours[1, 8] - theirs[1, 8], atol=2e-3)
    weights = [attention_model.weights(scores[None])[0] for scores in (ours[1], theirs[1])]
    np.testing.assert_allclose(line.query_weights, weights[0][8] - weights[1][8], atol=2e-4)


@pytest.mark.parametrize("step", [SCORES, MASKED, WEIGHTS])
def test_matrices_are_differences(step: int) -> None:
    config = ODD_SHAPES[2]
    views, ours, theirs = _views(config, 9, relative=False)
    assert views.head is not None
    views.head.update()
    picture = MatrixPicture(step, 9, 0.0, 0.0, 1.0)
    painted = read_picture(views.wall._engine, views.head.paint([picture], COLORS)[step])
    shown = np.tri(9, dtype=bool)
    if step == WEIGHTS:
        apart = attention_model.weights(ours[:1])[0] - attention_model.weights(theirs[:1])[0]
        most = 1.0
    else:
        apart = ours[0] - theirs[0]
        most = max(float(np.abs(s[0] if step == SCORES else s[0][shown]).max()) for s in (ours, theirs))
    for row in range(9):
        for key in range(9 if step == SCORES else row + 1):
            expected = np.array(COLORS.difference(float(apart[row, key]), most)) * 255
            assert np.abs(painted[row, key, :3].astype(float) - expected).max() <= 3, (row, key)
