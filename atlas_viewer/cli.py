"""The command line: what can be asked for, and how failures are told."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from compute.errors import AtlasError, UsageError

from . import __version__
from .arguments import add_global, add_sampling, point, size
from .commands.models_arguments import add_models
from .commands.session_arguments import add_session
from .interface import THEME_NAMES

DEFAULT_PROMPT = "Once upon a time, there was a"
_PROMPT = "text to go on with; - reads standard input"
_INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl+C


class _Parser(argparse.ArgumentParser):
    """Tells usage errors in one line, like every other error."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = _Parser(
        prog="atlas-viewer",
        description="Runs GPT-2 on the GPU and shows every number while it does.",
        epilog="Without a command the window opens. PROMPT - reads standard input.",
    )
    parser.add_argument("--version", action="version", version=f"atlas-viewer {__version__}")
    add_global(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        add_global(sub)
        return sub

    view = command("view", "open the window (the default)")
    view.add_argument(
        "prompt", nargs="?", default=DEFAULT_PROMPT, metavar="PROMPT", help=f"{_PROMPT} (default {DEFAULT_PROMPT!r})"
    )
    add_sampling(view, tokens=64)
    view.add_argument("--tour", type=Path, metavar="FILE", help="play a scripted tour in the window, then close it")
    view.add_argument("--pictures", type=Path, default=Path("."), metavar="DIR", help="where a tour's pictures go")
    view.add_argument("--record-tour", type=Path, metavar="FILE", help="write what you do in the window as a tour")

    generate = command("generate", "write text to standard output")
    generate.add_argument("prompt", metavar="PROMPT", help=_PROMPT)
    add_sampling(generate, tokens=16)
    generate.add_argument("--json", action="store_true", help="one JSON object instead of text")
    generate.add_argument("--top", type=int, default=8, metavar="N", help="candidates a step in the JSON (default 8)")
    generate.add_argument("--logits", type=Path, metavar="F.npy", help="save the logits, float32 [steps, vocabulary]")

    render = command("render", "save one picture, without a window")
    render.add_argument("prompt", metavar="PROMPT", help=_PROMPT)
    add_sampling(render, tokens=16)
    render.add_argument("--out", type=Path, required=True, metavar="F.png", help="where to write it")
    render.add_argument("--size", type=size, default=(1280, 720), metavar="WxH", help="in pixels (default 1280x720)")
    render.add_argument(
        "--view", choices=("strip", "map"), default="strip", help="a sample of every tensor (default), or every value"
    )
    render.add_argument("--panels", action="store_true", help="the whole window, not the atlas alone")
    render.add_argument("--theme", choices=THEME_NAMES, default=THEME_NAMES[0], help="of the panels (default dark)")
    render.add_argument(
        "--zoom",
        type=float,
        default=1.0,
        metavar="Z",
        help="from 1 (default: everything) to 64, of the map to single digits",
    )
    render.add_argument("--center", type=point, default=None, metavar="X,Y", help="in cells")
    render.add_argument(
        "--place", default=None, metavar="NAME[INDEX]", help="of the map in the middle, such as 'h.3.attn.qkv[5, 12]'"
    )

    atlas = command("atlas", "save the strip atlas as arrays")
    atlas.add_argument("prompt", metavar="PROMPT", help=_PROMPT)
    add_sampling(atlas, tokens=1)
    atlas.add_argument("--out", type=Path, required=True, metavar="F.npz", help="where to write them")
    atlas.add_argument(
        "--sampling",
        choices=("point", "pool"),
        default="point",
        help="what a cell shows: the first value it stands for (default), or the one of largest magnitude",
    )

    trace = command("trace", "print statistics of every tensor of the last pass")
    trace.add_argument("prompt", metavar="PROMPT", help=_PROMPT)
    add_sampling(trace, tokens=1)
    trace.add_argument("--json", action="store_true", help="a list of objects instead of lines")

    bench = command("bench", "measure prefill, decode, atlas, map and frame on this adapter")
    bench.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    bench.add_argument("--quick", action="store_true", help="fewer repeats: about a second a figure instead of five")
    bench.add_argument("--compare", choices=("torch",), help="measure PyTorch too and print the ratios")
    bench.add_argument(
        "--context", type=int, default=None, metavar="W", help="room in tokens (default the model's positions)"
    )
    bench.add_argument("--size", type=size, default=(1280, 720), metavar="WxH", help="of the frame (default 1280x720)")

    add_session(command("session", "record runs, check, compare and export recordings"))

    add_models(command("models", "fetch, check and convert models"))

    doctor = command("doctor", "say what this machine has and lacks")
    doctor.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    return parser


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse `argv`; without a command, `view` is meant. Raises `UsageError`."""
    parser = build_parser()
    return parser.parse_args(_with_command(list(argv)))


_VALUED = {"--model", "--weights", "--adapter", "--program"}
_COMMANDS = {"view", "generate", "render", "atlas", "trace", "bench", "session", "models", "doctor"}


def _with_command(argv: list[str]) -> list[str]:
    """Put `view` before the first argument that is no global option, unless a command stands there."""
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 done, 1 failed, 2 bad usage."""
    given = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in given
    # Vulkan's window-system code complains on stderr when this is unset, even where no window is opened.
    if hasattr(os, "getuid") and sys.platform == "linux" and "XDG_RUNTIME_DIR" not in os.environ:
        folder = _runtime_folder()
        if folder is not None:
            os.environ["XDG_RUNTIME_DIR"] = folder
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows another in its place, rather than ending the run.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        arguments = parse(given)
        # A command's module is loaded only when it runs: `generate` needs no window.
        module = importlib.import_module(f"atlas_viewer.commands.{arguments.command}")
        status = module.run(arguments)
        sys.stdout.flush()
        return int(status)
    except AtlasError as error:
        if debug:
            traceback.print_exc()
        print(f"atlas-viewer: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("atlas-viewer: stopped", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away: nobody is left to tell. Keep the interpreter from trying at exit.
        _silence_output()
        return 1
    except OSError as error:
        # Files have errors of their own: what is left is standard output, on a full disk for example.
        if debug:
            raise
        print(f"atlas-viewer: standard output: cannot be written ({error.strerror}); free its disk", file=sys.stderr)
        _silence_output()
        return 1
    except Exception as error:
        if debug:
            raise
        first = (str(error).splitlines() or [""])[0]
        print(
            f"atlas-viewer: unexpected {type(error).__name__}: {first}; run again with --debug and report this",
            file=sys.stderr,
        )
        return 1


def _silence_output() -> None:
    """Let the interpreter's last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _runtime_folder() -> str | None:
    """A folder of our own below the temporary one; None where somebody else's stands in its place."""
    path = Path(tempfile.gettempdir()) / f"atlas-viewer-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    return str(path) if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.getuid() else None
