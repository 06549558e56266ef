"""Names and titles of panels.

The name is the panel's id in settings, saved layouts, recordings, tours and action names. It never changes.
The title is what people read; it equals the name unless `_TITLES` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable

from atlas_viewer.state.navigation import ATLAS

_TITLES = {ATLAS: "Strip", "Session": "Recording", "Run status": "Status"}
# The panels that keys 1, 2 and so on open over the picture, in this order.
DRAWERS = (
    "Prompt", "Sampling", "Generated tokens", "Output", "Logits", "Inspector", "Tensors", "Distribution", "Runs",
)  # fmt: skip


def title(name: str) -> str:
    """The text on this panel's tab."""
    return _TITLES.get(name, name)


def window(name: str) -> str:
    """The name of the panel's imgui window: imgui shows the title and saves the layout under the name."""
    return f"{title(name)}###{name}"


def by_title(names: Iterable[str]) -> dict[str, str]:
    """The name of each panel by its name and by its title."""
    known = tuple(names)
    return {name: name for name in known} | {title(name): name for name in known}
