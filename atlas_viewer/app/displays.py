"""The views in the frame loop: they show the model's latest pass as often as the adapter can afford."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import wgpu

from atlas_viewer.scene.attention_display import AttentionDisplay
from atlas_viewer.scene.map_display import MapDisplay
from atlas_viewer.scene.scene_library import make_scene
from atlas_viewer.scene.strip_display import StripDisplay
from atlas_viewer.state.comparing import A
from atlas_viewer.state.comparison_protocols import Views
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.state import State
from compute.models.registry import Registry

from .attribution_updater import AttributionUpdater
from .comparer import Comparer
from .edit_effects import EditEffects
from .inspection_updater import InspectionUpdater
from .lens_updater import LensUpdater
from .patching_updater import PatchingUpdater

if TYPE_CHECKING:
    from atlas_viewer.scene.atlas_scene import AtlasScene

    from .run_controller import RunController


class Displays:
    """Owns what keeps Strip, Map, Attention and Lens up to date. Nothing here waits for the GPU."""

    def __init__(self, state: State, device: wgpu.GPUDevice, backend: Any) -> None:
        """device: the device that pygfx uses; backend: the imgui renderer's backend."""
        self._state, self._device = state, device
        self._scene: AtlasScene | None = None  # created when a view is first drawn
        self._strip = StripDisplay(state, self._made_scene, backend)
        self._map = MapDisplay(state, self._made_scene, backend)
        self._latest: tuple[Registry, int] | None = None  # the registry, and how many passes it had, at the last note
        self._attention = AttentionDisplay(state, backend)
        self._attribution, self._lens = AttributionUpdater(state), LensUpdater(state)
        self._effects = EditEffects(state)
        self._comparer = Comparer(state)
        self._side: object = None  # whose values the views show
        self._patching = PatchingUpdater(state)
        self._unshown = False  # a pass has arrived that neither the strip nor the inspection shows
        self._shown_at = 0.0

    def _made_scene(self) -> AtlasScene:
        if self._scene is None:
            self._scene = make_scene(self._device)
        return self._scene

    @property
    def pending(self) -> bool:
        """True while Strip, Map or the inspection has yet to show the latest pass, so that more frames are drawn."""
        parts = (self._attention, self._attribution, self._lens, self._effects, self._comparer, self._patching)
        waiting = any(part.pending for part in parts)
        return self._strip.pending or self._unshown or self._map.pending or waiting

    @property
    def preparing(self) -> bool:
        """True while Map is being opened."""
        return self._map.opening

    def shown(self, model: ModelLike) -> Views:
        """What the views show: the passes of `model`, or the other side of a comparison."""
        return self._comparer.views(model)

    def follow(self, views: Views) -> None:
        """Show the values of `views`; a model whose context has grown has new buffers."""
        self._strip.follow(views.strip)
        if views is not self._side:
            self._side, self._unshown = views, True
            inspection = self._state.inspection
            reader = views.tensor_reader
            inspection.statistics = reader.statistics if reader is not None else {}
        self._state.inspection.compared = "" if self._state.comparing.shown == A else self._state.comparing.label
        self._state.inspection.subtracts = self._state.comparing.subtracts

    def _follow_attention(self, views: Views) -> None:
        """Show the attention of `views`, whose buffers are made when the panel is first visible."""
        if self._attention.visible:
            self._attention.follow(views.attention, views.unavailable)

    def passed(self, model: ModelLike) -> None:
        """Take note that a pass may be complete; a second note of the same pass, with its token, has no effect."""
        registry = model.map_source.registry if model.map_source is not None else None
        latest = (registry, registry.passes) if registry is not None else None
        if latest is not None and latest == self._latest:
            return
        self._latest = latest
        self._unshown = True
        self._effects.passed()
        self._strip.passed()
        self._map.passed()

    def mapping_changed(self) -> None:
        """Repaint the strip with the new colors."""
        self._strip.mapping_changed()

    def frame(
        self, controller: RunController, updater: InspectionUpdater | None, now: float, interval: float, budget: float
    ) -> None:
        """Show the latest pass in Strip and Map, and in the inspection through `updater`.

        now, interval: in seconds; updates are at least `interval` apart. budget: seconds of GPU time for a sweep.
        """
        # Views may be painted when the tensors belong to one whole pass.
        model, pass_complete = controller.model, controller.pass_complete
        if self._comparer.frame(model, now, settled=not controller.settling):
            self._compared()
        views = self._comparer.views(model)
        pass_complete = pass_complete and self._comparer.pass_complete
        if (self._strip.pending or self._unshown) and now - self._shown_at >= interval and pass_complete:
            self._strip.paint()
            if updater is not None:
                if self._unshown:
                    updater.passed()
                updater.painted()
            self._strip.lay_out()
            self._unshown, self._shown_at = False, now
        self._effects.frame(model)
        self._follow_attention(views)
        self._attention.frame(now, interval, pass_complete)
        self._attribution.follow(model)
        self._attribution.frame(now, interval, controller.pass_complete)
        self._lens.frame(model, now, interval, controller.pass_complete)
        self._patching.frame(model, budget)
        self._map.keep(self._comparer.registries(model))
        if views.map_source is None:
            self._map.without_source(views.unavailable)
        else:
            self._map.frame(views.map_source, now, interval, pass_complete)

    def _compared(self) -> None:
        """Show the new values of a comparison."""
        self._unshown = True
        self._strip.passed()
        self._map.passed()

    @property
    def pictures(self) -> tuple[Any, Any]:
        """The `imgui.ImTextureRef`s of Strip and Map, each None until it exists."""
        return self._strip.picture, self._map.picture

    @property
    def attention(self) -> tuple[Any, tuple[Any, ...]]:
        """Those of Attention: the wall of all heads, and the matrices of one."""
        return self._attention.wall, self._attention.matrices

    @property
    def _all(self) -> tuple[Any, ...]:
        return (*self.pictures, self._attention.wall, *self._attention.matrices)

    def draw(self) -> bool:
        """Draw the pictures that panels show; return True if one has a new texture, so that panels must be rebuilt."""
        before = self._all
        self._strip.draw()
        self._map.draw()
        self._attention.draw()
        return any(new is not old for new, old in zip(self._all, before, strict=True))

    def close(self) -> None:
        """Release the scene and the map."""
        self._strip.close()
        self._map.close()
        self._attention.close()
        self._scene = None
