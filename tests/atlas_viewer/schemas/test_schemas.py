"""The schemas of the JSON output: complete, valid, and one for every command that prints JSON."""

from __future__ import annotations

import argparse
import copy
import runpy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from atlas_viewer.cli.parser import build_parser

from helpers.json_schemas import SCHEMAS, errors, parts
from helpers.paths import ROOT

PARTS = [(f"{name}{path}", part) for name, schema in SCHEMAS.items() for path, part in parts(schema)]


def printing_json() -> set[str]:
    """The commands with `--json`, as the files of their schemas are named."""
    commands = runpy.run_path(str(ROOT / "docs" / "reference.py"))["_commands"](build_parser())
    found: set[str] = set()
    for name, command in commands:
        options = {option for action in command._actions for option in action.option_strings}
        if "--json" in options:
            found.add(name.replace(" ", "-"))
        if {"--json", "--prove"} <= options:  # another object
            found.add(f"{name}-prove")
    return found


def test_every_command_that_prints_json_has_a_schema_and_no_other() -> None:
    assert {"generate", "session-export", "doctor-prove"} <= printing_json()
    assert set(SCHEMAS) == printing_json()


def test_a_command_without_schema_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = build_parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    commands.add_parser("new").add_argument("--json", action="store_true")
    monkeypatch.setattr(f"{__name__}.build_parser", lambda: parser)
    assert printing_json() - set(SCHEMAS) == {"new"}


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_a_valid_schema_named_after_its_command(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"].removesuffix(" --json").replace(" --", " ").replace(" ", "-") == name


@pytest.mark.parametrize("name", SCHEMAS)
def test_its_example_is_valid_and_has_described_keys_only(name: str) -> None:
    (example,) = SCHEMAS[name]["examples"]
    assert errors(name, example) == []


@pytest.mark.parametrize(("path", "part"), PARTS, ids=[path for path, _ in PARTS])
def test_every_part_is_described(path: str, part: dict[str, Any]) -> None:
    kinds = part.get("type", [])
    assert kinds or "$ref" in part or "anyOf" in part, "has no type"
    if "properties" not in part or not path.endswith("/items"):
        assert part.get("description") or "$ref" in part, "has no description"
    if "null" in kinds or {"type": "null"} in part.get("anyOf", ()):
        assert "; null " in part["description"], "does not say when it is null"


@pytest.mark.parametrize(("path", "part"), PARTS, ids=[path for path, _ in PARTS])
def test_every_key_is_always_there_unless_its_description_says_when(path: str, part: dict[str, Any]) -> None:
    properties = part.get("properties", {})
    required = set(part.get("required", ()))
    assert required <= properties.keys()
    if "empty when" not in part.get("description", ""):
        assert all("only if" in properties[name]["description"] for name in properties.keys() - required)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_key_that_may_be_missing_says_when(name: str) -> None:
    schema = SCHEMAS[name]
    optional = schema.get("properties", {}).keys() - set(schema.get("required", ()))
    assert all("; only with `--" in schema["properties"][key]["description"] for key in optional)


STEP = ("runs", 0, "steps", 0)


@pytest.mark.parametrize(
    ("path", "value", "wrong"),
    [
        ((*STEP, "rank"), 1.5, "$.runs[0].steps[0].rank: 1.5 is not of type 'integer'"),
        ((*STEP, "token"), None, "$.runs[0].steps[0].token: None is not of type 'integer'"),
        (("runs", 0, "stop_reason"), "bored", "$.runs[0].stop_reason: 'bored' is not one of "),
        ((*STEP, "draw"), {}, "$.runs[0].steps[0].draw: 'kept' is a required property"),
        ((*STEP, "top", 0, "new"), 1, "$.runs[0].steps[0].top[0].new: is not described"),
        (("head", "config", "new"), 1, "$.head.config.new: is not described"),
    ],
)
def test_wrong_output_is_found(path: tuple[str | int, ...], value: object, wrong: str) -> None:
    """Were it accepted, the tests that compare output with its schema could not fail."""
    output: Any = copy.deepcopy(SCHEMAS["session-export"]["examples"][0])
    inner = output
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert any(error.startswith(wrong) for error in errors("session-export", output))
