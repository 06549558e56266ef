"""A recording of another architecture whose config is damaged: one line, exit status 1, whatever the command."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from atlas_viewer.recording.store import create_session
from compute.models.config_text import details
from compute.selftest.small_models import SMALL_MODELS

from helpers.command_line import assert_one_line, runner
from helpers.make_recordings import HEAD, TENSORS

ROPE = details(SMALL_MODELS["llama"])["rope"]


def recorded(path: Path, name: str, fields: object, **sizes: int) -> Path:
    """A recording whose config has these `fields` besides its sizes."""
    create_session(path, replace(HEAD, config=SMALL_MODELS[name]), TENSORS)
    with closing(sqlite3.connect(path)) as connection, connection:
        text = f"{SMALL_MODELS[name].architecture} {json.dumps(fields)}"
        connection.execute("UPDATE session SET architecture = ?", (text,))
        for column, value in sizes.items():
            connection.execute(f"UPDATE session SET {column} = ?", (value,))
    return path


@pytest.mark.parametrize("name", ["llama", "gemma3", "gpt_neox"])
def test_the_config_is_sound_before_it_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = recorded(tmp_path / "a.atlas", name, details(SMALL_MODELS[name]))
    assert runner(capsys)("session", "info", path).status == 0


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("llama", {"own_kv_heads": 4}),
        ("llama", {"own_kv_heads": 10**12}),
        ("llama", {"own_kv_heads": 10**400}),
        ("llama", {"own_kv_heads": "two"}),
        ("llama", {"own_kv_heads": -2}),
        ("llama", {"own_neurons": 91}),
        ("llama", {"own_neurons": 2**40}),
        ("llama", {"own_head_size": 11}),
        ("llama", {"own_head_size": 10_000}),
        ("llama", {"own_head_size": True}),
        ("llama", {"function": "mish"}),
        ("llama", {"function": ["silu"]}),
        ("llama", {"tied": "yes"}),
        ("llama", {"epsilon": -1.0}),
        ("llama", {"epsilon": [1]}),
        ("llama", {"rope": None}),
        ("llama", {"rope": []}),
        ("llama", {"rope": ROPE | {"theta": "large"}}),
        ("llama", {"rope": ROPE | {"theta": -1.0}}),
        ("llama", {"rope": ROPE | {"channels": 5}}),
        ("llama", {"rope": ROPE | {"channels": 10**9}}),
        ("llama", {"rope": ROPE | {"factors": [1.0]}}),
        ("llama", {"rope": ROPE | {"llama3": {}}}),
        ("llama", {"rope": ROPE | {"llama3": {"factor": 8.0, "low": 4.0, "high": 1.0, "positions": 16}}}),
        ("llama", {"rope": ROPE | {"llama3": {"factor": 8.0, "low": 1.0, "high": 4.0, "positions": 0}}}),
        ("llama", {"window": 2**40}),
        ("llama", {"more": 1}),
        ("gemma3", {"window_blocks": [True] * 5000}),
        ("gemma3", {"window_blocks": "local"}),
        ("gemma3", {"attention_cap": -1.0}),
        ("gpt_neox", {"parallel": 3}),
    ],
    ids=str,
)
def test_a_damaged_config_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, fields: dict[str, Any]
) -> None:
    path = recorded(tmp_path / "a.atlas", name, details(SMALL_MODELS[name]) | fields)
    run = runner(capsys)
    assert_one_line(run("session", "info", path), 1, "a.atlas: ")
    assert_one_line(run("session", "export", path, "--json"), 1, "a.atlas: ")


@pytest.mark.parametrize("fields", [[], 3, "llama", None, {"rope": {"rope": {}}}], ids=str)
def test_what_is_no_config_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: object) -> None:
    path = recorded(tmp_path / "a.atlas", "llama", fields)
    assert_one_line(runner(capsys)("session", "info", path), 1, "a.atlas: ")


@pytest.mark.parametrize(
    "sizes", [{"heads": 5}, {"heads": 2**40}, {"layers": 2**30}, {"channels": 2**31}, {"positions": 0}], ids=str
)
def test_sizes_that_do_not_fit_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sizes: dict[str, int]
) -> None:
    path = recorded(tmp_path / "a.atlas", "llama", details(SMALL_MODELS["llama"]), **sizes)
    assert_one_line(runner(capsys)("session", "info", path), 1, "a.atlas: ")
