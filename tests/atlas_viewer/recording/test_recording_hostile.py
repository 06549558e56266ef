"""Every column and JSON field of a recording gets hostile values in turn: each command works or reports one line.

Every value is read in every field. A few per field go through all commands; with ATLAS_MUTATIONS, all of them do.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import os
import re
import sys
import zlib
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import pytest

from atlas_viewer.app.canvas import open_window
from atlas_viewer.cli import parser
from atlas_viewer.cli.main import main
from atlas_viewer.cli.session_source import recorded_source, recorded_weights
from atlas_viewer.recording.playback import check_shape, longest_context
from atlas_viewer.recording.player import Player
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recorder import Recorder
from atlas_viewer.recording.records import head_of
from atlas_viewer.recording.recover import recover
from atlas_viewer.recording.ui_recorder import plain
from atlas_viewer.state.state import State
from compute.errors import AtlasError, RecordingError
from compute.io.escape import escaped
from compute.sampling.options import GenerateOptions

from helpers.hostile_recordings import JSON, VALUES, Hostile, Place, columns, fields
from helpers.make_recordings import CONFIG, OPTIONS, PROMPT_TOKENS, TENSORS, make_session, token_bytes

STEPS = 3
ROWS = {
    "session": "id = 1",
    "tensors": "id = 1",
    "tokens": "id = 5",
    "options": "id = 1",
    "edits": "id = 1",
    "runs": "id = 1",
    "steps": "step = 1",
    "candidates": "step = 1 AND place = 2",
    "logits": "step = 1",
    "statistics": "step = 1",
    "lens": "step = 1",
    "lens_files": "id = 1",
    "events": "id = 1",
    "cameras": "id = 1",
}
TABLES = sorted(ROWS)
UNUSABLE = {r'"\ud800"', "NaN", "1e400", "1" + "0" * 400, "[" * 70 + "]" * 70, "x", ""}
MANY = 1000 if "ATLAS_MUTATIONS" in os.environ else 2
# Columns that a run needs: from a damaged step on, it is lost.
SIZES = {"layers", "heads", "channels", "positions", "vocabulary", "padded_vocabulary", "end_of_text", "architecture"}
NEEDED = {"run", "step", "token", "context_start", "context_length"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_session(
        tmp_path_factory.mktemp("sound") / "sound.atlas", steps=STEPS, lens=True, lens_file=True, edits=True
    )


@pytest.fixture(autouse=True)
def one_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reuse the parser, because building it takes longer than most of the commands here."""
    monkeypatch.setattr(parser, "build_parser", functools.cache(parser.build_parser))


@pytest.fixture
def hostile(sound: Path, tmp_path: Path) -> Hostile:
    return Hostile(sound, tmp_path)


def refusal(path: Path) -> str | None:
    """The error message for a file that cannot be read; None if it can."""
    try:
        read_everything(path)
    except RecordingError as error:
        assert_one_line(error)
        return str(error)
    return None


def read_everything(path: Path) -> None:
    """Read every row of the file once. Raises `RecordingError`."""
    with Recording(path) as recording:
        for read in (recording.events, recording.cameras, recording.weight_statistics):
            read()
        for run in recording.runs():
            recording.lens_file(run)
            for step, known in enumerate(recording.steps(run)):
                recording.logits(run, step)
                recording.statistics(run, step)
                recording.lens(run, known.record)
            for token in run.prompt_tokens:
                recording.token_bytes(token)


def play(path: Path) -> None:
    """Do what the window does with a recording before it draws. Raises `RecordingError`."""
    with Recording(path) as recording:
        player = Player(recording, State("", GenerateOptions()), None)
        player.show()
        state = player._state
        state.run = player.run
        for count in range(STEPS + 1):
            player.playback.seek = count
            player.frame(float(count))
        player.playback.playing = player.playback.follow = True
        for tenth in range(20):
            player.frame(10 + tenth / 10)


def prepare_to_verify(path: Path) -> None:
    """Do what `session verify` does before it computes. Raises `RecordingError`."""
    with Recording(path) as recording:
        longest_context(step for run in recording.runs() for step in recording.steps(run))
        recorded_weights(argparse.Namespace(), recording.head)
        source = recorded_source(argparse.Namespace(), recording.head)
        try:
            check_shape(recording, source.name, source.config)
        finally:
            source.close()


def assert_one_line(error: Exception) -> None:
    line = str(error)
    assert isinstance(error, AtlasError)
    assert line.isprintable(), ascii(line)
    assert len(line) < 600


def command(*arguments: object) -> tuple[int, str]:
    """The status and standard output of a command, which writes only harmless lines to standard error, if any."""
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
    """Run every command that needs no model, and the other commands up to the point where they need it."""
    status, output = command("session", "info", path)
    assert (status, escaped(output, "\n")) == (0, output)
    for arguments in (("info", path, "--json"), ("export", path, "--json"), ("diff", path, other, "--json")):
        status, output = command("session", *arguments)
        assert status == 0 or arguments[0] == "diff"
        json.loads(output, parse_constant=pytest.fail)
        output.encode()
    assert command("session", "export", path, "--csv")[0] == 0
    assert command("session", "export", path, "--npz", path.with_suffix(".npz"))[0] == 0
    command("session", "diff", other, path)
    play(path)
    try:
        prepare_to_verify(path)
    except AtlasError as error:
        assert_one_line(error)


