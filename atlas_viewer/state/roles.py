"""What a tensor is for a reader of the pictures, and the colors that say so. Cells keep their colors for the sign."""

from __future__ import annotations

import enum

from compute.models.registry import Tensor
from compute.views.palettes import Rgb


class Role(enum.Enum):
    """The kind of a tensor, as frames and name plates show it."""

    WEIGHT = "weight"
    ACTIVATION = "activation"
    ATTENTION = "attention"
    LOGITS = "logits"


def role_of(tensor: Tensor) -> Role:
    """The role of a tensor of the registry."""
    if tensor.heads:
        return Role.ATTENTION
    return role_of_kind(tensor.kind)


def role_of_kind(kind: str) -> Role:
    """The role of a tensor of this kind that is not an attention pattern."""
    return {"weight": Role.WEIGHT, "logits": Role.LOGITS}.get(kind, Role.ACTIVATION)


# Far from the hues of the palettes, and far enough from each other for any kind of color vision: they differ in
# lightness too. Each has a contrast of at least 4.5:1 to the ground of its theme.
_DARK: dict[Role, Rgb] = {
    Role.WEIGHT: (0.58, 0.62, 0.70),
    Role.ACTIVATION: (0.30, 0.85, 0.62),
    Role.ATTENTION: (0.84, 0.60, 1.00),
    Role.LOGITS: (1.00, 0.58, 0.42),
}
_LIGHT: dict[Role, Rgb] = {
    Role.WEIGHT: (0.36, 0.40, 0.47),
    Role.ACTIVATION: (0.00, 0.42, 0.29),
    Role.ATTENTION: (0.47, 0.19, 0.68),
    Role.LOGITS: (0.66, 0.22, 0.06),
}
_STREAM: dict[str, Rgb] = {"dark": (0.93, 0.91, 0.83), "light": (0.30, 0.27, 0.18)}


def role_color(role: Role, theme: str) -> Rgb:
    """The color of a role in a theme, "dark" or "light"."""
    return (_LIGHT if theme == "light" else _DARK)[role]


def role_ink(role: Role, theme: str) -> Rgb:
    """The color of text about a role in a theme, with a contrast of at least 9:1 to its ground.

    The strokes of small letters do not cover whole pixels; with this they still reach 4.5:1.
    """
    red, green, blue = role_color(role, theme)
    if theme == "light":
        return 0.45 * red, 0.45 * green, 0.45 * blue
    return 0.8 * red + 0.2, 0.8 * green + 0.2, 0.8 * blue + 0.2


def stream_color(theme: str) -> Rgb:
    """The color of the residual stream in a theme."""
    return _STREAM["light" if theme == "light" else "dark"]


def accent_color(theme: str) -> Rgb:
    """The color of what a panel points out on Map: that of links in a theme."""
    return (0.08, 0.35, 0.79) if theme == "light" else (0.30, 0.58, 0.98)
