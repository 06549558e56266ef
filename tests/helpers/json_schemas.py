"""The schemas of the JSON output, and the checks of values against them."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from helpers.paths import ROOT

Schema = dict[str, Any]

SCHEMAS: dict[str, Schema] = runpy.run_path(str(ROOT / "docs" / "json_page.py"))["schemas"]()
_REGISTRY: Registry[Any] = Registry().with_resources(
    (f"{name}.json", DRAFT202012.create_resource(schema)) for name, schema in SCHEMAS.items()
)


def errors(name: str, value: object) -> list[str]:
    """What is wrong with `value` as output that schema `name` describes; keys that it does not describe included."""
    validator = Draft202012Validator({"$ref": f"{name}.json"}, registry=_REGISTRY)
    wrong = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
    return wrong + [f"{path}: is not described" for path in _undescribed(value, SCHEMAS[name], name, "$")]


def parts(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every part of a schema with its path: properties, elements, values of maps, and definitions."""
    for keyword in ("properties", "$defs"):
        for key, part in schema.get(keyword, {}).items():
            yield f"{path}/{key}", part
            yield from parts(part, f"{path}/{key}")
    for keyword in ("items", "additionalProperties"):
        part = schema.get(keyword)
        if isinstance(part, dict):
            yield f"{path}/{keyword}", part
            yield from parts(part, f"{path}/{keyword}")


def _undescribed(value: object, schema: Schema, name: str, path: str) -> Iterator[str]:
    """Paths of the keys in `value` that `schema`, which is in file `name`, does not describe."""
    if isinstance(value, dict):
        for key, inner in value.items():
            part, file = _described(schema, name, key)
            if part is None:
                yield f"{path}.{key}"
            elif isinstance(part, dict):
                yield from _undescribed(inner, part, file, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _undescribed(inner, schema["items"], name, f"{path}[{index}]")


def _described(schema: Schema, name: str, key: str) -> tuple[Schema | bool | None, str]:
    """What describes `key` of an object, and the file it is in: a schema, or True for data of any form."""
    own = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
    if own is not None:
        return own, name
    for choice in [schema, *schema.get("anyOf", ())]:
        if "$ref" in choice:
            file, _, definition = choice["$ref"].partition("#/$defs/")
            file = file.removesuffix(".json") or name
            return _described(SCHEMAS[file]["$defs"][definition], file, key)
    return None, name
