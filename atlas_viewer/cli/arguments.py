"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from compute.sampling.options import GenerateOptions

PRECISIONS = ("native", "f32", "f16", "bf16")


def file_path(text: str) -> Path:
    """A path; an empty one would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a path")
    return Path(text)


def size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT in pixels, each from 1 to 16384."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: give WIDTHxHEIGHT, such as 1280x720") from None
    if not (1 <= width <= 16384 and 1 <= height <= 16384):
        raise argparse.ArgumentTypeError(f"{text}: each side must be from 1 to 16384 pixels")
    return width, height


def point(text: str) -> tuple[float, float]:
    """X,Y in cells."""
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no point: give X,Y in cells, such as 320,180") from None
    return x, y


def add_camera(add: Callable[..., object]) -> None:
    """Where to look. `add` is the `add_argument` of a parser, or of a group of one."""
    add(
        "--zoom",
        type=float,
        default=1.0,
        metavar="Z",
        help="from 1 (default: everything) to 64, of the map to single digits",
    )
    add("--center", type=point, default=None, metavar="X,Y", help="in cells")


def add_prompt(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Add PROMPT, which may be left out where there is a default."""
    text = "text to go on with; - reads standard input"
    if default is None:
        parser.add_argument("prompt", metavar="PROMPT", help=text)
    else:
        parser.add_argument(
            "prompt", nargs="?", default=default, metavar="PROMPT", help=f"{text} (default {default!r})"
        )


def add_recording(parser: argparse.ArgumentParser) -> None:
    """Add the recording to read."""
    parser.add_argument("file", type=file_path, metavar="F.atlas", help="a session file")


def add_json(parser: argparse.ArgumentParser, instead_of: str, *, what: str = "one JSON object") -> None:
    """Add `--json`, which prints `what` instead of something."""
    parser.add_argument("--json", action="store_true", help=f"{what} instead of {instead_of}")


def add_top(parser: argparse.ArgumentParser, where: str = "") -> None:
    """Add `--top`: how many candidates each step keeps."""
    parser.add_argument("--top", type=int, metavar="N", help=f"candidates a step{where} (default 8)")


def add_size(add: Callable[..., object], what: str = "in pixels") -> None:
    """Add `--size`. `add` is the `add_argument` of a parser, or of a group of one."""
    add("--size", type=size, default=(1280, 720), metavar="WxH", help=f"{what} (default 1280x720)")


def add_view(add: Callable[..., object]) -> None:
    """Add `--view`: which of the two views to draw. `add` as for `add_size`."""
    add("--view", choices=("strip", "map"), default="strip", help="a sample of every tensor (default), or every value")


def add_global(parser: argparse.ArgumentParser) -> None:
    """Options that every command takes, before or after its name."""
    # SUPPRESS, so that a value given before the command is not overwritten by the command's default.
    group = parser.add_argument_group("model and device")
    group.add_argument(
        "--model",
        default=argparse.SUPPRESS,
        metavar="NAME|PATH",
        help="stories (default), gpt2, a .bin or .safetensors file, a folder, random:gpt2, ...",
    )
    group.add_argument(
        "--weights",
        default=argparse.SUPPRESS,
        choices=PRECISIONS,
        help="precision on the GPU (default: as in the file)",
    )
    group.add_argument(
        "--adapter", default=argparse.SUPPRESS, metavar="TEXT", help="use the adapter with TEXT in its name"
    )
    group.add_argument(
        "--program",
        default=argparse.SUPPRESS,
        choices=("auto", "chain", "fused", "rows"),
        help="kernels of the forward pass (default auto: the fastest that prove right on this adapter)",
    )
    group.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show a traceback when something fails"
    )


def add_sampling(parser: argparse.ArgumentParser, *, tokens: int) -> None:
    """Options of a generation of `tokens` tokens by default; their names are those of `GenerateOptions`."""
    default = GenerateOptions()
    group = parser.add_argument_group("generation")
    group.add_argument(
        "-n", dest="max_new_tokens", type=int, default=tokens, metavar="N", help=f"tokens to write (default {tokens})"
    )
    group.add_argument(
        "--context",
        type=int,
        default=None,
        metavar="W",
        help="window in tokens (default 256, or the model's positions)",
    )
    group.add_argument(
        "--temperature",
        type=float,
        default=default.temperature,
        metavar="T",
        help=f"0 is argmax (default {default.temperature})",
    )
    group.add_argument(
        "--top-k", type=int, default=default.top_k, metavar="K", help="draw from the K likeliest (default 0: from all)"
    )
    group.add_argument(
        "--top-p",
        type=float,
        default=default.top_p,
        metavar="P",
        help="draw from the likeliest that make up the probability P (default 1: from all)",
    )
    group.add_argument(
        "--min-p",
        type=float,
        default=default.min_p,
        metavar="P",
        help="draw from those at least P times as likely as the likeliest (default 0: from all)",
    )
    group.add_argument(
        "--repetition-penalty",
        type=float,
        default=default.repetition_penalty,
        metavar="R",
        help="above 1 makes tokens of the window less likely (default 1: off)",
    )
    group.add_argument("--seed", type=int, default=default.seed, metavar="S", help="of the random numbers (default 0)")
