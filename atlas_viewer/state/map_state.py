"""Map as shown in the window: camera, history, "go to", and what is drawn over it. Plain values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compute.models.registry import Registry
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import MapLayout
from compute.views.map_view import MapView

from .flight import Flight
from .label_space import HEAD_MARK
from .map_addresses import box_of, row_and_column, row_boxes
from .map_bands import band_boxes
from .map_camera import CameraPose, MapCamera, ViewHistory
from .map_labels import MapLabels
from .map_logits import LogitsCenter
from .map_viewport import MapViewport, of_last_layer, show, viewport_of
from .spotlight import NOTHING, Box, Spotlight

_CELL_SEEN = 56.0  # minimum width of a cell after going to it, in pixels
GLOW = 1.0  # how long new rows glow, in seconds


@dataclass(frozen=True)
class KeptLabels:
    """The labels of the last frame, and what they depend on: `rows` only if they show it (`MapLabels.by_row`)."""

    key: Any = None
    rows: Any = None
    made: MapLabels = field(default_factory=MapLabels)


@dataclass
class MapState:
    """The state of Map. `layout` and `registry` are None until it is laid out. Sizes are in pixels of the picture."""

    registry: Registry | None = None
    layout: MapLayout | None = None
    camera: MapCamera = field(default_factory=lambda: MapCamera(16, 9))
    view_history: ViewHistory = field(default_factory=ViewHistory)
    size: tuple[int, int] = (16, 9)  # size of the latest picture
    problem: str = ""  # why there is no map
    preparing: tuple[str, float] | None = None  # the current step of opening the map, and how much of it is done
    changed: tuple[int, int] = (0, 0)  # rows of activations that the latest pass wrote: first and end (exclusive)
    changed_ago: float = math.inf  # seconds since then
    going: bool = False  # True while the "go to" field is open
    going_begun: bool = False
    typed: str = ""
    wanted: TensorIndex | None = None  # where to go when the map is ready
    sources: TensorIndex | None = None  # the weights behind the value that was left for them, which stay outlined
    logits: LogitsCenter | None = None  # of the pass that Map shows; None until it is known
    flight: Flight | None = None  # where the camera is flying
    flights: int = 0  # how many there were
    flown: CameraPose | None = None  # the pose that the flight set last
    refused: str = ""  # why the typed text led nowhere
    minimap: tuple[float, float, float, float] | None = None  # x, y, width and height in the picture while it is shown
    minimap_corner: int = 0  # of the picture: the index of its position in the panel
    minimap_over: bool = False  # True where it covers data
    line: float = 1.0  # width of lines
    spotlight: Spotlight = NOTHING
    labels: KeptLabels = field(default_factory=KeptLabels)
    names: tuple[str, ...] = ()  # of the tensors, in the order of the layout
    # (x, y, width, height) in cells: of every tensor, and of the first row of every activation.
    tensors: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)), compare=False)
    bands: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)), compare=False)  # of the cells of all tensors
    first_rows: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)), compare=False)

    @property
    def view(self) -> MapView:
        """The visible part of the plane."""
        return self.camera.view(*self.size)

    @property
    def cell(self) -> float:
        """Width of a unit of the plane in pixels, which is that of a weight's cell."""
        return 1 / self.view.scale

    def has(self, target: TensorIndex) -> bool:
        """True when the map has cells for the target."""
        placement = self.layout.placements.get(target.name) if self.layout else None
        if placement is None or self.layout is None:
            return False
        if len(target.index) == 3 and target.index[1] >= self.layout.context:
            return False  # it would be another head's row
        row, column = row_and_column(target, self.layout.context)
        return row < placement.rows and column < placement.columns

    def cell_of(self, target: TensorIndex) -> tuple[int, int] | None:
        """The cell of a value; None when the map does not have it."""
        if self.layout is None or not self.has(target):
            return None
        return self.layout.cell_of(target.name, *row_and_column(target, self.layout.context))

    # -- moving the camera

    def go(self, target: TensorIndex) -> None:
        """Show a tensor as large as possible, or a value with its surroundings."""
        if self.layout is None or target.name not in self.layout.placements:
            self.wanted = target
        if self.layout is None or not self.has(target):
            return
        self.wanted = None
        x, y, width, height = box_of(target, self.layout)
        with self._leaving():
            if not target.index:
                self.camera.frame((x, y, width, height), *self.size)
            else:
                whole = self.view.scale * self.camera.pose.zoom
                zoom = whole * max(_CELL_SEEN / min(width, height), self.cell)
                self.camera.look_at(zoom, x + width / 2, y + height / 2, *self.size)

    def fly(self, target: TensorIndex, now: float) -> None:
        """As `go`, but move there in the frames after `now`, in seconds, see `advance`."""
        start = self.camera.pose
        self.go(target)
        end = self.camera.pose
        if end != start and self.layout is not None:
            self.flight = Flight(start, end, now, self.view.scale * end.zoom * self.size[0])
            self.flights += 1
            self.camera.pose = start

    def fly_to(
        self, box: Box, now: float, *, least: float = 0.0, covered: tuple[float, float] = (0.0, 0.0)
    ) -> CameraPose:
        """Fly to a box, in units, so that it is as large as possible, with at least `least` units in sight.

        now: as for `fly`; covered: width and height in pixels of what covers the right and the bottom edge of the
        picture. Returns the pose at the end.
        """
        x, y, width, height = box
        wide, high = self.size
        ahead = MapCamera(self.camera.width, self.camera.height)
        middle = x + width / 2, y + height / 2
        width, height = max(width, least), max(height, least)
        width, height = width * wide / max(wide - covered[0], 1), height * high / max(high - covered[1], 1)
        ahead.frame((middle[0] - width / 2, middle[1] - height / 2, width, height), wide, high)
        ahead.drag(-covered[0] / 2, -covered[1] / 2, wide, high)
        if ahead.pose != self.camera.pose:
            self.view_history.visit(self.camera.pose)
            self.view_history.visit(ahead.pose)
            self.flight = Flight(self.camera.pose, ahead.pose, now, self.view.scale * self.camera.pose.zoom * wide)
            self.flights += 1
            self.flown = None
        return ahead.pose

    def advance(self, now: float) -> None:
        """Move the camera along its flight, which ends when something else has moved it."""
        if self.flight is None:
            return
        if self.camera.pose not in (self.flown, self.flight.start):
            self.flight = self.flown = None
            return
        self.camera.pose = self.flown = self.flight.pose(now)
        if self.flown == self.flight.end:
            self.flight = self.flown = None

    def frame(self, name: str) -> None:
        """Show a tensor, one head of a pattern, or a part of the model by its title, as large as possible."""
        tensor, _, head = name.partition(HEAD_MARK)
        region = next((region for region in self.layout.regions if region.title == name), None) if self.layout else None
        if region is not None:
            box = (region.x, region.y, region.width, region.height)
        elif head and self.layout is not None and tensor in self.layout.placements:
            box = self.layout.placements[tensor].band_box(int(head))
        else:
            self.go(TensorIndex(tensor))
            return
        with self._leaving():
            self.camera.frame(box, *self.size)

    def arrive(self) -> None:
        """Go to the target requested before the map was ready."""
        if self.wanted is not None and self.layout is not None:
            target, self.wanted = self.wanted, None
            self.go(target)

    def follow(self, target: TensorIndex) -> None:
        """Center a value unless it is visible already."""
        if self.layout is None or not self.has(target):
            return
        left, top, width, height = box_of(target, self.layout)
        middle = left + width / 2, top + height / 2
        x, y = self.view.pixel_at(*middle)
        if not (0 <= x < self.size[0] and 0 <= y < self.size[1]):
            self.camera.look_at(self.camera.pose.zoom, *middle, *self.size)

    def fit(self) -> None:
        """Show everything."""
        with self._leaving():
            self.camera.reset()

    def zoom_by(self, units: float) -> None:
        """Zoom about the center by `units` of the wheel."""
        self.camera.wheel(units, self.size[0] / 2, self.size[1] / 2, *self.size)

    def back(self) -> None:
        """Go back to the previous pose."""
        if self.view_history.poses and self.view_history.poses[self.view_history.at] != self.camera.pose:
            self.view_history.visit(self.camera.pose)
        self._show_pose(self.view_history.back())

    def forward(self) -> None:
        """Go forward to the pose that `back` came from."""
        self._show_pose(self.view_history.forward())

    def _show_pose(self, pose: CameraPose | None) -> None:
        if pose is not None:
            self.camera.look_at(pose.zoom, pose.x, pose.y, *self.size)

    @contextmanager
    def _leaving(self) -> Iterator[None]:
        """A jump: the history records the poses before and after it."""
        self.view_history.visit(self.camera.pose)
        yield
        self.view_history.visit(self.camera.pose)

    # -- the visible part, regardless of the layout

    def viewport(self) -> MapViewport:
        """The visible part. Raises `RuntimeError` if there is no map."""
        if self.registry is None or self.layout is None:
            raise RuntimeError("there is no map: lay it out before asking for its viewport")
        return viewport_of(self.camera, self.registry, self.layout, *self.size)

    def show(self, viewport: MapViewport) -> None:
        """Show the viewport, if there is a map with such a tensor."""
        if self.layout is not None:
            show(self.camera, viewport, self.layout, *self.size)

    def show_layout(self, registry: Registry, layout: MapLayout) -> None:
        """Adopt the layout of another map. One like the present layout leaves the view as it is."""
        known = self.layout
        same = known is not None and (known.width, known.height, known.context) == (
            layout.width, layout.height, layout.context,
        )  # fmt: skip
        if same and known is not None and known.placements == layout.placements:
            self.registry, self.layout, self.problem = registry, layout, ""
        else:
            self.lay_out(registry, layout)

    def lay_out(self, registry: Registry, layout: MapLayout) -> None:
        """Adopt a new layout. The visible values stay visible, in the history as well."""
        before, poses = (self.registry, self.layout), [self.camera.pose, *self.view_history.poses]
        self.registry, self.layout, self.problem = registry, layout, ""
        boxes = [(box.x, box.y, box.width, box.height) for box in layout.placements.values()]
        self.names = tuple(layout.placements)
        self.tensors = np.array(boxes, np.float64).reshape(-1, 4)
        self.bands = np.array(band_boxes(registry, layout), np.float64).reshape(-1, 4)
        self.first_rows = np.array(row_boxes(registry, layout, 0, 1), np.float64).reshape(-1, 4)
        self.camera = MapCamera(layout.width, layout.height)
        if before[0] is not None and before[1] is not None:
            poses = [self._moved(pose, before[0], before[1], layout) for pose in poses]
            self.camera.pose, self.view_history.poses = poses[0], poses[1:]

    def _moved(self, pose: CameraPose, registry: Registry, before: MapLayout, after: MapLayout) -> CameraPose:
        """The pose in a new layout. A view of everything, or of a tensor that is gone, becomes a view of everything."""
        old, new = MapCamera(before.width, before.height), MapCamera(after.width, after.height)
        old.pose = pose
        if pose.zoom > 1:
            viewport = viewport_of(old, registry, before, *self.size)
            show(new, of_last_layer(viewport, after), after, *self.size)
        return new.pose
