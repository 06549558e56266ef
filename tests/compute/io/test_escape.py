"""No untrusted text can control the terminal, whatever prints it."""

from __future__ import annotations

import io
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from atlas_viewer.cli.generate import Stream
from atlas_viewer.cli.main import main
from atlas_viewer.cli.run import run as run_command
from atlas_viewer.cli.streams import complain, note, progress_stream, standard_streams
from atlas_viewer.ui.panels.widgets import drawable
from compute.errors import AtlasError
from compute.io.escape import escaped, one_line

from helpers.command_line import Run, runner
from helpers.make_recordings import make_session

BAD = "a\x1b]0;owned\x07b\rc\x9b2J\u202ed\u2028e\udce9"
ESCAPED = r"a\x1b]0;owned\x07b\rc\x9b2J\u202ed\u2028e\udce9"


class Terminal(io.StringIO):
    """Output to a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BAD, ESCAPED),
        ("plain, \u00e9, \u65e5\u672c, \u00a0, \u3000, \U0001f468\u200d\U0001f469\u200d\U0001f467", None),  # harmless
        ("C:\\new\\x1b", None),
        ("two\nlines\tand a tab", r"two\nlines\tand a tab"),
        ("\x00\x7f\ufeff\u2066\U000e0041", r"\x00\x7f\ufeff\u2066\U000e0041"),
    ],
)
def test_harmful_characters_are_escaped(text: str, expected: str | None) -> None:
    assert one_line(text) == (text if expected is None else expected)
    assert one_line(Path("a") / "b\nc") == r"a/b\nc"
    assert (one_line("a\nbc", 4), one_line("a\nbc", 3)) == (r"a\nbc", r"a\nb...")


def test_characters_to_keep_are_not_escaped() -> None:
    assert escaped("a\n\tb\r\x1b", "\n\t") == "a\n\tb\\r\\x1b"
    assert drawable("a\nb\0c\ud800") == "a\nb\\x00c\\ud800"


@pytest.mark.parametrize("out", [Terminal(), io.StringIO()])
def test_standard_output_is_escaped_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch, out: io.StringIO) -> None:
    monkeypatch.setattr(sys, "stdout", out)
    with standard_streams():
        print(f"{BAD}\n\t.")
    assert out.getvalue() == f"{ESCAPED if out.isatty() else BAD}\n\t.\n"


def test_generated_text_is_escaped_on_a_terminal_and_unchanged_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    # The vocabulary of a model file may contain anything.
    generation = SimpleNamespace(prompt="Once\n", continuation="\x1b[2J upon\x07 a time")
    for out, expected in (
        (Terminal(), "Once\n\\x1b[2J upon\\x07 a time\n"),
        (io.StringIO(), "Once\n\x1b[2J upon\x07 a time\n"),
    ):
        monkeypatch.setattr(sys, "stdout", out)
        with standard_streams():
            stream = Stream(generation)  # type: ignore[arg-type]
            stream.write()
            stream.end()
        assert out.getvalue() == expected


def test_standard_error_is_always_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    for err in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", err)
        with standard_streams():
            complain(AtlasError(f"{BAD}\nsecond"))
            note(BAD)
            print(BAD, file=sys.stderr)
            print("\r[####]", file=progress_stream())
        written = err.getvalue()
        assert written.startswith(f"atlas-viewer: {ESCAPED}\\nsecond\nnote: {ESCAPED}\n{ESCAPED}\n")
        assert written.count("\r") == 1
        assert escaped(written, "\n\t\r") == written


@pytest.mark.parametrize("error", [AtlasError(BAD), RuntimeError(BAD)], ids=["expected", "unexpected"])
@pytest.mark.parametrize("debug", [(), ("--debug",)])
def test_the_text_of_any_exception_is_escaped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, debug: tuple[str, ...]
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr("atlas_viewer.cli.run._run_command", fail)
    assert run_command(["generate", *debug]) == 1
    written = capsys.readouterr().err
    assert r"a\x1b]0;owned\x07b" in written
    assert escaped(written, "\n\t") == written
    assert ("Traceback" in written) == bool(debug)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


def schema_says(path: Path, table: str, sql: str) -> Path:
    """Has the file define `table` by any text at all."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, table))
    connection.close()
    return path


@pytest.mark.parametrize("verb", ["info", "verify", "export", "replay", "diff", "recover"])
@pytest.mark.parametrize("sql", [f"CREATE TABLE events (id {BAD[:-1]}", f"CREATE {BAD[:-1]}", "\x1b[2J\x07"])
def test_the_schema_of_a_recording_is_escaped(run: Run, tmp_path: Path, verb: str, sql: str) -> None:
    path = schema_says(make_session(tmp_path / "a.atlas", steps=2), "events", sql)
    out = tmp_path / "b.atlas"
    others: dict[str, list[str | Path]] = {"export": ["--json"], "diff": [path], "recover": ["--out", out]}
    more = others.get(verb, [])
    result = run("session", verb, path, *more)
    if verb == "recover":
        assert (result.status, result.out) == (0, "2 steps of 1 runs saved\n")
        assert result.err == "note: lost: events\n"
    else:
        assert (result.status, result.out) == (1, "")
        assert "malformed database schema" in result.err
    assert result.err.count("\n") == 1
    assert escaped(result.err, "\n") == result.err


def test_names_of_files_and_models_are_escaped(run: Run, tmp_path: Path) -> None:
    name = BAD.replace("\udce9", "")
    for arguments in (
        ("session", "info", tmp_path / name),
        ("generate", "x", "--model", tmp_path / f"{name}.bin"),
        ("generate", "x", "--model", name),
        ("models", "verify", tmp_path / name),
        ("models", "fetch", name),
        ("models", "path", name),
        ("view", "x", "--tour", tmp_path / name),
        (name,),
        ("generate", "x", "--adapter", name),
        ("session", "export", tmp_path / name, "--csv", tmp_path / name / "b.csv"),
    ):
        result = run(*arguments)
        assert result.status in (1, 2)
        assert result.err.count("\n") == 1, result.err
        assert escaped(result.err, "\n") == result.err


def test_the_content_of_a_recording_is_escaped(run: Run, tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.atlas", steps=2)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE runs SET prompt = ?", (BAD[:-1],))
    connection.commit()
    connection.close()
    result = run("session", "info", path)
    assert result.status == 0
    assert escaped(result.out, "\n") == result.out
    assert main(["session", "diff", str(path), str(path)]) == 0
