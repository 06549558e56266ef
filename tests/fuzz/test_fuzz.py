"""Every fuzz target with a fixed seed; and that the fuzzer would notice what it is there for."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from compute.errors import CheckpointError

from fuzz import campaign, checking
from fuzz.checking import Finding, check
from fuzz.mutation import change_value
from fuzz.reduction import reduced
from fuzz.target import FOLDER, Refused, Target, kept, load, may_refuse, names

_CORPUS_BYTES = 100_000
_MODES = [False, True] if campaign.GUIDED else [False]


def target(use: Callable[[bytes], None]) -> Target:
    return Target(use, lambda: [b"sound"], lambda data, chance: data)


@pytest.mark.parametrize("name", names())
def test_nothing_breaks_a_reader(name: str, tmp_path: Path) -> None:
    """What is kept and a number of inputs: by atheris where there is one, else changed at random."""
    runs = max(load(name).runs, len(kept(name)) + 100)
    result = campaign.run(
        name, runs=runs, seed=1, work=tmp_path / "work", log=tmp_path / "log", places=tmp_path / "found"
    )
    for found in result.found:
        print(f"{found.what}\n    {found.path}: {found.path.read_bytes()[:2000]!r}")
    print((tmp_path / "log").read_text(errors="replace")[-3000:])
    assert result.sound, f"`./dev fuzz --runs {runs} {name}` has it, too, and keeps the input"
    assert result.runs >= runs
    assert not campaign.GUIDED or (result.coverage or 0) > 20, "coverage is not measured"


def test_the_corpus_is_small() -> None:
    files = [path for name in names() for path in (FOLDER / "corpus" / name).glob("*")]
    assert sum(path.stat().st_size for path in files) < _CORPUS_BYTES
    places = {path.name for folder in ("corpus", "findings") for path in (FOLDER / folder).iterdir()}
    assert places <= set(names()), "there are files of a target that does not exist"


BROKEN = """
import ctypes
from fuzz.target import Target

def use(data):
    if data[:1] == b"!":
        {harm}

def change(data, chance):
    return chance.choice((b"!", b"s")) + data[1:]

TARGET = Target(use, lambda: [b"sound"], change)
"""


@pytest.mark.parametrize("guided", _MODES)
@pytest.mark.parametrize(
    ("harm", "what"),
    [("data[1000]", "IndexError: 'index out of range'"), ("ctypes.string_at(0)", "it ends the process")],
)
def test_harm_is_found_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guided: bool, harm: str, what: str
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "reader.py").write_text(BROKEN.format(harm=harm))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    places = tmp_path / "found"
    result = campaign.run(
        "broken.reader", runs=200, seed=1, work=tmp_path / "work", log=tmp_path / "log", guided=guided, places=places
    )
    (found,) = result.found
    assert not result.sound
    assert found.what.startswith(what)
    assert found.path.parent == places
    assert found.path.read_bytes()[:1] == b"!"


def test_a_target_that_takes_nothing_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").mkdir()
    lines = ["from fuzz.target import Refused, Target", "def use(data): raise Refused(ValueError('no'))"]
    lines.append("TARGET = Target(use, lambda: [b'sound'], lambda data, chance: data)")
    (tmp_path / "broken" / "strict.py").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = campaign.run(
        "broken.strict", runs=10, seed=1, work=tmp_path / "work", log=tmp_path / "log", places=tmp_path
    )
    assert not result.sound
    assert "takes none of the seeds" in (tmp_path / "log").read_text()


def test_any_value_can_be_changed() -> None:
    chance = random.Random(1)
    value: object = {"a": [1, 2.5, None, True, "text"], "b": {"c": -1}}
    kinds = set()
    for _ in range(20_000):
        changed = change_value(value, chance, ["a", "b"])
        kinds.add(type(changed))
        # Back to the start before it grows out of hand.
        value = changed if len(repr(changed)) < 3000 else {"a": [1, 2.5, 10**400], "b": {"c": float("nan")}}
    assert {dict, list, str, int, float, bool, type(None)} <= kinds


def test_what_is_documented_is_a_refusal() -> None:
    def use(data: bytes) -> None:
        with may_refuse(CheckpointError):
            if data == b"damaged":
                raise CheckpointError("a.bin: is damaged; copy it again")

    assert check(target(use), b"sound")
    assert not check(target(use), b"damaged")


@pytest.mark.parametrize(
    ("message", "what"),
    [("a\nb", r"has '\\n' in it"), ("\x1b[2J", "in it"), ("", "is empty"), ("a" * 3000, "3000 characters")],
)
def test_a_refusal_is_a_line_that_can_be_shown(message: str, what: str) -> None:
    def use(data: bytes) -> None:
        raise Refused(CheckpointError(message))

    with pytest.raises(Finding, match=what):
        check(target(use), b"")


@pytest.mark.parametrize(
    ("measure", "values", "what"),
    [
        ("time.process_time", (1.0, 7.0), r"takes 6\.0 s"),
        ("_peak_megabytes", (100.0, 400.0), "takes 300 MB"),
        ("_descriptors", (7, 8), "leaves a file open"),
    ],
)
def test_what_an_input_takes_is_limited(
    monkeypatch: pytest.MonkeyPatch, measure: str, values: tuple[float, float], what: str
) -> None:
    measured = iter(values)
    monkeypatch.setattr(f"fuzz.checking.{measure}", lambda: next(measured))
    with pytest.raises(Finding, match=what):
        check(target(lambda data: None), b"")


def test_what_an_input_takes_is_measured() -> None:
    with open("/dev/null"):
        more = checking._descriptors()
    assert more == checking._descriptors() + 1
    before = checking._peak_megabytes()
    assert len(b"x" * (1 << 28)) == 1 << 28
    assert checking._peak_megabytes() >= max(before, 256)


def test_reduction_keeps_what_is_needed() -> None:
    assert reduced(b"0123456789" * 30 + b"<" + b"x" * 99 + b">", lambda data: b"<" in data and b">" in data) == b"<>"
