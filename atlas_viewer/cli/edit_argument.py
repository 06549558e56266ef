"""The argument `--edit` of the commands that run a model."""

from __future__ import annotations

from collections.abc import Callable

_HELP = (
    "change values inside the model, such as 'h.3.attn.out[head=4] = 0', 'h.2.resid_post += 2.5 * F.npy' or"
    " 'h.1.mlp.gelu[:, 7] = mean'; may be repeated, and edits apply in the given order"
)


def add_edit(add: Callable[..., object], name: str = "--edit", text: str = _HELP) -> None:
    """Add `--edit`, or an argument like it. `add` is the `add_argument` method of a parser or one of its groups."""
    add(name, action="append", default=[], metavar="SPEC", help=text)
