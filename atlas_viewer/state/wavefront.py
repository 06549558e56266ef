"""The latest pass in slow motion: the row of the newest token lights up, tensor by tensor, as the model computes it."""

from __future__ import annotations

from dataclasses import dataclass

from compute.models.description import Description
from compute.models.operations import Alias, Attention
from compute.models.registry import Registry
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import MapLayout
from compute.views.map_placement import Placement

from .map_addresses import range_boxes
from .spotlight import Box, Spotlight, spotlight

_SLOWEST, _WHOLE = 0.5, 40.0  # seconds for a tensor, and at most for all of them


@dataclass(frozen=True)
class WaveStep:
    """A tensor that the pass computes, the weights that it reads, and a sentence about it."""

    name: str
    weights: tuple[str, ...]
    about: str


def steps_of(description: Description) -> tuple[WaveStep, ...]:
    """The tensors in the order in which a pass computes them; a pattern before what attention makes with it."""
    steps: list[WaveStep] = []
    for operation in description.operations():
        if isinstance(operation, Alias):
            continue
        if isinstance(operation, Attention):
            steps.append(WaveStep(operation.pattern, (), operation.about_pattern))
        weights = tuple(weight.name for weight in operation.weights)
        steps.append(WaveStep(operation.output, weights, operation.about))
    return tuple(steps)


@dataclass
class Wavefront:
    """How far the light has come. `at` counts tensors: those with a smaller index are lit, the next one is computed."""

    on: bool = False
    playing: bool = False
    waits: bool = False  # for the token that it is about
    steps: tuple[WaveStep, ...] = ()
    at: float = 0.0
    seen: float | None = None  # time of the last frame while it plays, in seconds
    made: tuple[object, Spotlight] = (None, Spotlight())  # what the spotlight depends on, and the spotlight

    def begin(self, description: Description) -> None:
        """Start at the first tensor."""
        self.on = self.playing = True
        self.steps, self.at, self.seen = steps_of(description), 0.0, None

    def stop(self) -> None:
        """Show everything again."""
        self.on = self.playing = self.waits = False

    @property
    def index(self) -> int:
        """Index of the current tensor."""
        return min(int(self.at), len(self.steps) - 1)

    @property
    def step(self) -> WaveStep:
        """The current tensor. There must be steps."""
        return self.steps[self.index]

    def seek(self, index: int) -> None:
        """Pause at the tensor with this index."""
        self.at, self.playing = float(min(max(index, 0), len(self.steps) - 1)), False

    def play(self) -> None:
        """Play on, from the start if it has ended; or pause."""
        if not self.playing and self.index == len(self.steps) - 1:
            self.at = 0.0
        self.playing, self.seen = not self.playing, None

    def advance(self, now: float) -> None:
        """Move on by the time since the last frame. now: in seconds."""
        if not self.playing or self.waits:
            self.seen = None
            return
        if self.seen is not None:
            self.at += (now - self.seen) / min(_SLOWEST, _WHOLE / len(self.steps))
        self.seen = now
        if self.at >= len(self.steps) - 1:
            self.at, self.playing = float(len(self.steps) - 1), False

    def light(self, registry: Registry, layout: MapLayout) -> Spotlight:
        """What is bright: the newest row of the tensors so far, and the weights of the current one."""
        row = registry.rows - 1
        key = (id(layout), row, self.index, self.waits)
        if self.made[0] != key:
            self.made = key, self._light(registry, layout, row)
        return self.made[1]

    def _light(self, registry: Registry, layout: MapLayout, row: int) -> Spotlight:
        done = () if self.waits else self.steps[: self.index + 1]
        computed = {step.name for step in done}
        used = set() if self.waits else set(self.step.weights)
        dimmed: list[Box] = []
        for name, placement in layout.placements.items():
            tensor = registry[name]
            if tensor.rows is not None or tensor.vector:
                lit = name in used or name in computed  # weights, and the logits, which have one row
                dimmed += [] if lit else _bands(placement)
            elif name in computed:
                dimmed += _beside_row(placement, row)
            else:
                dimmed += _bands(placement)
        outlined = [] if self.waits else row_boxes_of(self.step.name, registry, layout, row)
        rows = [box for step in done for box in row_boxes_of(step.name, registry, layout, row)]
        return spotlight(dimmed, outlined, rows, frames=True)


def row_boxes_of(name: str, registry: Registry, layout: MapLayout, row: int) -> list[Box]:
    """The boxes of a row: one for each band of an activation, or for each head of a pattern; all of the logits."""
    placement = layout.placements.get(name)
    if placement is None or row < 0:
        return []
    tensor = registry[name]
    if tensor.rows is not None or tensor.vector:
        return [(placement.x, placement.y, placement.width, placement.height)]
    if tensor.heads:
        boxes = [range_boxes(TensorIndex(name, (head, row, 0), row + 1), layout) for head in range(tensor.heads)]
        return [box for found in boxes for box in found]
    return list(range_boxes(TensorIndex(name, (row, 0), placement.columns), layout))


def _bands(placement: Placement) -> list[Box]:
    return [placement.band_box(band) for band in range(placement.bands)]


def _beside_row(placement: Placement, row: int) -> list[Box]:
    """The parts of every band above and below a row."""
    boxes: list[Box] = []
    for x, y, width, height in _bands(placement):
        top = y + row * placement.cell_height
        boxes += [
            (x, y, width, top - y),
            (x, top + placement.cell_height, width, y + height - top - placement.cell_height),
        ]
    return [box for box in boxes if box[3] > 0]
