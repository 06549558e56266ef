"""The pictures of the Attention view: computed while its panel is visible, and painted when they change.

The passes paint them pixel by pixel at the size on screen, so imgui shows the textures as they are: drawing them once
more as objects of the scene would take longer than painting them.
"""

from __future__ import annotations

from typing import Any

from atlas_viewer.state.attention_view import STEPS
from atlas_viewer.state.navigation import ATTENTION
from atlas_viewer.state.state import State
from compute.views.attention_colors import ATTENTION_COLORS
from compute.views.attention_head import AttentionViews
from compute.views.attention_wall import flat_heads

from .imgui_texture import ImguiTexture

_SORTED_EVERY = 0.5  # seconds between two updates of the statistics while a run is in progress
_NO_HEADS = "This model has no attention heads, so there is no attention to show."


class AttentionDisplay:
    """Keeps the wall of heads, the matrices of one head and their values up to date. Nothing here waits for the GPU."""

    def __init__(self, state: State, backend: Any) -> None:
        """backend: the imgui renderer's backend."""
        self._state = state
        self._wall_image, self._images = ImguiTexture(backend), {step: ImguiTexture(backend) for step in STEPS}
        self._views: AttentionViews | None = None
        self._updates = self._head_updates = 0
        self._wall_shown: object = None
        self._shown: dict[int, object] = {}  # what the picture of each step shows
        self._sorted: int | None = None  # the update whose statistics were requested
        self._sorted_at = self._computed_at = 0.0
        self._line_for: object = None  # what the latest line was requested for
        self._waiting = 0  # results in flight

    @property
    def visible(self) -> bool:
        """True if the panel was drawn in the last frame."""
        return ATTENTION in self._state.ui.shown

    @property
    def pending(self) -> bool:
        """True while the panel is visible but does not show the latest pass or the values that it wants."""
        views = self._views
        if views is None or not self.visible or views.head is None:
            return False
        current = views.wall.complete and self._head_complete(views) and self._sorted == self._updates
        return not current or self._waiting > 0 or self._line_for != self._wanted()

    def _head_complete(self, views: AttentionViews) -> bool:
        view, head = self._state.attention, views.head
        return head is not None and head.complete and (head.layer, head.head) == view.heads[view.chosen]

    def follow(self, views: AttentionViews | None, reason: str) -> None:
        """Show the attention of `views`; a model whose context has grown has new ones. reason: why there are none."""
        view = self._state.attention
        if views is None:
            view.problem, self._views = reason, None
            view.lay_out((), ())
        elif views is not self._views:
            self._views = views
            layers = views.wall.layers
            view.lay_out(flat_heads(layers), [a.pattern for a in layers])
            view.problem = "" if layers else _NO_HEADS
            view.line = view.statistics = None
            self._wall_shown = self._line_for = self._sorted = None
            self._shown.clear()
            self._waiting = 0

    def frame(self, now: float, interval: float, pass_complete: bool) -> None:
        """Compute what has changed.

        pass_complete: whether the tensors belong to one whole pass. now, interval: in seconds; later passes are shown
        at least `interval` apart, but another head at once.
        """
        views, view = self._views, self._state.attention
        if not self.visible:
            self._views = None  # it may belong to a model that is no longer there
            return
        if views is None or views.head is None:
            return
        self._take(views)
        if not pass_complete:
            return
        views.head.select(view.layer, view.head)
        if now - self._computed_at >= interval or not views.head.known:
            updated = views.wall.update()
            self._updates += updated
            changed = views.head.update()
            self._head_updates += changed
            if updated or changed:
                self._computed_at = now
        view.rows, view.rows_ready, view.pool = views.head.rows, views.wall.rows_ready, views.wall.pool
        due = now - self._sorted_at >= _SORTED_EVERY or not self._state.busy
        if views.wall.complete and self._sorted != self._updates and due and views.wall.request_statistics():
            self._sorted, self._sorted_at = self._updates, now
            self._waiting += 1
        wanted = self._wanted()
        if wanted != self._line_for and views.head.known and views.head.request_line(view.shown_query, view.key or 0):
            self._line_for = wanted
            self._waiting += 1

    def _wanted(self) -> tuple[object, ...]:
        view = self._state.attention
        return (view.chosen, view.shown_query, view.key, self._head_updates)

    def _take(self, views: AttentionViews) -> None:
        """Keep the values that have arrived."""
        assert views.head is not None
        view, statistics, line = self._state.attention, views.wall.take_statistics(), views.head.take_line()
        if statistics is not None:
            view.statistics = statistics
        if line is not None:
            view.line = line
        self._waiting -= (statistics is not None) + (line is not None)

    @property
    def wall(self) -> Any:
        """The `imgui.ImTextureRef` of the wall; None before the first."""
        return self._wall_image.ref if self._wall_shown is not None else None

    @property
    def matrices(self) -> tuple[Any, ...]:
        """The `imgui.ImTextureRef`s of scores, masked scores and weights, each None before the first."""
        return tuple(image.ref if step in self._shown else None for step, image in self._images.items())

    def draw(self) -> None:
        """Paint what the panel wants at the sizes that it wants, if it is visible and the pictures would change."""
        views, view = self._views, self._state.attention
        if views is None or views.head is None or not self.visible or not views.head.rows:
            return
        theme = self._state.ui.theme
        colors = ATTENTION_COLORS["light" if theme == "light" else "dark"]
        wall = (view.wall_picture, theme, self._updates)
        if view.wall_picture is not None and self._wall_shown != wall:
            self._wall_image.show(views.wall.paint(view.wall_picture, colors))
            self._wall_shown = wall
        wanted = {picture.step: (picture, theme, self._head_updates) for picture in view.matrix_pictures}
        changed = [picture for picture, *_ in wanted.values() if self._shown.get(picture.step) != wanted[picture.step]]
        if changed:
            for step, texture in views.head.paint(changed, colors).items():
                self._images[step].show(texture)
                self._shown[step] = wanted[step]

    def close(self) -> None:
        """Release the views."""
        self._views = None
