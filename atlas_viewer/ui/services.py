"""Objects that panels use besides the state: pictures and the tokenizer."""

from __future__ import annotations

from dataclasses import dataclass

from imgui_bundle import imgui

from atlas_viewer.state.protocols import TokenCodec


@dataclass(frozen=True)
class Services:
    """Passed to the panels in every frame.

    A panel with a picture writes its size, in pixels, to `state.ui.picture_sizes`; after the panels, the frame loop
    draws the picture at that size into the texture that the panel shows.
    """

    strip: imgui.ImTextureRef | None = None  # the pictures; None while there are none
    map: imgui.ImTextureRef | None = None
    heads: imgui.ImTextureRef | None = None  # of Attention: the wall of all heads, and the three matrices of one
    matrices: tuple[imgui.ImTextureRef | None, ...] = (None, None, None)
    tokenizer: TokenCodec | None = None  # the model's tokenizer; None while there is no model
