"""What the user has arranged: panels, zoom, theme, presets and earlier prompts. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.sampling.options import GenerateOptions

ZOOMS = (0.5, 0.67, 0.75, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)
CHIP_COLORS = ("plain", "probability", "rank", "entropy")
THEME_NAMES = ("dark", "light")
_PROMPTS_KEPT = 200
# Up to this height of the window, in logical pixels, the zoom that follows it is this.
_AUTOMATIC = ((1300.0, 1.0), (1800.0, 1.5), (float("inf"), 2.0))


@dataclass
class UiState:
    """Remembered between runs of the program (see `settings`), but for what is open at the moment."""

    zoom: float = 0.0  # 0 follows the size of the window
    theme: str = "dark"
    hidden: set[str] = field(default_factory=set)  # titles of panels
    layout: str = ""  # of docked panels, as imgui writes it
    layout_zoom: float = 1.0  # that its sizes are for: the zoom in force
    presets: dict[str, GenerateOptions] = field(default_factory=dict)  # those of the user, by name
    prompts: list[str] = field(default_factory=list)  # earlier ones, the newest last
    chip_color: str = "probability"
    seed_locked: bool = True  # otherwise each run draws a new seed
    minimap: bool = True  # shown on the map when it is not seen whole
    glow: bool = True  # of the rows on the map that a run has just written
    # Not remembered:
    # Pixels that a part of the layout has and those that it would have with more room, by its number.
    narrowed: dict[int, tuple[float, float]] = field(default_factory=dict)
    reset_layout: bool = False  # the next frame lays the panels out anew
    dialog: str = ""  # the one that is open: "palette", "keys", "about"
    typed: str = ""  # into the palette
    renaming: int = 0  # number of the run whose name is being typed
    renaming_begun: bool = False
    marked: int = 0  # row of the palette
    front: str = ""  # title of a panel that the next frame brings to the front and focuses
    raised: str = ""  # of one that it brings to the front and leaves the focus where it is
    # Of the pictures in the panels that this frame draws, by the panel's name: (width, height) in pixels.
    picture_sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)  # titles of the panels that the last frame drew
    view: str = "Atlas"  # or "Map": the one of the two that is looked at
    quitting: bool = False

    def remember(self, prompt: str) -> None:
        """Put a prompt behind the earlier ones, once."""
        if prompt in self.prompts:
            self.prompts.remove(prompt)
        self.prompts.append(prompt)
        del self.prompts[:-_PROMPTS_KEPT]

    def toggle(self, panel: str) -> None:
        """Hide the panel of this title, or show it again in front of others."""
        if panel in self.hidden:
            self.hidden.discard(panel)
            self.front = panel
        else:
            self.hidden.add(panel)

    def zoom_at(self, height: float) -> float:
        """The zoom in force in a window of `height` logical pixels."""
        return self.zoom or next(zoom for highest, zoom in _AUTOMATIC if height <= highest)

    def step_zoom(self, steps: int) -> None:
        """The next larger (1) or smaller (-1) of `ZOOMS` after the zoom that is in force."""
        now = self.layout_zoom
        larger = [zoom for zoom in ZOOMS if zoom > now + 1e-3]
        smaller = [zoom for zoom in ZOOMS if zoom < now - 1e-3]
        if steps > 0:
            self.zoom = larger[0] if larger else ZOOMS[-1]
        else:
            self.zoom = smaller[-1] if smaller else ZOOMS[0]
