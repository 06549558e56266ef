"""The command-line parser: commands, arguments and help texts."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from atlas_viewer import __version__
from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.ui_state import THEME_NAMES
from compute.errors import UsageError

from .arguments import (
    TOKEN_HELP,
    add_camera,
    add_chat,
    add_context,
    add_global,
    add_json,
    add_lens_file,
    add_prompt,
    add_sampling,
    add_size,
    add_top,
    add_view,
    file_path,
)
from .edit_argument import add_edit
from .intervention_arguments import add_compare, add_patch
from .models_arguments import add_models
from .session_arguments import add_session

DEFAULT_PROMPT = "Once upon a time, there was a"


class _Parser(argparse.ArgumentParser):
    """A parser that raises usage errors, so that they are reported in one line like every other error."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def build_parser() -> argparse.ArgumentParser:
    """The parser for the whole command line."""
    parser = _Parser(
        prog="atlas-viewer",
        description="Run a language model on the GPU and watch every number as it is computed.",
        epilog="Without a command, the window opens. A prompt of - is read from standard input.",
    )
    parser.add_argument("--version", action="version", version=f"atlas-viewer {__version__}")
    add_global(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        add_global(sub)
        return sub

    _add_view(command("view", "open the window (the default)"))
    _add_generate(command("generate", "generate text and print it"))
    _add_render(command("render", "save one picture, without a window"))
    _add_atlas(command("atlas", "save the strip as arrays"))
    _add_trace(command("trace", "print statistics of every tensor in the last pass"))
    _add_capture(command("capture", "save activations as arrays"))
    _add_score(command("score", "print how well the model predicts a text, token by token"))
    _add_lens(command("lens", "print what the model would predict after each block (logit lens)"))
    _add_attribute(command("attribute", "print what each part of the model adds to a logit"))
    add_patch(command("patch", "print what each part of one run does in another run (activation patching)"))
    add_compare(command("compare", "compare two passes tensor by tensor"))
    _add_bench(command("bench", "measure the speed of prefill, decode, strip, map and frames on this adapter"))
    add_session(command("session", "record runs; verify, compare, replay and export recordings"))
    add_models(command("models", "fetch, verify and convert models"))
    _add_doctor(command("doctor", "report what this machine has and what it lacks"))
    return parser


def _add_view(view: argparse.ArgumentParser) -> None:
    add_prompt(view, DEFAULT_PROMPT)
    add_sampling(view, tokens=64)
    view.add_argument(
        "--walk", type=file_path, metavar="FILE", help="open a walk: pages of text that explain the model"
    )
    add_edit(view.add_argument)
    view.add_argument("--tour", type=file_path, metavar="FILE", help="play a scripted tour, then close the window")
    view.add_argument(
        "--pictures", type=file_path, default=Path("."), metavar="DIR", help="folder for the tour's pictures"
    )
    view.add_argument(
        "--record-tour", type=file_path, metavar="FILE", help="record what you do in the window as a tour"
    )


def _add_generate(generate: argparse.ArgumentParser) -> None:
    add_prompt(generate)
    add_sampling(generate, tokens=16)
    add_edit(generate.add_argument)
    add_json(generate, "text")
    add_top(generate, " in the JSON")
    generate.add_argument(
        "--logits",
        type=file_path,
        metavar="F.npy",
        help="also write the logits, float32 [steps, vocabulary], to this .npy file",
    )


def _add_render(render: argparse.ArgumentParser) -> None:
    add_prompt(render)
    add_sampling(render, tokens=16)
    add_edit(render.add_argument)
    render.add_argument("--out", type=file_path, required=True, metavar="F.png", help="the .png file to write")
    add_size(render.add_argument)
    add_view(render.add_argument)
    render.add_argument("--panels", action="store_true", help="draw the whole window, not just the view")
    render.add_argument("--theme", choices=THEME_NAMES, default=THEME_NAMES[0], help="panel theme (default dark)")
    add_camera(render.add_argument)
    render.add_argument(
        "--place", default=None, metavar="NAME[INDEX]", help="value to center the map on, such as 'h.3.attn.qkv[5, 12]'"
    )


def _add_atlas(atlas: argparse.ArgumentParser) -> None:
    add_prompt(atlas)
    add_sampling(atlas, tokens=1)
    add_edit(atlas.add_argument)
    atlas.add_argument("--out", type=file_path, required=True, metavar="F.npz", help="the .npz file to write")
    atlas.add_argument(
        "--sampling",
        choices=("point", "pool"),
        default="point",
        help="value that a cell shows: the first that it covers (default), or the largest in magnitude",
    )


def _add_trace(trace: argparse.ArgumentParser) -> None:
    add_prompt(trace)
    add_sampling(trace, tokens=1)
    add_edit(trace.add_argument)
    add_json(trace, "lines", what="a list of objects")


def _add_capture(capture: argparse.ArgumentParser) -> None:
    add_prompt(capture)
    add_sampling(capture, tokens=0)
    add_edit(capture.add_argument)
    capture.add_argument(
        "--out", type=file_path, required=True, metavar="F", help="the .npz or .safetensors file to write"
    )
    capture.add_argument(
        "--names",
        action="append",
        metavar="GLOB",
        help="name or glob of what to save, such as 'h.*.resid_post' or 'blocks.0.hook_*'; may be repeated (default:"
        " every activation, the attention patterns and the logits)",
    )
    capture.add_argument(
        "--names-as",
        choices=("atlas", "transformerlens"),
        default="atlas",
        help="naming scheme of the arrays (default atlas)",
    )


def _add_score(score: argparse.ArgumentParser) -> None:
    score.add_argument("text", metavar="TEXT", help="text of any length; - reads standard input")
    add_chat(score, "TEXT")
    add_context(score)
    add_edit(score.add_argument)
    add_json(score, "a table")


def _add_lens(lens: argparse.ArgumentParser) -> None:
    lens.add_argument("prompt", metavar="PROMPT", help="text that fits into the context; - reads standard input")
    add_chat(lens)
    add_edit(lens.add_argument)
    add_context(lens)
    add_json(lens, "a table")
    lens.add_argument(
        "--top", type=int, default=5, metavar="K", help="tokens to report for each cell, up to 100 (default 5)"
    )
    lens.add_argument("--target", metavar="TOKEN", help=f"also report logit and rank of this token: {TOKEN_HELP}")
    add_lens_file(lens)
    lens.add_argument(
        "--out",
        type=file_path,
        metavar="F",
        help="write a file: .npz with top_tokens and top_logits [points, positions, K], or .png or .svg with the grid"
        " as a picture",
    )


def _add_attribute(attribute: argparse.ArgumentParser) -> None:
    attribute.add_argument("prompt", metavar="PROMPT", help="text that fits into the context; - reads standard input")
    add_chat(attribute)
    add_edit(attribute.add_argument)
    add_context(attribute)
    add_json(attribute, "bars")
    attribute.add_argument(
        "--target", required=True, metavar="TOKEN", help=f"the token whose logit is split: {TOKEN_HELP}"
    )
    attribute.add_argument(
        "--against", metavar="TOKEN", help="split the difference between the logits of target and this token"
    )
    attribute.add_argument(
        "--position",
        type=int,
        default=-1,
        metavar="P",
        help="the token after which it is predicted, from 0; negative: from the end (default -1, the last)",
    )


def _add_bench(bench: argparse.ArgumentParser) -> None:
    add_json(bench, "a table")
    bench.add_argument(
        "--quick", action="store_true", help="repeat fewer times: about one second per figure instead of five"
    )
    bench.add_argument(
        "--compare",
        choices=("torch", "llama"),
        help="also measure PyTorch with a model of the same sizes, or llama.cpp with the same GGUF file (by its"
        " llama-bench, which must be on the PATH), and print the ratios",
    )
    bench.add_argument(
        "--before", type=file_path, metavar="F.json", help="an earlier output of bench --json, to show what has changed"
    )
    bench.add_argument("--out", type=file_path, metavar="F.svg", help="also draw the figures as a picture")
    add_context(bench)
    add_size(bench.add_argument, "size of the frame")


def _add_doctor(doctor: argparse.ArgumentParser) -> None:
    add_json(doctor, "lines")
    doctor.add_argument(
        "--prove",
        action="store_true",
        help="check every kernel and whole passes against float64; exit status 0 if all are correct",
    )


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse `argv`. The default command is `view`. Raises `UsageError`."""
    parser = build_parser()
    given = _with_signs(argv)
    whole = _with_command(given)
    if len(whole) == len(given):
        return parser.parse_args(whole)
    arguments, rest = parser.parse_known_args(whole)
    if rest:
        _check_command(arguments.prompt, rest)
        parser.parse_args(whole)  # raises the error about the remaining arguments
    return arguments


def _check_command(word: str, rest: Sequence[str]) -> None:
    """Raise `UsageError` if the prompt of an implied `view` looks like an unknown command."""
    near = difflib.get_close_matches(word, _COMMANDS, n=1)
    if near:
        raise UsageError(f"{quoted(word)}: unknown command; did you mean {near[0]}?")
    if not rest[0].startswith("-"):
        raise UsageError(
            f"{quoted(word)}: unknown command (see `atlas-viewer --help`); put quotes around a prompt of several words"
        )


def _with_signs(argv: Sequence[str]) -> list[str]:
    """Turn `--center -5,3` into `--center=-5,3`; otherwise argparse would mistake the value for an option."""
    given: list[str] = []
    for text in argv:
        if given and given[-1] in _POINTS and _NEGATIVE.match(text):
            given[-1] += f"={text}"
        else:
            given.append(text)
    return given


_POINTS = {"--center", "--size", "--position"}
_NEGATIVE = re.compile(r"-[\d.]")
_VALUED = {"--model", "--weights", "--adapter", "--program"}
_COMMANDS = {
    "view",
    "generate",
    "render",
    "atlas",
    "trace",
    "capture",
    "score",
    "lens",
    "attribute",
    "patch",
    "compare",
    "bench",
    "session",
    "models",
    "doctor",
}


def _with_command(argv: list[str]) -> list[str]:
    """Insert `view` before the first argument that is not a global option, unless that argument is a command."""
    at = 0
    while at < len(argv) and argv[at].startswith("--"):
        if argv[at] in {"--help", "--version"}:
            return argv
        name = argv[at].split("=")[0]
        if name == "--debug" or "=" in argv[at]:
            at += 1
        elif name in _VALUED:
            at += 2
        else:
            break  # an option of `view`
    if at < len(argv) and (argv[at] in _COMMANDS or argv[at] == "-h"):
        return argv
    return [*argv[:at], "view", *argv[at:]]
