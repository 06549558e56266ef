"""Recordings that SQLite accepts, with any value in any column and in any field of their JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from compute.io.untrusted_json import read_untrusted_json
from compute.models.config_text import architecture_text, details
from compute.selftest.small_models import SMALL_MODELS

from ..mutation import change_value, fresh_value
from ..scratch import folder
from ..session_base import columns, edited
from ..session_use import use_session
from ..target import Target

_PATHS: dict[str, list[list[Any]]] = {
    "options": [["temperature"], ["top"], ["context"], ["seed"], ["max_new_tokens"], ["top_p"], ["top_k"], ["more"]],
    "events": [["value"], ["run"], ["value", "temperature"], ["more"]],
    "cameras": [["zoom"], ["x"], ["y"], ["tensor"], ["index"], ["index", 0], ["width"], ["height"]],
    "session": [["python"], ["more"]],
}
_JSON = {"options": "json", "events": "json", "cameras": "json", "session": "versions"}
_MOST = 8  # edits


def seeds() -> Sequence[bytes]:
    """The recording as it is, and with one edit of each kind."""
    edits: tuple[list[Any], ...] = (
        [],
        [["events", 1, "json", ["value"], 4]],
        [["steps", 1, "entropy", [], None], ["runs", 1, "delete"]],
        [["runs", 0, "copy"], ["tokens", 0, "bytes", [], {"hex": "c3"}]],
        *([_architecture(architecture_text(config))] for config in SMALL_MODELS.values()),
    )
    return [json.dumps(edit).encode() for edit in edits]


def use(data: bytes) -> None:
    """Apply the edits, then do everything that the program does with the recording."""
    try:
        edits = read_untrusted_json(data)
    except ValueError:
        edits = []
    path = folder() / "a.atlas"
    path.write_bytes(
        edited([edit for edit in edits[:_MOST] if isinstance(edit, list)] if isinstance(edits, list) else [])
    )
    use_session(path)


def change(data: bytes, chance: random.Random) -> bytes:
    """Change a value or its position, or add an edit."""
    try:
        return json.dumps(_changed(json.loads(data), chance)).encode()
    except (ValueError, TypeError, RecursionError):  # it is none any more
        return json.dumps([_new_edit(chance)]).encode()


def _changed(edits: list[Any], chance: random.Random) -> list[Any]:
    edits = [edit for edit in edits if isinstance(edit, list) and edit][-_MOST:]
    kind = chance.randrange(5)
    if edits and kind == 0:
        edits.pop(chance.randrange(len(edits)))
    elif edits and kind < 3:
        edit = chance.choice(edits)
        edit[-1] = change_value(edit[-1], chance)
    else:
        edits.insert(chance.randrange(len(edits) + 1), _new_edit(chance))
    return edits


def _new_edit(chance: random.Random) -> list[Any]:
    table = chance.choice(list(columns()))
    row = chance.randrange(4)
    kind = chance.randrange(9)
    if kind == 0:
        return [table, row, chance.choice(("copy", "delete"))]
    if kind == 8:
        return _new_architecture(chance)
    if kind < 5 and table not in _JSON:
        return [table, row, chance.choice(columns()[table]), [], _value(chance)]
    table = table if table in _JSON else chance.choice(list(_JSON))
    return [table, row, _JSON[table], chance.choice(_PATHS[table]), _value(chance)]


def _architecture(text: str) -> list[Any]:
    """The edit that makes the recorded model one of this architecture, with the sizes that the recording has."""
    return ["session", 0, "architecture", [], text]


def _new_architecture(chance: random.Random) -> list[Any]:
    """Another architecture, whose fields are changed, or gone, or of other types."""
    config = chance.choice(list(SMALL_MODELS.values()))
    fields = change_value(details(config), chance, list(details(config)))
    return _architecture(f"{config.architecture} {json.dumps(fields)}")


def _value(chance: random.Random) -> Any:
    if chance.random() < 0.1:
        return {"hex": chance.randbytes(chance.choice((0, 1, 4, 8))).hex()}
    return fresh_value(chance)


TARGET = Target(use, seeds, change, longest=1 << 12, runs=150)
