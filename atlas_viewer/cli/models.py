"""`models`: list, fetch, find, verify and convert models."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from atlas_viewer.hub.catalogue import CATALOGUE, CatalogueEntry, entry_of
from atlas_viewer.hub.store import damage, others, state
from compute.errors import CheckpointError, PromptError, TensorsError, UsageError
from compute.io.escape import one_line
from compute.models.architectures import describe, parameter_count
from compute.text.chat import Turn
from compute.weights.checkpoint import WeightSource, model_files, open_model
from compute.weights.convert import convert, weights_file
from compute.weights.model_cache import fetched_model, is_repository, model_folder, models_folder
from compute.weights.model_tokenizer import tokenizer_of
from compute.weights.verify import TensorReport, verify
from compute.weights.weight_types import weight_bytes

from .output_paths import check_replaced
from .progress import bytes_bar
from .shared import weights_spec
from .streams import note


def run(arguments: argparse.Namespace) -> int:
    """Run the action and return its exit status."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "list": _list,
        "fetch": _fetch,
        "path": _path,
        "verify": _verify,
        "convert": _convert,
    }
    return actions[arguments.action](arguments)


def _list(arguments: argparse.Namespace) -> int:
    records: list[dict[str, Any]] = [
        {
            "name": entry.name,
            "what": entry.what,
            "licence": entry.licence,
            "repo": entry.repo,
            "bytes": known_bytes(entry),
            "state": state(entry.name),
        }
        for entry in CATALOGUE.values()
    ]
    for other in others(CATALOGUE):
        stored = sum(file.size for file in other.files)
        records.append(
            {
                "name": other.name,
                "what": "a repository on the hub",
                "licence": other.licence,
                "repo": other.repo,
                "bytes": stored,
                "state": state(other.name),
            }
        )
    wide = max(14, *(len(record["name"]) for record in records)) + 1
    if arguments.json:
        print(json.dumps(records, indent=2))
        return 0
    for record in records:
        size = f"{record['bytes'] / 1e6:,.0f} MB" if record["bytes"] else "-"
        print(f"{record['name']:<{wide}}{record['state']:<9}{size:>9}  {record['licence']:<12}{record['what']}")
    return 0


def known_bytes(entry: CatalogueEntry) -> int | None:
    """Size in bytes of the weights of `entry`, or about that of all its files; None if only the hub knows it."""
    return entry.size or max((file.size or 0 for file in entry.files), default=0) or None


def _fetch(arguments: argparse.Namespace) -> int:
    entry = entry_of(arguments.name)
    if state(entry.name) == "fetched":
        print(f"{entry.name} is already on this machine: {model_folder(entry.name)}")
        return 0
    # Imported here, because they load the network libraries, which no other action needs.
    from atlas_viewer.hub.fetch import fetch, free_bytes, missing_bytes
    from atlas_viewer.hub.look_up import look_up

    offer = look_up(entry)
    entry, folder = offer.entry, model_folder(entry.name)
    print(f"{entry.name}: {entry.what}")
    print(f"  license   {entry.licence}")
    print(f"  from      {entry.repo} at {offer.revision}")
    print(f"  size      {offer.size / 1e6:,.1f} MB, {missing_bytes(offer) / 1e6:,.1f} MB to download")
    print(f"  to        {folder} ({free_bytes() / 1e6:,.0f} MB free)", flush=True)
    if not arguments.yes and not _confirmed(entry.name):
        print("nothing was fetched")
        return 1
    with bytes_bar(entry.name, offer.size) as bar:

        def advance(done: int, _total: int) -> None:
            bar.update(done - bar.n)

        fetch(offer, advance)
    print(f"{entry.name} is in {folder}; use it with --model {entry.name}")
    return 0


def _confirmed(name: str) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            f"models fetch {name}: cannot ask, because standard input is not a terminal;"
            " accept the license and the size with --yes"
        )
    try:
        return input("Download it under this license? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _path(arguments: argparse.Namespace) -> int:
    print(models_folder() if arguments.name is None else fetched_model(entry_of(arguments.name).name, "name"))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    spec = arguments.path
    if spec in CATALOGUE or (is_repository(spec) and not os.path.exists(spec) and state(spec) != "absent"):
        fetched_model(spec, "path")
        damages = damage(spec)
        if damages:
            print("\n".join(map(one_line, damages)))
            raise CheckpointError(f"PATH {spec}: is damaged; remove {model_folder(spec)} and fetch it again")
    try:
        source = open_model(spec, "path")
    except TensorsError as error:
        print("\n".join(map(one_line, error.problems)))
        raise
    _check_tokenizer(source)
    with bytes_bar(source.name, _stored_bytes(source)) as bar:
        reports = verify(source, lambda done: bar.update(round(done * bar.total) - bar.n))
    source.close()
    bad = [report for report in reports if report.first is not None]
    for report in bad:
        print(_line(report))
    values = parameter_count(source.config)
    if bad:
        raise CheckpointError(
            f"{one_line(spec)}: {len(bad)} of {len(reports)} tensors have values that are not finite; use another copy"
        )
    print(f"{one_line(spec)}: {len(reports)} tensors, {values:,} parameters, {source.dtype}, all finite")
    return 0


def _check_tokenizer(source: WeightSource) -> None:
    """Raise `TokenizerError` for a tokenizer that cannot be used; say why a chat does not work."""
    tokenizer = tokenizer_of(source)
    if tokenizer.chat is not None:
        try:
            tokenizer.encode_chat([Turn("user", "Hello")])
        except PromptError as error:
            note(error)


def _line(report: TensorReport) -> str:
    kinds = [f"{count} {kind}" for count, kind in ((report.nan, "NaN"), (report.infinite, "infinite")) if count]
    return (
        f"{one_line(report.name)} {list(report.shape)}: {' and '.join(kinds)}, the first at {list(report.first or ())}"
    )


def _convert(arguments: argparse.Namespace) -> int:
    check_replaced(weights_file(arguments.target), model_files(arguments.source, "source"))
    source = open_model(arguments.source, "source")
    try:
        files = convert(source, arguments.target, weights_spec(arguments))
    finally:
        source.close()
    for file in files:
        print(file)
    return 0


def _stored_bytes(source: WeightSource) -> int:
    weights = describe(source.config).weights.values()
    return sum(weight_bytes(weight, source.dtype_of(weight.name)) for weight in weights)
