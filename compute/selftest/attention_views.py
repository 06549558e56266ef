"""Checks of the attention views against their NumPy model: tiles and statistics of all heads, matrices of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import wgpu

from compute.forward.engine import Engine
from compute.forward.pass_tensors import PassTensors
from compute.gpu.wgpu_native import poll
from compute.views.attention_colors import ATTENTION_COLORS
from compute.views.attention_head import MASKED, SCORES, WEIGHTS, AttentionHead, HeadLine, MatrixPicture
from compute.views.attention_wall import AttentionWall, HeadStatistics, WallPicture, pool_for

from . import attention_model
from .check import COLOR, PASS, Check, Errors
from .gpu import read_tensor, run_pass
from .models import shape_of, some_tokens

T = TypeVar("T")


def all_scores(engine: Engine) -> np.ndarray:
    """Scores of every head of the engine's latest pass in float64, [heads, query, key], from queries and keys read."""
    found = []
    for layer in engine.description.attention:
        acts = {name: read_tensor(engine, name).astype(np.float64) for name in layer.inputs}
        found.append(attention_model.scores(layer, acts))
    return np.concatenate(found)


def all_weights(engine: Engine) -> np.ndarray:
    """The attention weights of every head in float64, [heads, query, key]."""
    scores, found, first = all_scores(engine), [], 0
    for layer in engine.description.attention:
        found.append(attention_model.weights(scores[first : first + layer.heads], layer.window))
        first += layer.heads
    return np.concatenate(found)


def read_picture(engine: PassTensors, texture: wgpu.GPUTexture) -> np.ndarray:
    """uint8 [height, width, 4]. Blocks."""
    width, height = texture.size[:2]
    layout = {"bytes_per_row": 4 * width, "rows_per_image": height}
    data = engine.device.queue.read_texture({"texture": texture}, layout, (width, height, 1))
    return np.frombuffer(data, np.uint8).reshape(height, width, 4)


def finish(wall: AttentionWall) -> int:
    """Update until the tiles contain the latest pass; returns the number of updates."""
    count = 0
    while wall.update():
        count += 1
    return count


def read_statistics(engine: PassTensors, wall: AttentionWall) -> HeadStatistics:
    """The statistics of the rows computed so far. Blocks."""
    assert wall.request_statistics()
    return _arrived(engine, wall.take_statistics)


def read_line(engine: PassTensors, head: AttentionHead, query: int, key: int) -> HeadLine:
    """A query's row and a key's column. Blocks."""
    assert head.request_line(query, key)
    return _arrived(engine, head.take_line)


def _arrived(engine: PassTensors, take: Callable[[], T | None]) -> T:
    while (found := take()) is None:
        poll(engine.device, wait=True)
    return found


def _grow(engine: Engine, tokens: list[int], before: int) -> None:
    """Run a pass over `tokens`; it only adds a row if it follows one over `before` tokens, all but the last."""
    grown = len(tokens) == before + 1 > 1
    run_pass(engine, tokens, valid_rows=before if grown else 0, follows=grown)


def walls(engine: Engine, lengths: tuple[int, ...]) -> Iterator[Check]:
    """Tiles and statistics while a text grows to each of `lengths`, then for a text that starts again."""
    errors, numbers, tokens = Errors(), Errors(), some_tokens(engine.config, max(lengths))
    wall, colors, before = AttentionWall(engine), ATTENTION_COLORS["dark"], 0
    for rows in (*lengths, -(-lengths[-1] // 2)):
        _grow(engine, tokens[:rows], before)
        finish(wall)
        before = rows
        pattern = all_weights(engine)
        blocks = attention_model.tiles(pattern, pool_for(rows))
        order = (*reversed(range(1, wall.heads)), None, 0)[: wall.heads]
        what, columns = f"{rows} rows", max(1, wall.heads // 2)
        for side in (max(1, 2 * wall.cells // 3), wall.cells + 2):
            width, height = columns * (side + 2), -(-wall.heads // columns) * (side + 3)
            picture = WallPicture(width, height, columns, side + 2, side + 3, side, order)
            painted = read_picture(engine, wall.paint(picture, colors))
            errors.colors(painted, attention_model.wall(blocks, picture, colors), f"{what}, tiles of {side}")
        found, expected = read_statistics(engine, wall), attention_model.statistics(pattern, tokens[:rows])
        numbers.same(found.repeats, expected.repeats, f"{what}: repeated tokens")
        numbers.close(found.means, expected.means, what)
    shapes = f"{shape_of(engine.config)}, {lengths} rows"
    yield errors.check("attention/wall", shapes, COLOR, numbers=False)
    yield numbers.check("attention/rows and attention/totals", shapes, PASS)


def heads(engine: Engine, lengths: tuple[int, ...]) -> Check:
    """Scores and weights of single heads while a text grows to each of `lengths`."""
    errors, tokens = Errors(), some_tokens(engine.config, max(lengths))
    view, before = AttentionHead(engine), 0
    for rows in lengths:
        _grow(engine, tokens[:rows], before)
        before = rows
        expected = all_scores(engine)
        start = 0
        for layer, attention in enumerate(view.layers):
            head = (layer + rows) % attention.heads
            # The last layer stays selected, so that its matrices grow with the text.
            view.select(layer, head if layer + 1 < len(view.layers) else 0)
            view.update()
            scores = expected[start + view.head]
            query, key = rows - 1, rows // 3
            line, weights = (
                read_line(engine, view, query, key),
                attention_model.weights(scores[None], attention.window)[0],
            )
            what = f"{rows} rows, layer {layer}"
            errors.close(line.query_scores, scores[query], f"{what}: scores of a query")
            errors.close(line.key_scores, scores[:, key], f"{what}: scores of a key")
            errors.close(line.query_weights, weights[query], f"{what}: weights of a query")
            errors.close(line.key_weights, weights[:, key], f"{what}: weights of a key")
            peaks = [np.abs(scores).max(), np.abs(scores[np.tri(rows, dtype=bool)]).max()]
            errors.close(line.peaks, peaks, f"{what}: peaks")
            start += attention.heads
    return errors.check("attention/scores and attention/weights", f"{shape_of(engine.config)}, {lengths} rows", PASS)


def pictures(engine: Engine, rows: int) -> Check:
    """Pictures of the three matrices of a head: small, as large as their elements, and enlarged."""
    errors = Errors()
    run_pass(engine, some_tokens(engine.config, rows))
    view, colors = AttentionHead(engine), ATTENTION_COLORS["light"]
    view.update()
    scores = all_scores(engine)[0]
    for step in (SCORES, MASKED, WEIGHTS):
        for picture in (
            MatrixPicture(step, max(1, rows // 2), 0.0, 0.0, 0.5),
            MatrixPicture(step, rows + 3, 0.0, 0.0, 1.0),
            MatrixPicture(step, 40, 1.5, 2.25, 8.0),
            MatrixPicture(step, 24, -1.0, -2.0, 4.0),
        ):
            expected = attention_model.matrix(scores, picture, colors)
            errors.colors(read_picture(engine, view.paint([picture], colors)[step]), expected, str(picture))
    return errors.check("attention/matrix", f"{shape_of(engine.config)}, {rows} rows", COLOR, numbers=False)


def checks(engine: Engine) -> Iterator[Check]:
    """The checks of the attention views of one engine."""
    longest = engine.context
    lengths = tuple(sorted({max(1, min(rows, longest)) for rows in (1, 2, 3, 64, 65, longest - 1, longest)}))
    yield from walls(engine, lengths)
    yield heads(engine, lengths)
    yield pictures(engine, min(20, longest))
