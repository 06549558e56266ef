"""Parts of a logit without a GPU, and a source of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from atlas_viewer.state.attribution_view import Aim, Shown
from compute.errors import UsageError
from compute.lens.attribution import LogitPart, LogitParts, NeuronPart
from compute.lens.stream_pass import StreamShape
from compute.lens.weight_rows import WeightRow

# Of a model of two layers with three heads, at row 3 of a context that begins with token 4 of the text.
AIM = Aim(target=20037, against=None, position=7, row=3)
_VALUES = {(0, 0): 0.25, (0, 1): -1.0, (0, 2): 0.5, (1, 0): 0.0, (1, 1): 0.125, (1, 2): 3.0}


def _sources(value: float) -> np.ndarray:
    """What a head took from four tokens: mostly from the third; the sum is `value`."""
    shares = np.array([0.0, -1 / 6, 5 / 6, 1 / 3], np.float32)
    return (value * shares).astype(np.float32)


def parts(row: int = 3, target: int = 20037, against: int | None = None, values: float = 1.0) -> LogitParts:
    """Parts that sum to the logit. values: a factor of all of them."""
    found = [LogitPart("embed.tokens", None, 0.75 * values, "embed.tokens")]
    for layer in (0, 1):
        for head in range(3):
            value = _VALUES[layer, head] * values
            found.append(LogitPart(f"h.{layer}.attn", head, value, f"h.{layer}.attn.out", _sources(value)))
        found.append(LogitPart(f"h.{layer}.attn.bias", None, 0.0625 * values, f"h.{layer}.attn.c_proj.bias"))
        mlp = (2.0 - 2.5 * layer) * values
        found.append(LogitPart(f"h.{layer}.mlp", None, mlp, f"h.{layer}.mlp.c_proj"))
    found.append(LogitPart("ln_f.bias", None, 0.5 * values, "ln_f.bias"))
    neurons = tuple(
        NeuronPart(f"h.{n % 2}.mlp.gelu", 10 + n, 1.5, 1.0 / (n + 1), f"h.{n % 2}.mlp.c_fc.weight",
                   f"h.{n % 2}.mlp.c_proj.weight", "Hidden neurons.")
        for n in range(50)
    )  # fmt: skip
    logit = float(sum(part.value for part in found))
    return LogitParts(row, target, against, logit, tuple(found), neurons)


def shown_parts() -> Shown:
    """The parts as the panel has them."""
    return Shown(AIM, parts())


def stream(row: int = 3) -> StreamShape:
    """The shape of a stream with two blocks."""
    points = ("embed.sum", "h.0.resid_mid", "h.0.resid_post", "h.1.resid_mid", "h.1.resid_post")
    norm, added = np.array([1, 2, 4, 5, 8], np.float32), np.array([1, 2, 3, 2, 6], np.float32)
    return StreamShape(row, points, norm, added, np.array([-0.1, 0.2, 0.5, 0.7, 1], np.float32))


class FakeAttributions:
    """Results arrive at the second `take`. Texts are tokens when they are numbers."""

    def __init__(self, rows: int = 8) -> None:
        self.rows, self.passes = rows, 1
        self.asked: list[tuple[int, int | None, int]] = []
        self.streams: list[int] = []
        self._parts: list[LogitParts | None] = []
        self.row_requests = 0
        self._rows: list[tuple[WeightRow, ...] | None] = []
        self._shapes: list[StreamShape | None] = []

    @property
    def pending(self) -> bool:
        return bool(self._parts or self._shapes or self._rows)

    def token_id(self, text: str, name: str) -> int:
        if not text.isdigit():
            raise UsageError(f'{name}="{text}": is 2 tokens')
        return int(text)

    def request_parts(self, target: int, against: int | None, row: int) -> bool:
        if self._parts:
            return False
        self.asked.append((target, against, row))
        self._parts = [None, parts(row, target, against)]
        return True

    def take_parts(self) -> LogitParts | None:
        return self._parts.pop(0) if self._parts else None

    def request_stream(self, row: int) -> bool:
        if self._shapes:
            return False
        self.streams.append(row)
        self._shapes = [None, stream(row)]
        return True

    def take_stream(self) -> StreamShape | None:
        return self._shapes.pop(0) if self._shapes else None

    def request_rows(self, neurons: Sequence[NeuronPart]) -> bool:
        if self._rows:
            return False
        self.row_requests += 1
        self._rows = [None, tuple(WeightRow(n.reads, n.index, np.full(8, n.value, np.float32)) for n in neurons)]
        return True

    def take_rows(self) -> tuple[WeightRow, ...] | None:
        return self._rows.pop(0) if self._rows else None
