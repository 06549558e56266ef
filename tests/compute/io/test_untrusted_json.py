"""Untrusted JSON is decoded or raises a ValueError, never a stack overflow; and no other code decodes JSON."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from atlas_viewer.hub.store import NOTE, read_note
from atlas_viewer.recording import validate
from atlas_viewer.state.settings import loads
from compute.errors import CheckpointError
from compute.io.untrusted_json import read_untrusted_json
from compute.weights.checkpoint import open_model

from helpers.make_hugging_face import write_folder
from helpers.paths import ROOT


def nested(levels: int, end: str = "") -> str:
    return "[" * levels + end + "]" * levels


def test_usable_json() -> None:
    assert read_untrusted_json('{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    assert read_untrusted_json(b'"\xc3\xa9"') == "é"
    assert read_untrusted_json(nested(64)) is not None
    assert read_untrusted_json("[" + ", ".join(["{}"] * 1000) + "]") == [{}] * 1000


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (nested(65), "it is nested too deeply"),
        (nested(100_000), "it is nested too deeply"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"a":' * 100_000, "it is nested too deeply"),
        (nested(400, '"x"'), "it is nested too deeply"),
        (b"\xff\xfe\xfd", "it is not UTF-8"),
        ("", "Expecting value"),
        ("1" * 10_000, "integer"),
        ("NaN", "it is not a finite number"),
        ('{"a": [1, {"b": -Infinity}]}', r"a\[1\]\.b is not a finite number"),
        ('{"a": 1e400}', "a is not a finite number"),
        ('{"a": 1' + "0" * 309 + "}", "a is a number out of range"),
        ('["\\ud800"]', r"\[0\] is text with half a character"),
        ('{"a": {"\\udfff": 1}}', "a contains a name with half a character"),
        ('{"a\\u001b[2J": NaN}', r"a\\x1b\[2J is not a finite number"),
        (f'{{"{"k" * 10_000}": NaN}}', "k{80} is not a finite number"),
        (b'"\xed\xa0\x80"', "half a character|UTF-8"),
    ],
)
def test_unusable_json_is_refused(data: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        read_untrusted_json(data)
    assert str(caught.value).isprintable()


def test_the_largest_numbers_are_usable() -> None:
    assert read_untrusted_json("[1.7e308, -1.7e308, 1e-400, 18446744073709551616]") == [1.7e308, -1.7e308, 0.0, 2**64]


@pytest.mark.parametrize("text", ["[" * 100_000, nested(500)])
def test_every_reader_reports_it(tmp_path: Path, text: str) -> None:
    folder = write_folder(tmp_path / "model")
    (folder / "vocab.json").write_text(text)
    (folder / "tokenizer.json").write_text(text)
    (folder / "added_tokens.json").write_text(text)
    open_model(str(folder)).close()  # token names are optional
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json: is not JSON \(it is nested too deeply\)"):
        open_model(str(folder))
    (folder / NOTE).write_text(text)
    assert read_note(folder) is None
    with pytest.raises(ValueError, match="is not JSON: it is nested too deeply"):
        loads(text)
    with pytest.raises(validate.Unsound, match="not usable JSON"):
        validate.mapping(text)


def test_no_other_code_decodes_json() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for package in ("compute", "atlas_viewer")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"json\.loads?\(", path.read_text("utf-8"))
    ]
    # The process of chat templates imports nothing of this program, and reads only what the program writes.
    assert sorted(readers) == ["compute/io/untrusted_json.py", "compute/text/chat_process.py"]
