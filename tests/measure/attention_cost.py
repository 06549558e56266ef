"""Measures what the Attention view computes and paints when a token is added, and when every row is new.

Usage: `PYTHONPATH=tests python -m measure.attention_cost [--model NAME] [--context N] [--rounds N]`. Prints the
shortest time of each part in milliseconds: until the GPU has finished, and of that the time on the host. Nothing else
should run meanwhile.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.gpu.wgpu_native import poll
from compute.selftest.gpu import run_pass
from compute.selftest.models import some_tokens
from compute.views.attention_colors import ATTENTION_COLORS
from compute.views.attention_head import WEIGHTS, AttentionHead, AttentionViews, MatrixPicture
from compute.views.attention_wall import AttentionWall, WallPicture
from compute.weights.checkpoint import open_model

COLORS = ATTENTION_COLORS["dark"]
SIDE, SMALL, TILE = 343, 117, 41  # pixels, as in a window of 1280 x 720


class Parts:
    """The shortest time of each part, (total, host) in milliseconds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.shortest: dict[str, tuple[float, float]] = {}

    def measure(self, name: str, work: Callable[[], object]) -> None:
        """Run `work` on an idle GPU, and wait until it has finished."""
        poll(self._engine.device, wait=True)
        began = time.perf_counter()
        work()
        submitted = time.perf_counter()
        poll(self._engine.device, wait=True)
        found = (1e3 * (time.perf_counter() - began), 1e3 * (submitted - began))
        self.shortest[name] = min(self.shortest.get(name, found), found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="stories")
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    rows, rounds = arguments.context, min(arguments.rounds, arguments.context - 1)
    engine = Engine.load(open_model(arguments.model), LoadOptions(context=rows))
    tokens, parts = some_tokens(engine.config, rows), Parts(engine)
    views = AttentionViews(engine)
    assert views.head is not None
    run_pass(engine, tokens[: rows - rounds])
    _finish(views.wall, views.head)
    for count in range(rows - rounds + 1, rows + 1):
        run_pass(engine, tokens[:count], valid_rows=count - 1, follows=True)
        _measure(parts, views.wall, views.head, count)
    parts.measure("all rows of all heads", lambda: _finish(AttentionWall(engine), None))
    for name, (total, host) in parts.shortest.items():
        print(f"{name:24} {total:8.2f} ms, host {host:.2f} ms")


def _finish(wall: AttentionWall, head: AttentionHead | None) -> None:
    while wall.update() or (head is not None and head.update()):
        pass


def _measure(parts: Parts, wall: AttentionWall, head: AttentionHead, rows: int) -> None:
    """Measure the parts of a frame that shows one more token."""
    columns, lines = max(attention.heads for attention in wall.layers), len(wall.layers)
    pitch = TILE + 6
    picture = WallPicture(columns * pitch, lines * pitch, columns, pitch, pitch, TILE, tuple(range(wall.heads)))
    sides = {step: SIDE if step == WEIGHTS else SMALL for step in range(WEIGHTS + 1)}
    matrices = [MatrixPicture(step, side, 0.0, 0.0, side / rows) for step, side in sides.items()]
    parts.measure("a row of all heads", wall.update)
    parts.measure("a row of one head", head.update)
    parts.measure("statistics", wall.request_statistics)
    parts.measure("values of a query", lambda: head.request_line(rows - 1, 0))
    parts.measure("painting all heads", lambda: wall.paint(picture, COLORS))
    parts.measure("painting one head", lambda: head.paint(matrices, COLORS))
    wall.take_statistics()
    head.take_line()


if __name__ == "__main__":
    main()
