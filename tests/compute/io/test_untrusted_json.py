"""JSON from elsewhere is a value or a ValueError, never a stack that overflows; and nothing reads it in another way."""

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


def test_values() -> None:
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
        ("NaN", "it is no finite number"),
        ('{"a": [1, {"b": -Infinity}]}', r"a\[1\]\.b is no finite number"),
        ('{"a": 1e400}', "a is no finite number"),
        ('{"a": 1' + "0" * 309 + "}", "a is a number out of range"),
        ('["\\ud800"]', r"\[0\] is text with half of a character"),
        ('{"a": {"\\udfff": 1}}', "a has a name with half of a character"),
        ('{"a\\u001b[2J": NaN}', r"a\\x1b\[2J is no finite number"),
        (f'{{"{"k" * 10_000}": NaN}}', "k{80} is no finite number"),
        (b'"\xed\xa0\x80"', "half of a character|UTF-8"),
    ],
)
def test_what_is_none(data: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        read_untrusted_json(data)
    assert str(caught.value).isprintable()


def test_the_largest_numbers_are_values() -> None:
    assert read_untrusted_json("[1.7e308, -1.7e308, 1e-400, 18446744073709551616]") == [1.7e308, -1.7e308, 0.0, 2**64]


@pytest.mark.parametrize("text", ["[" * 100_000, nested(500)])
def test_everything_that_reads_some_says_so(tmp_path: Path, text: str) -> None:
    folder = write_folder(tmp_path / "model")
    (folder / "vocab.json").write_text(text)
    (folder / "tokenizer.json").write_text(text)
    (folder / "added_tokens.json").write_text(text)
    open_model(str(folder)).close()  # names of tokens are not needed
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json: is no JSON \(it is nested too deeply\)"):
        open_model(str(folder))
    (folder / NOTE).write_text(text)
    assert read_note(folder) is None
    with pytest.raises(ValueError, match="is no JSON, it is nested too deeply"):
        loads(text)
    with pytest.raises(validate.Unsound, match="not usable JSON"):
        validate.mapping(text)


def test_there_is_no_other_way() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for room in ("compute", "atlas_viewer")
        for path in (ROOT / room).rglob("*.py")
        if re.search(r"json\.loads?\(", path.read_text("utf-8"))
    ]
    assert readers == ["compute/io/untrusted_json.py"]
