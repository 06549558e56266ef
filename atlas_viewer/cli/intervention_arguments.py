"""The arguments of `patch` and `compare`."""

from __future__ import annotations

import argparse

from compute.models.patch_points import PATCHED

from .arguments import TOKEN_HELP, add_context, add_json, file_path
from .edit_argument import add_edit

DIRECTIONS = ("denoise", "noise")


def add_patch(patch: argparse.ArgumentParser) -> None:
    """Add the arguments of `patch`."""
    patch.add_argument("clean", metavar="CLEAN", help="text of the clean run, or - to read it from standard input")
    patch.add_argument("corrupt", metavar="CORRUPT", help="text of the corrupt run, of the same number of tokens")
    patch.add_argument("--target", required=True, metavar="TOKEN", help=f"the token that counts: {TOKEN_HELP}")
    patch.add_argument(
        "--against", required=True, metavar="TOKEN", help="the token whose logit is subtracted from that of the target"
    )
    patch.add_argument(
        "--over",
        required=True,
        choices=tuple(PATCHED),
        help="what is patched: the residual stream before each block, what attention or the MLP adds to it, each at one"
        " position; or each head at all positions",
    )
    patch.add_argument(
        "--direction",
        choices=DIRECTIONS,
        default=DIRECTIONS[0],
        help="denoise: clean activations into the corrupt run (default); noise: corrupt ones into the clean run",
    )
    patch.add_argument(
        "--control", action="store_true", help="also patch with random vectors as long as the change by the patch"
    )
    add_context(patch)
    add_edit(patch.add_argument)
    add_json(patch, "a table")
    patch.add_argument(
        "--out", type=file_path, metavar="F", help="write a heat map to this .png file, or the arrays to this .npz file"
    )


def add_compare(compare: argparse.ArgumentParser) -> None:
    """Add the arguments of `compare`."""
    operand = "a model, as for --model, or a step of a recording, F.atlas:STEP, whose pass is computed again"
    compare.add_argument("a", metavar="A", help=operand)
    compare.add_argument("b", metavar="B", help="the same")
    compare.add_argument(
        "--prompt",
        metavar="P",
        help="text that the models run, or - to read it from standard input (default: that of the recording)",
    )
    compare.add_argument("--prompt-b", metavar="Q", help="text that B runs (default: that of A)")
    add_edit(compare.add_argument)
    add_edit(compare.add_argument, "--edit-b", "as --edit, for B; --edit is for A alone")
    add_context(compare)
    add_json(compare, "a table")
    compare.add_argument(
        "--out", type=file_path, metavar="F.png", help="write a picture: how far each tensor differs at each position"
    )
