"""The user's preferences: panels, zoom, theme, presets and earlier prompts. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.sampling.options import GenerateOptions

ZOOMS = (0.5, 0.67, 0.75, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)
KNOWN_AT = "known at"  # the block from which on the lens shows the token first
CHIP_COLORS = ("plain", "probability", "rank", "entropy", KNOWN_AT)
THEME_NAMES = ("dark", "light")
_PROMPTS_KEPT = 200
VIEWS = ("Atlas", "Map", "Attention", "Attribution", "Lens", "Patching")
_LECTURE_ZOOM = 1.5  # in lecture mode, everything is this much larger


@dataclass
class UiState:
    """The state of the interface. The first fields persist (see `settings`), the others end with the window."""

    zoom: float = 0.0  # 0 is the desktop's own scale
    theme: str = "dark"
    hidden: set[str] = field(default_factory=set)  # names of panels
    layout: str = ""  # the docked panels, as imgui writes them
    layout_zoom: float = 1.0  # the effective zoom that the sizes in `layout` are for
    arrangement: str = ""  # the default arrangement that `layout` has; empty for the user's own
    view: str = "Map"  # the view in front, of `VIEWS`; "Atlas" is Strip
    presets: dict[str, GenerateOptions] = field(default_factory=dict)  # the user's own, by name
    edit_presets: dict[str, list[str]] = field(default_factory=dict)  # named lists of edits, see `edit_files`
    prompts: list[str] = field(default_factory=list)  # earlier prompts, newest last
    chip_color: str = "probability"
    seed_locked: bool = True  # otherwise each run draws a new seed
    tables: bool = False  # show the tables with a row per token of the vocabulary on Map
    minimap: bool = True  # show it on Map unless everything is visible
    flow: bool = True  # show arrows between tensors and the residual stream on Map
    glow: bool = True  # highlight the rows on Map that a run has just written
    formulas: bool = True  # show the formula of the cell under the cursor beside it
    recent: list[str] = field(default_factory=list)  # recordings, as `recent_files` keeps them
    timeline: bool = True  # show it below the panels
    # Not saved:
    # By dock node: its size in pixels, and the size that it would have with enough space.
    narrowed: dict[int, tuple[float, float]] = field(default_factory=dict)
    fitted: tuple[float, float, float] = (0.0, 0.0, 0.0)  # width, height and zoom that the default layout has sizes for
    dock_shape: tuple[object, ...] | None = None  # how panels were docked when the mouse button went down
    dock_frames: int = 0  # since it went up
    reset_layout: bool = False  # the next frame resets the layout of the panels
    dialog: str = ""  # the open dialog: "palette", "keys", "about", "models", "save", "discard"
    typed: str = ""  # the search text in the palette
    renaming: int = 0  # number of the run being renamed
    renaming_begun: bool = False
    marked: int = 0  # the selected row of the palette
    front: str = ""  # name of the panel that the next frame brings to the front and focuses
    raised: str = ""  # name of a panel to bring to the front without focusing it
    # (width, height) in pixels of the pictures that this frame draws, by panel name.
    picture_sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)  # names of the panels that the last frame drew
    saved: str = ""  # absolute path of the picture just saved, until the message about it is dismissed
    saved_at: float = 0.0  # when, on `time.monotonic`'s clock
    lecture: bool = False  # the picture fills the window
    folded: bool = False  # panels open over the picture, in lecture mode or in a small window
    drawers: list[str] = field(default_factory=list)  # names of the panels open over the picture, newest last
    tools: bool = True  # Strip and Map show their tools
    details: bool = True  # Strip and Map show the color bar and a line about a value
    held_action: str = ""  # name of the action that lasts as long as its key is held
    quitting: bool = False

    def remember(self, prompt: str) -> None:
        """Add a prompt as the newest one, without duplicates."""
        if prompt in self.prompts:
            self.prompts.remove(prompt)
        self.prompts.append(prompt)
        del self.prompts[:-_PROMPTS_KEPT]

    def toggle(self, panel: str) -> None:
        """Hide the panel with this name, or show it in front."""
        if panel in self.hidden:
            self.hidden.discard(panel)
            self.front = panel
        else:
            self.hidden.add(panel)

    @property
    def docked_zoom(self) -> float:
        """The effective zoom outside lecture mode. A larger window shows more, at the same zoom."""
        return self.zoom or 1.0

    @property
    def effective_zoom(self) -> float:
        """The effective zoom of the interface."""
        return min(self.docked_zoom * _LECTURE_ZOOM, ZOOMS[-1]) if self.lecture else self.docked_zoom

    def toggle_drawer(self, panel: str) -> None:
        """Open a panel over the picture, or close it."""
        if panel in self.drawers:
            self.drawers.remove(panel)
        else:
            self.hidden.discard(panel)
            self.front = panel

    def step_zoom(self, steps: int) -> None:
        """Set the next larger (1) or smaller (-1) of `ZOOMS`."""
        now = self.docked_zoom
        larger = [zoom for zoom in ZOOMS if zoom > now + 1e-3]
        smaller = [zoom for zoom in ZOOMS if zoom < now - 1e-3]
        if steps > 0:
            self.zoom = larger[0] if larger else ZOOMS[-1]
        else:
            self.zoom = smaller[-1] if smaller else ZOOMS[0]
