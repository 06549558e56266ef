"""The argument `--edit` of the commands that run a model."""

from __future__ import annotations

from collections.abc import Callable


def add_edit(add: Callable[..., object]) -> None:
    """Add `--edit`. `add` is the `add_argument` method of a parser or of one of its groups."""
    add(
        "--edit",
        action="append",
        default=[],
        metavar="SPEC",
        help="change values inside the model, such as 'h.3.attn.out[head=4] = 0', 'h.2.resid_post += 2.5 * F.npy' or"
        " 'h.1.mlp.gelu[:, 7] = mean'; may be repeated, and edits apply in the given order",
    )
