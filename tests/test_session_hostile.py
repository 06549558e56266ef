"""Every column and every JSON field of a session holds a hostile value in turn: each command says so in one line or works."""

from __future__ import annotations

import argparse
import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hostile_sessions import JSON, VALUES, Hostile, Place, columns, fields
from session_files import make_session

from atlas_viewer.cli import main
from atlas_viewer.commands.session_source import recorded_source, recorded_weights
from atlas_viewer.sessions.playback import check_shape, widest
from atlas_viewer.sessions.player import Player
from atlas_viewer.sessions.reader import Session
from atlas_viewer.sessions.recover import recover
from atlas_viewer.state import State
from compute.errors import AtlasError, SessionError
from compute.escape import escaped
from compute.options import GenerateOptions

STEPS = 3
ROWS = {
    "session": "id = 1",
    "tensors": "id = 1",
    "tokens": "id = 5",
    "options": "id = 1",
    "runs": "id = 1",
    "steps": "step = 1",
    "candidates": "step = 1 AND place = 2",
    "logits": "step = 1",
    "statistics": "step = 1",
    "events": "id = 1",
    "cameras": "id = 1",
}
TABLES = sorted(ROWS)
# What a run cannot do without: from such a step on it is lost.
SIZES = {"layers", "heads", "channels", "positions", "vocabulary", "padded_vocabulary", "end_of_text"}
NEEDED = {"run", "step", "token", "context_start", "context_length"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_session(tmp_path_factory.mktemp("sound") / "sound.atlas", steps=STEPS)


@pytest.fixture
def hostile(sound: Path, tmp_path: Path) -> Hostile:
    return Hostile(sound, tmp_path)


def read_everything(path: Path) -> None:
    """Every row of the file, once. Raises `SessionError`."""
    with Session(path) as session:
        session.events(), session.cameras(), session.weight_statistics()  # noqa: B018
        for run in session.runs():
            for step in range(len(session.steps(run))):
                session.logits(run, step), session.statistics(run, step)  # noqa: B018
            [session.token_bytes(token) for token in run.prompt_tokens]


def play(path: Path) -> None:
    """What the window does with it before it draws. Raises `SessionError`."""
    with Session(path) as session:
        player = Player(session, State("", GenerateOptions()), None)
        player.show()
        state = player._state
        state.run = player.run
        for count in range(STEPS + 1):
            player.told.seek = count
            player.frame(float(count))
        player.told.playing = player.told.follow = True
        for tenth in range(20):
            player.frame(10 + tenth / 10)


def prepare_to_verify(path: Path) -> None:
    """What `session verify` does before it computes. Raises `SessionError`."""
    with Session(path) as session:
        widest(step for run in session.runs() for step in session.steps(run))
        recorded_weights(argparse.Namespace(), session.head)
        source = recorded_source(argparse.Namespace(), session.head)
        try:
            check_shape(session, source.name, source.config)
        finally:
            source.close()


def assert_one_line(error: Exception) -> None:
    line = str(error)
    assert isinstance(error, AtlasError)
    assert line.isprintable(), ascii(line)
    assert len(line) < 600


def command(*arguments: object) -> tuple[int, str]:
    """Status and standard output of a command; what it says on standard error is one harmless line."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([*map(str, arguments)])
    if err.getvalue():
        assert re.fullmatch(r"(atlas-viewer: [^\n]+\n|note: [^\n]+\n)+", err.getvalue()), err.getvalue()
        assert "unexpected" not in err.getvalue(), err.getvalue()
        assert escaped(err.getvalue(), "\n") == err.getvalue()
    assert status in (0, 1)
    assert status == 0 or err.getvalue() or arguments[1] == "diff"
    return status, out.getvalue()


def use(path: Path, other: Path) -> None:
    """Every command that needs no model, and what the others do before they need it."""
    status, told = command("session", "info", path)
    assert (status, escaped(told, "\n")) == (0, told)
    for arguments in (("info", path, "--json"), ("export", path, "--json"), ("diff", path, other, "--json")):
        status, told = command("session", *arguments)
        assert status == 0 or arguments[0] == "diff"
        json.loads(told, parse_constant=pytest.fail)
        told.encode()
    assert command("session", "export", path, "--csv")[0] == 0
    assert command("session", "export", path, "--npz", path.with_suffix(".npz"))[0] == 0
    command("session", "diff", other, path)
    play(path)
    try:
        prepare_to_verify(path)
    except AtlasError as error:
        assert_one_line(error)


def recovered(path: Path, target: Path) -> tuple[int, tuple[str, ...]]:
    """How many steps are saved, and what is lost; -1 when nothing can be. The file that was written is sound."""
    target.unlink(missing_ok=True)
    try:
        found = recover(path, target)
    except SessionError as error:
        assert_one_line(error)
        assert not target.exists()
        return -1, ()
    read_everything(target)
    return found.steps, found.lost


def attack(hostile: Hostile, sound: Path, place: Place, values: Iterator[str] | tuple[str, ...]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Put each of the values there; yields (value, steps that can be recovered, what is lost) of those refused."""
    for value in values:
        path = hostile.put(place, value)
        if path is None:
            continue
        try:
            read_everything(path)
        except SessionError as error:
            assert_one_line(error)
            assert str(path) in str(error)
            yield value, *recovered(path, path.with_name("recovered.atlas"))
        else:
            use(path, sound)


@pytest.mark.parametrize("table", TABLES)
def test_a_hostile_value_in_any_column(hostile: Hostile, sound: Path, table: str) -> None:
    for place in columns(ROWS):
        if place.table != table:
            continue
        refused = 0
        for value, steps, lost in attack(hostile, sound, place, VALUES):
            refused += 1
            where = f"{place} {value[:30]} {lost}"
            if table == "session" and steps == -1:
                assert place.column in SIZES, where
            elif table == "steps" and place.column in NEEDED:
                assert steps in (1, STEPS), where  # a step that went to no run is no step of this one
            elif table == "runs":
                assert steps == STEPS or place.column in ("prompt_tokens", "logits"), where
            else:
                assert steps == STEPS, where
                assert lost, where
        # Logits, statistics and candidates of a step that is not there belong to nothing, and are never read.
        assert refused or (place.column in ("run", "step") and table in ("logits", "statistics", "candidates")), place


def test_a_hostile_value_in_any_field_of_json(hostile: Hostile, sound: Path) -> None:
    for place in fields(sound, ROWS):
        refused = [value for value, steps, lost in attack(hostile, sound, place, JSON) if steps == STEPS and lost]
        # Numbers and words that a field may hold are used; halves of characters, NaN, and what is no JSON are not.
        assert {r'"\ud800"', "NaN", "1e400", "1" + "0" * 400, "x", ""} <= set(refused), place
