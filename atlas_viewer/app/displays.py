"""The views in the frame loop: they show the model's latest pass as often as the adapter can afford."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import wgpu

from atlas_viewer.scene.attention_display import AttentionDisplay
from atlas_viewer.scene.map_display import MapDisplay
from atlas_viewer.scene.scene_library import make_scene
from atlas_viewer.scene.strip_display import StripDisplay
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.state import State
from compute.models.registry import Registry

from .attribution_updater import AttributionUpdater
from .edit_effects import EditEffects
from .inspection_updater import InspectionUpdater
from .lens_updater import LensUpdater

if TYPE_CHECKING:
    from atlas_viewer.scene.atlas_scene import AtlasScene


class Displays:
    """Owns what keeps Strip, Map, Attention and Lens up to date. Nothing here waits for the GPU."""

    def __init__(self, state: State, device: wgpu.GPUDevice, backend: Any) -> None:
        """device: the device that pygfx uses; backend: the imgui renderer's backend."""
        self._device = device
        self._scene: AtlasScene | None = None  # created when a view is first drawn
        self._strip = StripDisplay(state, self._made_scene, backend)
        self._map = MapDisplay(state, self._made_scene, backend)
        self._latest: tuple[Registry, int] | None = None  # the registry, and how many passes it had, at the last note
        self._attention = AttentionDisplay(state, backend)
        self._attribution, self._lens = AttributionUpdater(state), LensUpdater(state)
        self._effects = EditEffects(state)
        self._unshown = False  # a pass has arrived that neither the strip nor the inspection shows
        self._shown_at = 0.0

    def _made_scene(self) -> AtlasScene:
        if self._scene is None:
            self._scene = make_scene(self._device)
        return self._scene

    @property
    def pending(self) -> bool:
        """True while Strip, Map or the inspection has yet to show the latest pass, so that more frames are drawn."""
        waiting = self._attention.pending or self._attribution.pending or self._lens.pending or self._effects.pending
        return self._strip.pending or self._unshown or self._map.pending or waiting

    def follow(self, model: ModelLike) -> None:
        """Show the values of `model`; a model whose context has grown has new buffers."""
        self._strip.follow(model.strip)

    def _follow_attention(self, model: ModelLike) -> None:
        """Show the attention of `model`, whose buffers are made when the panel is first visible."""
        if self._attention.visible:
            self._attention.follow(model.attention, model.unavailable)

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
        self, model: ModelLike, updater: InspectionUpdater | None, now: float, interval: float, pass_complete: bool
    ) -> None:
        """Show the latest pass in Strip and Map, and in the inspection through `updater`.

        pass_complete: whether the tensors belong to one whole pass, so that views may be painted. now, interval: in
        seconds; updates are at least `interval` apart.
        """
        if (self._strip.pending or self._unshown) and now - self._shown_at >= interval and pass_complete:
            self._strip.paint()
            if updater is not None:
                if self._unshown:
                    updater.passed()
                updater.painted()
            self._strip.lay_out()
            self._unshown, self._shown_at = False, now
        self._effects.frame(model)
        self._follow_attention(model)
        self._attention.frame(now, interval, pass_complete)
        self._attribution.follow(model)
        self._attribution.frame(now, interval, pass_complete)
        self._lens.frame(model, now, interval, pass_complete)
        if model.map_source is None:
            self._map.without_source(model.unavailable)
        else:
            self._map.frame(model.map_source, now, interval, pass_complete)

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