def refuse(path: Path, other: Path) -> None:
    """Check that commands that read the bad value report it and print nothing, and that the others work."""
    arguments = (["info", path], ["info", path, "--json"], ["export", path, "--json"], ["export", path, "--csv"])
    for verb in (*arguments, ["diff", path, other], ["diff", other, path]):
        status, output = command("session", *verb)
        assert verb[0] == "diff" or bool(output) == (status == 0), "partial output"
    for use_it in (play, prepare_to_verify):
        try:
            use_it(path)
        except AtlasError as error:
            assert_one_line(error)


def recovered(path: Path, target: Path) -> tuple[int, tuple[str, ...]]:
    """The number of saved steps and the losses; -1 if nothing can be saved. The new file is sound."""
    target.unlink(missing_ok=True)
    try:
        found = recover(path, target)
    except RecordingError as error:
        assert_one_line(error)
        assert not target.exists()
        return -1, ()
    read_everything(target)
    return found.steps, found.lost


class Attack:
    """Puts every value into one field of the file."""

    def __init__(self, hostile: Hostile, sound: Path, place: Place, values: Sequence[str]) -> None:
        self.refused: list[str] = []
        self.recovered: list[tuple[str, int, tuple[str, ...]]] = []  # value, saved steps, losses
        # Start with a different value in every field, so that each is used somewhere.
        start = zlib.crc32(str(place).encode()) % len(values)
        left = {"used": MANY, "refused": MANY}
        for value in (*values[start:], *values[:start]):
            path = hostile.put(place, value)
            if path is None:
                continue
            error = refusal(path)
            kind = "used" if error is None else "refused"
            left[kind] -= 1
            if error is not None:
                assert str(path) in error
                self.refused.append(value)
                if left[kind] == MANY - 1:
                    refuse(path, sound)
                if left[kind] >= 0:
                    self.recovered.append((value, *recovered(path, path.with_name("recovered.atlas"))))
            elif left[kind] >= 0:
                use(path, sound)


@pytest.mark.parametrize("table", TABLES)
def test_a_hostile_value_in_any_column(hostile: Hostile, sound: Path, table: str) -> None:
    for place in columns(ROWS):
        if place.table != table:
            continue
        attack = Attack(hostile, sound, place, VALUES)
        for value, steps, lost in attack.recovered:
            where = f"{place} {value[:30]} {lost}"
            if table == "session" and steps == -1:
                assert place.column in SIZES, where
            elif table == "steps" and place.column in NEEDED:
                assert steps in (1, STEPS), where  # a step moved to another run is no longer part of this one
            elif table == "runs" and place.column in ("prompt_tokens", "logits"):
                assert steps in (-1, STEPS), where
            else:
                assert steps == STEPS, where
                assert lost or place.column in ("run", "step"), where
        # Logits, statistics, lens and candidates of a missing step are never read, nor edits of missing options, nor
        # the lens file of a missing run.
        orphan = place.column in ("run", "step") and table in ("logits", "statistics", "lens", "candidates")
        orphan |= (table, place.column) in (("edits", "options"), ("lens_files", "run"))
        assert attack.refused or orphan, place


def test_a_hostile_value_in_any_json_field(hostile: Hostile, sound: Path) -> None:
    for place in fields(sound, ROWS):
        attack = Attack(hostile, sound, place, JSON)
        # Possible numbers and words are used; lone surrogates, NaN and invalid JSON are refused.
        assert set(attack.refused) >= UNUSABLE, place
        for value, steps, lost in attack.recovered:
            assert (steps, bool(lost)) == (STEPS, True), f"{place} {value[:30]} {lost}"


def test_recordings_with_any_names_and_texts_can_be_read(tmp_path: Path) -> None:
    name = "caf\udce9\x1b[2J\n.bin"  # as Python represents a file name that is not UTF-8
    engine = SimpleNamespace(
        model_name=name, config=CONFIG, dtype="f32", path="rows", adapter_name=name,
        device=SimpleNamespace(adapter=SimpleNamespace(info={"description": name})),
    )  # fmt: skip
    path = tmp_path / "a.atlas"
    recorder = Recorder(path, head_of(engine, "ab" * 32, "test", 299), TENSORS, token_bytes)  # type: ignore[arg-type]
    recorder.begin_run("a prompt", PROMPT_TOKENS, OPTIONS)
    recorder.event("OpenModel", {"spec": plain(name), "prompt": plain("\0" * 20_000_000), "more": plain([name, 1.5])})
    recorder.close()
    assert recorder.trouble is None
    read_everything(path)
    with Recording(path) as recording:
        assert recording.head.model == r"caf\udce9\x1b[2J\n.bin"
        (event,) = recording.events()
        assert event.data["spec"] == "caf\\udce9\x1b[2J\n.bin"


def test_a_window_title_has_no_lone_surrogate(monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []

    def canvas(**given: object) -> SimpleNamespace:
        titles.append(str(given["title"]))
        return SimpleNamespace(lost=None)

    for name, module in {
        "glfw": SimpleNamespace(init=lambda: True, get_platform=lambda: 0, PLATFORM_X11=1),
        "rendercanvas.glfw": SimpleNamespace(loop=None),
        "atlas_viewer.app.window_canvas": SimpleNamespace(WindowCanvas=canvas),
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("DISPLAY", ":0")
    open_window("caf\udce9\n.atlas", (10, 10), vsync=False)
    assert titles == [r"Tensor Atlas - caf\udce9\n.atlas"]
