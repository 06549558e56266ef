"""The state of the Attention view: the head in view, the order of heads, what a token attends to. Plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from compute.views.attention_head import MASKED, SCORES, WEIGHTS, HeadLine, MatrixPicture
from compute.views.attention_wall import HeadStatistics, WallPicture

from .selection import NOTHING, Selection

MOST_LINES, LEAST_WEIGHT = 10, 0.005  # of the lines from one token to others
_LARGEST_ZOOM = 64.0


@dataclass(frozen=True)
class Order:
    """An order of heads: by a statistic, or by layer when it has none. `title` is for menus, `about` for tooltips."""

    name: str
    title: str
    about: str
    statistic: str = ""
    rising: bool = False  # the smallest value first
    unit: str = ""


ORDERS = (
    Order("layer", "layer", "One row per layer, heads by number"),
    Order("previous", "previous token", "Mean weight of the token just before the query, largest first", "previous"),
    Order("first", "first token", "Mean weight of the first token of the context, largest first", "first"),
    Order(
        "induction",
        "induction",
        "Mean weight, for a repeated token, of the token after its latest earlier occurrence; largest first",
        "induction",
    ),
    Order("entropy", "entropy", "How evenly a query spreads its weight, in bits; the sharpest first", "entropy", True),
    Order("near", "nearest", "Mean distance from query to key in tokens, nearest first", "distance", True),
    Order("far", "farthest", "Mean distance from query to key in tokens, farthest first", "distance"),
)
STEPS = (SCORES, MASKED, WEIGHTS)
STEP_TITLES = ("Scores", "Mask", "Softmax")


@dataclass
class AttentionView:
    """The state of the view. Heads are counted over all layers, from 0, in `heads`."""

    heads: tuple[tuple[int, int], ...] = ()  # (layer, head number) of every head
    patterns: tuple[str, ...] = ()  # the name of each layer's pattern
    chosen: int = 0  # the head in view
    order: Order = ORDERS[0]
    step: int = WEIGHTS  # the large matrix
    query: int | None = None  # the row that the mouse is over or that is selected; None for the newest
    key: int | None = None  # likewise the column; None for none
    followed: Selection = NOTHING  # the selection whose layer and head are in view
    zoom: float = 1.0  # 1 shows the whole matrix
    origin: tuple[float, float] = (0.0, 0.0)  # (key, query) in the top left corner, as fractions of the matrix
    rows: int = 0  # tokens in the matrices
    rows_ready: int = 0  # tokens whose rows the wall contains
    pool: int = 1  # tokens per cell of the wall
    statistics: HeadStatistics | None = None
    line: HeadLine | None = None  # the latest to arrive
    problem: str = ""  # why there is nothing to show
    # What the panel wants drawn.
    wall_picture: WallPicture | None = None
    matrix_pictures: list[MatrixPicture] = field(default_factory=list)
    texts: tuple[object, tuple[str, ...]] = field(default=(None, ()))  # of the context's tokens, and what they are for

    def lay_out(self, heads: Sequence[tuple[int, int]], patterns: Sequence[str]) -> None:
        """Show the heads of another model."""
        if (tuple(heads), tuple(patterns)) != (self.heads, self.patterns):
            self.chosen, self.statistics, self.line = 0, None, None
            self.fit()
        self.heads, self.patterns = tuple(heads), tuple(patterns)
        self.chosen = min(self.chosen, max(0, len(self.heads) - 1))

    @property
    def layer(self) -> int:
        """Number of the layer in view."""
        return self.heads[self.chosen][0]

    @property
    def head(self) -> int:
        """Number of the head in view, in its layer."""
        return self.heads[self.chosen][1]

    @property
    def pattern(self) -> str:
        """Name of the pattern in view."""
        return self.patterns[self.layer]

    # -- heads

    @property
    def ranked(self) -> tuple[int, ...]:
        """All heads in the chosen order. Heads without a value come last; equal ones stay in the order of layers."""
        known = self.statistics
        if not self.order.statistic or known is None:
            return tuple(range(len(self.heads)))
        return rank(known.of(self.order.statistic), rising=self.order.rising)

    def value(self, head: int) -> float | None:
        """The statistic that heads are sorted by; None without one."""
        known, name = self.statistics, self.order.statistic
        if not name or known is None or (name == "induction" and not known.repeats):
            return None
        return float(known.of(name)[head])

    @property
    def repeats(self) -> int:
        """How many tokens are repeated, so that induction has a meaning."""
        return self.statistics.repeats if self.statistics is not None else 0

    def follow(self, selection: Selection) -> None:
        """Show the layer and head of a new selection; what it leaves open stays as it is."""
        if selection == self.followed or not self.heads:
            return
        self.followed = selection
        layer, head = self.heads[self.chosen]
        wanted = (
            layer if selection.layer is None else selection.layer,
            head if selection.head is None else selection.head,
        )
        if wanted in self.heads:
            self.chosen = self.heads.index(wanted)

    def select_next(self, columns: int, rows: int, per_row: int) -> None:
        """Choose the head so many positions right of and below the one in view, in a wall of `per_row` columns."""
        if not self.heads:
            return
        if not self.order.statistic:
            self.move_layers(rows, columns)
            return
        ranked = self.ranked
        at = ranked.index(self.chosen) + columns + rows * per_row
        if 0 <= at < len(ranked):
            self.chosen = ranked[at]

    def move_layers(self, layers: int, heads: int = 0) -> None:
        """Choose the head so many layers and heads farther, in a wall that is sorted by layer."""
        layer, head = self.heads[self.chosen]
        layer = min(max(layer + layers, 0), len(self.patterns) - 1)
        there = [index for index, (number, _) in enumerate(self.heads) if number == layer]
        self.chosen = there[min(max(head + heads, 0), len(there) - 1)]

    def next_order(self) -> None:
        """Choose the next order of heads."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]

    def next_step(self) -> None:
        """Enlarge the next matrix."""
        self.step = STEPS[(STEPS.index(self.step) + 1) % len(STEPS)]

    # -- the camera of the matrices

    def fit(self) -> None:
        """Show the whole matrix."""
        self.zoom, self.origin = 1.0, (0.0, 0.0)

    def zoom_by(self, factor: float, x: float = 0.5, y: float = 0.5) -> None:
        """Enlarge about the point (x, y) of the picture, as fractions of its side."""
        before, self.zoom = self.zoom, min(max(self.zoom * factor, 1.0), _LARGEST_ZOOM)
        left, top = self.origin
        self._place(left + x / before - x / self.zoom, top + y / before - y / self.zoom)

    def drag(self, x: float, y: float) -> None:
        """Move the picture by fractions of its side."""
        self._place(self.origin[0] - x / self.zoom, self.origin[1] - y / self.zoom)

    def _place(self, left: float, top: float) -> None:
        most = 1 - 1 / self.zoom
        self.origin = (min(max(left, 0.0), most), min(max(top, 0.0), most))

    def cell(self, side: float) -> float:
        """Pixels per element in a matrix of `side` pixels."""
        return side * self.zoom / max(self.rows, 1)

    def element_at(self, x: float, y: float, side: float) -> tuple[int, int] | None:
        """(query, key) at a pixel of a matrix; None outside."""
        if not (0 <= x < side and 0 <= y < side) or not self.rows:
            return None
        cell = self.cell(side)
        key = int(self.origin[0] * self.rows + x / cell)
        query = int(self.origin[1] * self.rows + y / cell)
        return (min(query, self.rows - 1), min(key, self.rows - 1))

    # -- one token

    @property
    def shown_query(self) -> int:
        """The query whose row is shown: under the mouse, or selected, or the newest."""
        newest = max(self.rows - 1, 0)
        return newest if self.query is None else min(self.query, newest)

    @property
    def reads_key(self) -> bool:
        """True while a key alone is in view: then the queries that attend to it are shown."""
        return self.key is not None and self.query is None

    @property
    def current_line(self) -> HeadLine | None:
        """The values of the query and the key in view; None until they have arrived."""
        line = self.line
        if line is None or not self.heads or (line.layer, line.head) != self.heads[self.chosen]:
            return None
        wanted = line.key == self.key if self.reads_key else line.query == self.shown_query
        return line if wanted else None


def rank(values: np.ndarray, *, rising: bool) -> tuple[int, ...]:
    """Indices of float values [n] from the best to the worst, NaN last, equal ones in their order."""
    order = np.lexsort((values if rising else -values, np.isnan(values)))
    return tuple(int(index) for index in order)


def strongest(weights: np.ndarray, most: int = MOST_LINES) -> list[tuple[int, float]]:
    """(index, weight) of the largest weights [n] that a line can show, at most `most`, the largest first.

    Differences of weights rank by their magnitude.
    """
    sizes = np.abs(weights)
    return [
        (index, float(weights[index])) for index in rank(sizes, rising=False)[:most] if sizes[index] >= LEAST_WEIGHT
    ]
