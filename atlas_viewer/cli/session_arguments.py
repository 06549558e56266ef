"""Arguments for `session` and its verbs."""

from __future__ import annotations

import argparse

from .arguments import (
    add_camera,
    add_global,
    add_json,
    add_lens_file,
    add_prompt,
    add_recording,
    add_sampling,
    add_size,
    add_top,
    add_view,
    file_path,
)
from .edit_argument import add_edit


def add_session(parser: argparse.ArgumentParser) -> None:
    """Add the verbs to the parser of `session`."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=type(parser))

    def verb(name: str, summary: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=summary, description=summary)
        add_global(sub)
        return sub

    _add_record(verb("record", "generate text and record everything about the run in a file"))

    info = verb("info", "show what a recording contains")
    add_recording(info)
    add_json(info, "lines")

    verify = verb("verify", "run the recorded tokens through the model again and compare every figure")
    add_recording(verify)
    verify.add_argument(
        "--tolerance",
        type=float,
        default=None,
        metavar="D",
        help="largest accepted difference between logits (default 0.004)",
    )
    add_json(verify, "lines")

    replay = verb("replay", "open a recording in the window and play it")
    add_recording(replay)
    replay.add_argument("--run", type=int, default=None, metavar="N", help="run to start with (default: the last)")
    replay.add_argument(
        "--follow", action="store_true", help="also show the steps that another process is still adding"
    )

    _add_export(verb("export", "export a recording as video, pictures, text or arrays"))

    _add_diff(verb("diff", "compare two recordings step by step; exit status 1 if they differ"))

    recover = verb("recover", "save what is still readable in a damaged recording")
    add_recording(recover)
    recover.add_argument(
        "--out",
        type=file_path,
        required=True,
        metavar="G.atlas",
        help="the recording to write; the file must not exist",
    )


def _add_record(record: argparse.ArgumentParser) -> None:
    add_prompt(record)
    add_sampling(record, tokens=16)
    add_edit(record.add_argument)
    record.add_argument(
        "--out",
        type=file_path,
        required=True,
        metavar="F.atlas",
        help="the recording to write; the file must not exist",
    )
    add_top(record)
    record.add_argument(
        "--logits",
        choices=("none", "f16", "f32"),
        default="f16",
        help="precision of the recorded logits, or none (default f16)",
    )
    record.add_argument("--no-statistics", action="store_true", help="do not record tensor statistics")
    record.add_argument(
        "--with-lens",
        action="store_true",
        help="also record the logit lens: after every block, what the model would predict at the newest token of each"
        " step and at every token of the prompt",
    )
    record.add_argument(
        "--lens-top", type=int, default=None, metavar="K", help="tokens for each cell of the lens (default 5)"
    )
    add_lens_file(record)


def _add_export(export: argparse.ArgumentParser) -> None:
    add_recording(export)
    export.add_argument(
        "--run",
        type=int,
        default=None,
        metavar="N",
        help="run for pictures, video, arrays and lens (default: the last)",
    )
    group = export.add_argument_group("what to write (at least one)")
    group.add_argument(
        "--json", nargs="?", const="-", metavar="F.json", help="everything except the arrays (default: standard output)"
    )
    group.add_argument(
        "--csv", nargs="?", const="-", metavar="F.csv", help="one line per step (default: standard output)"
    )
    group.add_argument("--npz", type=file_path, metavar="F.npz", help="all arrays, including logits and statistics")
    group.add_argument(
        "--lens",
        type=file_path,
        metavar="F",
        help="the recorded lens: .csv with a line for each token of each cell; .png or .svg with the grid as a picture",
    )
    group.add_argument("--png", type=file_path, metavar="DIR", help="one picture per step, in this folder")
    group.add_argument("--video", type=file_path, metavar="F.mp4", help="a video: .mp4, .mkv or .webm")
    pictures = export.add_argument_group("pictures and video")
    add_size(pictures.add_argument)
    pictures.add_argument("--fps", type=int, default=30, metavar="N", help="frames per second (default 30)")
    pictures.add_argument("--step-frames", type=int, default=6, metavar="N", help="frames per step (default 6)")
    add_view(pictures.add_argument)
    pictures.add_argument("--panels", action="store_true", help="draw the whole window, with the view in front")
    pictures.add_argument(
        "--camera",
        choices=("follow", "fixed"),
        default="follow",
        help="follow: as recorded, starting at --zoom and --center (default); fixed: --zoom and --center throughout",
    )
    add_camera(pictures.add_argument)


def _add_diff(diff: argparse.ArgumentParser) -> None:
    diff.add_argument("file", type=file_path, metavar="A.atlas", help="a recording")
    diff.add_argument("other", type=file_path, metavar="B.atlas", help="the recording to compare it with")
    diff.add_argument("--run", type=int, default=None, metavar="N", help="run of A (default: the last)")
    diff.add_argument("--other-run", type=int, default=None, metavar="N", help="run of B (default: the last)")
    add_json(diff, "lines")
