"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from compute.sampling.options import GenerateOptions

from .prompt import given_turn

TOKEN_HELP = "text that is one token (a leading space matters), or an id such as id:11"
PRECISIONS = ("native", "f32", "f16", "bf16")


def file_path(text: str) -> Path:
    """`text` as a path. An empty path is rejected, because it would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a path")
    return Path(text)


def size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT as (width, height) in pixels, both from 1 to 16384."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; give WIDTHxHEIGHT, such as 1280x720") from None
    if not (1 <= width <= 16384 and 1 <= height <= 16384):
        raise argparse.ArgumentTypeError(f"{text}: each side must be from 1 to 16384 pixels")
    return width, height


def point(text: str) -> tuple[float, float]:
    """X,Y as (x, y) in cells."""
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a point; give X,Y in cells, such as 320,180") from None
    return x, y


def add_camera(add: Callable[..., object]) -> None:
    """Add `--zoom` and `--center`. `add` is the `add_argument` method of a parser or of one of its groups."""
    add(
        "--zoom",
        type=float,
        default=1.0,
        metavar="Z",
        help="1 (default) shows everything. The limit is 64 on the strip. It is far higher on the map, which shows the"
        " numbers once a value is 49 pixels wide: with stories at 1280x720, from about 360 on",
    )
    add("--center", type=point, default=None, metavar="X,Y", help="center of the picture, in cells")


def add_chat(parser: argparse.ArgumentParser, name: str = "PROMPT") -> None:
    """Add the options that make the prompt a chat. name: of the argument with the last turn."""
    group = parser.add_argument_group("chat")
    group.add_argument(
        "--chat", action="store_true", help=f"send {name} as the user's turn, in the model's own chat template"
    )
    group.add_argument(
        "--turn",
        action="append",
        type=given_turn,
        metavar="ROLE:TEXT",
        help=f"a turn before {name}, such as 'system:Be brief.'; may be repeated, and implies --chat",
    )


def add_prompt(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Add PROMPT, which is optional if there is a default, and the options for chats."""
    text = "text to continue, or - to read it from standard input"
    if default is None:
        parser.add_argument("prompt", metavar="PROMPT", help=text)
    else:
        parser.add_argument(
            "prompt", nargs="?", default=default, metavar="PROMPT", help=f"{text} (default {default!r})"
        )
    add_chat(parser)


def add_context(parser: argparse.ArgumentParser) -> None:
    """Add `--context` for commands without a generation."""
    parser.add_argument(
        "--context", type=int, default=None, metavar="W", help="context length in tokens (default: the model's maximum)"
    )


def add_recording(parser: argparse.ArgumentParser) -> None:
    """Add the path of the recording to read."""
    parser.add_argument("file", type=file_path, metavar="F.atlas", help="a recording")


def add_json(parser: argparse.ArgumentParser, instead_of: str, *, what: str = "one JSON object") -> None:
    """Add `--json`, which prints `what` instead of the usual output."""
    parser.add_argument("--json", action="store_true", help=f"print {what} instead of {instead_of}")


def add_top(parser: argparse.ArgumentParser, where: str = "") -> None:
    """Add `--top`, the number of candidates that each step keeps."""
    parser.add_argument("--top", type=int, metavar="N", help=f"candidates per step{where} (default 8)")


def add_size(add: Callable[..., object], what: str = "size in pixels") -> None:
    """Add `--size`. `add` is as for `add_camera`."""
    add("--size", type=size, default=(1280, 720), metavar="WxH", help=f"{what} (default 1280x720)")


def add_view(add: Callable[..., object]) -> None:
    """Add `--view`, which selects the view to draw. `add` is as for `add_camera`."""
    add(
        "--view",
        choices=("strip", "map"),
        default="strip",
        help="strip: a sample of every tensor (default); map: every value",
    )


def add_global(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command accepts, before or after its name."""
    # SUPPRESS, so that a value given before the command is not overwritten by the command's default.
    group = parser.add_argument_group("model and device")
    group.add_argument(
        "--model",
        default=argparse.SUPPRESS,
        metavar="NAME|PATH",
        help="stories (default), gpt2, a .bin, .gguf or .safetensors file, a folder, random:gpt2, ...",
    )
    group.add_argument(
        "--weights",
        default=argparse.SUPPRESS,
        choices=PRECISIONS,
        help="precision of the weights on the GPU (default: as in the file)",
    )
    group.add_argument(
        "--adapter", default=argparse.SUPPRESS, metavar="TEXT", help="use the GPU adapter whose name contains TEXT"
    )
    group.add_argument(
        "--program",
        default=argparse.SUPPRESS,
        choices=("auto", "chain", "fused", "rows"),
        help="kernels for the forward pass (default auto: the fastest that compute correctly on this adapter)",
    )
    group.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="print a traceback when something fails"
    )


def add_sampling(parser: argparse.ArgumentParser, *, tokens: int) -> None:
    """Add the generation options, with a default of `tokens` tokens. Their names are those of `GenerateOptions`."""
    default = GenerateOptions()
    group = parser.add_argument_group("generation")
    group.add_argument(
        "-n",
        dest="max_new_tokens",
        type=int,
        default=tokens,
        metavar="N",
        help=f"tokens to generate (default {tokens})",
    )
    group.add_argument(
        "--context",
        type=int,
        default=None,
        metavar="W",
        help="context length in tokens (default 256, or the model's maximum if that is less)",
    )
    group.add_argument(
        "--temperature",
        type=float,
        default=default.temperature,
        metavar="T",
        help=f"0 always picks the most likely token (default {default.temperature})",
    )
    group.add_argument(
        "--top-k",
        type=int,
        default=default.top_k,
        metavar="K",
        help="sample from the K most likely tokens (default 0: from all)",
    )
    group.add_argument(
        "--top-p",
        type=float,
        default=default.top_p,
        metavar="P",
        help="sample from the most likely tokens whose probabilities add up to P (default 1: from all)",
    )
    group.add_argument(
        "--min-p",
        type=float,
        default=default.min_p,
        metavar="P",
        help="sample from tokens at least P times as likely as the most likely one (default 0: from all)",
    )
    group.add_argument(
        "--repetition-penalty",
        type=float,
        default=default.repetition_penalty,
        metavar="R",
        help="above 1, makes tokens that are already in the context less likely (default 1: off)",
    )
    group.add_argument(
        "--seed", type=int, default=default.seed, metavar="S", help="seed for the random numbers (default 0)"
    )


def add_lens_file(parser: argparse.ArgumentParser) -> None:
    """Add `--lens-file`."""
    parser.add_argument(
        "--lens-file",
        type=file_path,
        metavar="F",
        help="tuned or Jacobian lens, a .npz or .safetensors file: arrays POINT.weight [C, C] (out, in) and POINT.bias"
        " [C], where a point is such as h.3.resid_post",
    )
