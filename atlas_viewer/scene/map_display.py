"""The map's picture: loaded in steps and updated while its panel is visible, and redrawn when it changes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atlas_viewer.state.camera import View
from atlas_viewer.state.color_mapping import ColorMapping
from atlas_viewer.state.map_logits import LogitsCenter
from atlas_viewer.state.map_state import GLOW
from atlas_viewer.state.navigation import MAP
from atlas_viewer.state.protocols import MapSource
from atlas_viewer.state.state import State
from atlas_viewer.state.view_colors import view_colors
from compute.errors import AtlasError
from compute.gpu.loading import Loading
from compute.models.registry import Registry
from compute.views.map_layout import MapLayout
from compute.views.map_pass import MapPass

from .custom import draw_on_map
from .glyphs import digit_glyphs
from .imgui_texture import ImguiTexture
from .map_shapes import MapShapes

if TYPE_CHECKING:
    from .atlas_scene import AtlasScene

_MIN_CONTEXT = 32


@dataclass(frozen=True)
class _Kept:
    """A map that is shown again later: a view switches between the sides of a comparison."""

    registry: Registry
    maps: MapPass | None
    opening: tuple[Loading[MapPass], int] | None
    refused: tuple[int, int] | None
    rows: int


class MapDisplay:
    """Owns the pass that paints the map, and shows it in the scene. Nothing here waits for the GPU."""

    def __init__(self, state: State, scene: Callable[[], AtlasScene], backend: Any) -> None:
        """scene: returns the window's scene; backend: the imgui renderer's backend."""
        self._state, self._scene, self._image = state, scene, ImguiTexture(backend)
        self._shapes = MapShapes(state)
        self._drawn_on: MapLayout | None = None  # the layout for which custom objects have been drawn
        self._maps: MapPass | None = None
        self._opening: tuple[Loading[MapPass], int] | None = None  # with the rows of that map
        self._tables = state.ui.tables  # whether the map shows tables, or will
        self._refused: tuple[int, int] | None = None  # rows of a map that failed to load, and the run at that time
        self._registry: Registry | None = None
        self._no_source = False  # the model has no map
        self._mapping: ColorMapping | None = None
        self._shown: tuple[Any, ...] | None = None
        self._behind: tuple[object, ...] | None = None  # the state for which the shapes behind the cells were made
        self._stale = False
        self._updates = 0
        self._rows = 0  # of the pass that the map shows
        self._updated_at = 0.0
        self._kept: dict[int, _Kept] = {}  # maps of registries that are not shown now, by their identity

    @property
    def visible(self) -> bool:
        """True if the panel was drawn in the last frame."""
        return MAP in self._state.ui.shown

    @property
    def pending(self) -> bool:
        """True while more frames must be drawn: the map is loading or needs an update, moves or glows."""
        if not self.visible:
            return False
        if self._maps is None:
            return self.opening
        if self._state.map.flight is not None:
            return True
        return self._stale or self._maps.center_pending or self._state.map.changed_ago < GLOW

    @property
    def opening(self) -> bool:
        """True while the panel is visible and the map is loading."""
        return self.visible and self._maps is None and self._refused is None and not self._no_source

    @property
    def _glows(self) -> bool:
        return self._state.busy and self._state.ui.glow and self._state.live

    def passed(self) -> None:
        """Take note that a new pass is complete."""
        self._stale = True

    def without_source(self, reason: str) -> None:
        """Show `reason` in place of the map, because the model has none."""
        self._drop()
        self._registry, self._no_source = None, True
        self._state.map.problem = reason

    def frame(self, source: MapSource, now: float, interval: float, pass_complete: bool) -> None:
        """Take the next step of loading the map, or show the latest pass in it.

        pass_complete: whether the tensors belong to one whole pass, so that the map may be updated. now, interval: in
        seconds; updates are at least `interval` apart.
        """
        state = self._state.map
        if self._registry is not source.registry:
            self._switch(source.registry)
        state.changed_ago = now - self._updated_at if state.changed[1] else GLOW
        if not self.visible:
            return
        self._load(source)
        self._state.wavefront.advance(now)
        self._take_center()
        if not pass_complete or self._maps is None or not self._stale or now - self._updated_at < interval:
            return
        self._maps.update()
        self._stale = False
        self._updates += 1
        rows = source.registry.rows
        # Once the context is full, every row changes with every pass; the newest is the last.
        first = min(self._rows, rows - 1) if rows >= self._rows else 0
        state.changed = (max(first, 0), rows) if self._glows and rows else (0, 0)
        state.changed_ago = 0.0 if state.changed[1] else GLOW
        self._rows, self._updated_at = rows, now

    def keep(self, registries: Collection[Registry]) -> None:
        """Drop the maps of all other registries: of engines that have been replaced, and comparisons that ended."""
        wanted = {id(registry) for registry in registries}
        self._kept = {key: kept for key, kept in self._kept.items() if key in wanted}
        if self._registry is not None and id(self._registry) not in wanted:
            self._drop()
            self._registry = None

    def _switch(self, registry: Registry) -> None:
        """Show the map of another registry, the one from before if there is one."""
        state = self._state.map
        if self._registry is not None:
            kept = _Kept(self._registry, self._maps, self._opening, self._refused, self._rows)
            self._kept[id(self._registry)] = kept
        self._drop()
        self._registry, self._no_source, state.problem = registry, False, ""
        known = self._kept.pop(id(registry), None)
        if known is None:
            return
        self._maps, self._opening, self._refused, self._rows = known.maps, known.opening, known.refused, known.rows
        if self._maps is not None:
            state.show_layout(registry, self._maps.layout)

    def _take_center(self) -> None:
        found = self._maps.take_center() if self._maps is not None else None
        if found is not None and self._registry is not None:
            self._state.map.logits = LogitsCenter(self._registry.description.head.output, *found)

    @property
    def picture(self) -> Any:
        """The `imgui.ImTextureRef` of the latest picture; None before the first."""
        return self._image.ref if self._shown is not None else None

    def draw(self) -> None:
        """Draw the map at the size that its panel requests, if it is visible and the picture would change."""
        maps, size = self._maps, self._state.ui.picture_sizes.get(MAP)
        if maps is None or size is None:
            return
        mapping = view_colors(self._state)
        if mapping != self._mapping:
            maps.set_color_mapping(mapping)
            self._mapping = mapping
        view = self._state.map.camera.view(*size)
        painted = (view, size, mapping, self._updates)
        wanted = (*painted, *self._shapes.key)
        if self._shown == wanted:
            return
        scene = self._scene().map
        if maps.layout is not self._drawn_on:
            draw_on_map(scene.objects, maps.layout)
            self._drawn_on = maps.layout
        visible = View(view.x, view.y, size[0] * view.scale, size[1] * view.scale)
        if self._shown is None or self._shown[: len(painted)] != painted:
            scene.show(maps.draw(view, *size), visible)
        if self._behind != self._shapes.behind_key:
            scene.behind.set(*self._shapes.behind())
            self._behind = self._shapes.behind_key
        scene.front.set(*self._shapes.front())
        self._image.show(scene.draw(visible, *size))
        self._shown = wanted

    def close(self) -> None:
        """Release the maps."""
        self._kept.clear()
        self._drop()
        self._registry = None

    def _load(self, source: MapSource) -> None:
        """Take the next step toward a map with enough rows, unless it already exists."""
        if self._tables != self._state.ui.tables:
            self._drop()
            self._tables = self._state.ui.tables
        wanted = self._context(source)
        enough = min(source.registry.rows, source.max_context)
        if self._maps is not None and self._maps.layout.context >= enough:
            return
        run = self._state.run.number if self._state.run else 0
        if self._refused is not None and self._refused[0] <= wanted and self._refused[1] == run:
            return  # the next run tries again, because memory may have become free
        state = self._state.map
        try:
            if self._opening is None or self._opening[1] < wanted:
                self._drop()
                state.problem = ""
                self._opening = source.loading_map(digit_glyphs(), wanted, tables=self._tables), wanted
            state.preparing = next(self._opening[0])
        except StopIteration as end:
            self._opening, state.preparing = None, None
            maps: MapPass = end.value
            self._maps = maps
            state.show_layout(source.registry, maps.layout)
        except AtlasError as error:
            self._drop()
            self._refused = (wanted, run)
            state.problem = str(error)

    def _context(self, source: MapSource) -> int:
        """Rows that the run needs until its end, rounded up so that a slightly longer run fits, too."""
        run, rows = self._state.run, source.registry.rows
        if run is not None:
            rows = max(rows, min(len(run.prompt_tokens) + run.options.max_new_tokens, run.options.context))
        context = _MIN_CONTEXT
        while context < rows:
            context *= 2
        return max(1, min(context, source.max_context))

    def _drop(self) -> None:
        self._maps = self._opening = self._refused = self._mapping = self._shown = None
        self._state.map.preparing = self._state.map.logits = None
        self._stale, self._rows = True, 0
