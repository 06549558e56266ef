"""Arguments for `models` and its actions."""

from __future__ import annotations

import argparse

from .arguments import add_global, add_json, file_path


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add the actions to the parser of `models`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=summary, description=summary)
        add_global(sub)
        return sub

    listing = action("list", "list the models that can be fetched, and show which are on this machine")
    add_json(listing, "lines", what="a list of objects")
    fetch = action("fetch", "fetch a model from the Hugging Face hub, or resume fetching it")
    fetch.add_argument("name", metavar="NAME", help="a name from `models list`, or owner/name of a repository")
    fetch.add_argument("--yes", action="store_true", help="accept the license and the size without being asked")
    path = action("path", "print the path of the models folder, or of one model")
    path.add_argument("name", nargs="?", metavar="NAME", help="a name from `models list`, or owner/name")
    verify = action("verify", "check that every tensor of a model has the right shape and only finite values")
    verify.add_argument("path", metavar="PATH", help="a file, a folder or a model name, as for --model")
    convert = action("convert", "write a model in another format; --weights sets the precision")
    convert.add_argument("source", metavar="IN", help="a file, a folder or a model name, as for --model")
    convert.add_argument(
        "target",
        type=file_path,
        metavar="OUT",
        help="a .bin file (llm.c), a .safetensors file, or a folder in the Hugging Face layout",
    )
