"""Arguments of `models`."""

from __future__ import annotations

import argparse

from .arguments import add_global, add_json, file_path


def add_models(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `models` its actions."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=summary, description=summary)
        add_global(sub)
        return sub

    listing = action("list", "list the models that can be fetched, and which of them are here")
    add_json(listing, "lines", what="a list of objects")
    fetch = action("fetch", "fetch a model from the Hugging Face hub, or go on with that")
    fetch.add_argument("name", metavar="NAME", help="as `models list` names it")
    fetch.add_argument("--yes", action="store_true", help="do not ask: licence and size are accepted")
    path = action("path", "print where models are kept, or where one of them is")
    path.add_argument("name", nargs="?", metavar="NAME", help="as `models list` names it")
    verify = action("verify", "check every tensor of a model: its shape, and that its values are finite")
    verify.add_argument("path", metavar="PATH", help="a file, a folder or the name of a model, as for --model")
    convert = action("convert", "write a model in another format; --weights picks another precision")
    convert.add_argument("source", metavar="IN", help="a file, a folder or the name of a model, as for --model")
    convert.add_argument(
        "target", type=file_path, metavar="OUT", help="a .bin file (llm.c), a .safetensors file, or a folder for one"
    )
