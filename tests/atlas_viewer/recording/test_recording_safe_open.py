"""Files from untrusted sources cause one clear error line each, never a crash; ATLAS_MUTATIONS=10000 tries more."""

from __future__ import annotations

import os
import random
import sqlite3
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recorder import Recorder
from atlas_viewer.recording.recover import recover
from atlas_viewer.recording.salvage import DamagedRecording
from atlas_viewer.recording.schema import APPLICATION_ID, SCHEMA, Schema, create
from atlas_viewer.recording.store import create_session
from compute.errors import AtlasError, RecordingError
from compute.selftest.small_models import SMALL_MODELS

from helpers.damaged_recordings import assert_clear_message, damage, use
from helpers.make_recordings import (
    HEAD,
    OPTIONS,
    PROMPT_TOKENS,
    TENSORS,
    StepCapture,
    draw,
    make_session,
    step,
    token_bytes,
)
from helpers.parallel_model import PARALLEL
from helpers.patience import wait_until
from helpers.processor_limit import Limit

MUTATIONS = int(os.environ.get("ATLAS_MUTATIONS", "150"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_session(tmp_path_factory.mktemp("sound") / "a.atlas", steps=6)
    viewport = '{"tensor": "wte", "index": [7, 1], "x": 0.5, "y": 0.5, "width": 80.0, "height": 45.0}'
    return damage(
        path,
        *[f"INSERT INTO cameras VALUES (NULL, {time}, 1, 1, 'map', '{viewport}')" for time in range(40)],
        *[f"INSERT INTO events VALUES (NULL, {time}, 1, 1, 'view', '{{\"value\": \"map\"}}')" for time in range(40)],
    )


def mutated(data: bytes, chance: random.Random) -> bytes:
    """`data` with a few bytes, a page or its end changed."""
    changed = bytearray(data)
    kind = chance.randrange(6)
    if kind == 0:
        return bytes(changed[: chance.randrange(len(changed))])
    if kind == 1:  # the first page contains the schema
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(min(4096, len(changed)))] = chance.randrange(256)
    elif kind == 2:
        for _ in range(chance.randint(1, 40)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    elif kind == 3:  # a page replaces another
        page = chance.randrange(len(changed) // 4096) * 4096
        other = chance.randrange(len(changed) // 4096) * 4096
        changed[page : page + 4096] = changed[other : other + 4096]
    elif kind == 4:  # the headers of the b-tree pages
        page = chance.randrange(len(changed) // 4096) * 4096
        offset = page + chance.randrange(12)
        changed[offset] = chance.choice([0, 1, 2, 5, 10, 13, 127, 255])
    else:
        start = chance.randrange(len(changed))
        changed[start : start + chance.randint(1, 200)] = chance.randbytes(chance.randint(0, 200))
    return bytes(changed)


def test_mutated_files_are_read_or_refused_in_time(tmp_path: Path, sound: Path) -> None:
    data = sound.read_bytes()
    refused = 0
    limit = Limit(lambda: use(sound))
    for seed in range(MUTATIONS):
        path = tmp_path / f"{seed}.atlas"
        path.write_bytes(mutated(data, random.Random(seed)))
        with limit.kept():
            try:
                use(path)
            except AtlasError as error:
                assert_clear_message(path, error)
                refused += 1
        path.unlink()
    print(f"{MUTATIONS} files, {refused} refused, the slowest took {limit.slowest:.2f} s")
    limit.check()
    assert refused > MUTATIONS / 4


def test_mutated_logs_are_read_or_refused_in_time(tmp_path: Path) -> None:
    source = tmp_path / "source.atlas"
    recorder = Recorder(source, HEAD, TENSORS, token_bytes)
    recorder.begin_run("a prompt", PROMPT_TOKENS, OPTIONS)
    for index in range(6):
        recorder.step(step(index), draw(index), StepCapture(index))
    wait_until(lambda: recorder.steps_written >= 6, "6 steps are written")
    data, log = source.read_bytes(), Path(f"{source}-wal").read_bytes()
    recorder.close()
    read = 0
    limit = Limit(lambda: use(source))
    for seed in range(MUTATIONS // 3):
        path = tmp_path / f"{seed}.atlas"
        path.write_bytes(data)
        Path(f"{path}-wal").write_bytes(log if seed == 0 else mutated(log, random.Random(seed)))
        with limit.kept():
            try:
                use(path)
                read += 1
            except AtlasError as error:
                assert_clear_message(path, error)
    limit.check()
    assert read > 0


def test_mutated_files_are_recovered_or_refused_in_time(tmp_path: Path, sound: Path) -> None:
    data = sound.read_bytes()
    recovered = refused = circular = 0
    limit = Limit(
        lambda: (recover(sound, tmp_path / "b.atlas"), use(tmp_path / "b.atlas"), (tmp_path / "b.atlas").unlink())
    )
    for seed in range(MUTATIONS):
        path, target = tmp_path / "a.atlas", tmp_path / "b.atlas"
        path.write_bytes(mutated(data, random.Random(seed)))
        with limit.kept():
            try:
                found = recover(path, target)
            except AtlasError as error:
                assert_clear_message(path, error)
                circular += "session recover" in str(error)
                refused += 1
            else:
                recovered += 1
                assert found.steps or set(found.lost) <= {"steps that belong to no run"}
                use(target)
                target.unlink()
        assert [file.name for file in tmp_path.iterdir()] == ["a.atlas"]
    print(f"{MUTATIONS} files, {recovered} recovered, {refused} refused, the slowest took {limit.slowest:.2f} s")
    limit.check()
    assert recovered > MUTATIONS / 2
    assert refused > 0
    assert not circular, "`session recover` must not advise running `session recover`"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW spy AS SELECT * FROM steps",
        "CREATE TRIGGER spy AFTER INSERT ON steps BEGIN DELETE FROM steps; END",
        "CREATE TABLE more (id INTEGER)",
        "CREATE INDEX more ON steps (token)",
        "DROP TABLE cameras",
        "ALTER TABLE steps RENAME COLUMN rank TO place",
    ],
)
def test_unexpected_tables_are_refused(tmp_path: Path, statement: str) -> None:
    path = damage(make_session(tmp_path / "a.atlas"), statement)
    with pytest.raises(RecordingError, match="its tables are not those of a recording"):
        Recording(path)


def test_a_view_instead_of_a_table_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT * FROM n"
    connection = sqlite3.connect(path)
    create(connection)
    connection.execute("DROP TABLE session")
    connection.execute(f"CREATE VIEW session AS {endless}")
    connection.close()
    with pytest.raises(RecordingError, match="its tables are not those of"):  # not by running the view
        Recording(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE session SET layers = 99999999999",
        "UPDATE session SET vocabulary = 1",
        "UPDATE session SET model = 'a' || char(27) || '[2J'",
        "UPDATE session SET versions = '[[[['",
        f"UPDATE session SET versions = '{'[' * 100000}'",
        "DELETE FROM session",
        "UPDATE tensors SET family = 'none'",
        "UPDATE tensors SET columns = -1",
        "UPDATE runs SET prompt_tokens = x'00'",
        "UPDATE runs SET prompt_tokens = x'ffffffff'",
        "UPDATE runs SET logits = 'pickle'",
        'UPDATE options SET json = \'{"temperature": "hot"}\'',
        "UPDATE options SET json = replace(json, '\"top\": 3', '\"top\": 1e9')",
        "UPDATE options SET json = replace(json, '0.7', 'NaN')",
        "UPDATE steps SET token = 70000 WHERE step = 2",
        "UPDATE steps SET options = 9 WHERE step = 2",
        "UPDATE steps SET context_length = 4000000 WHERE step = 2",
        "DELETE FROM steps WHERE step = 2",
        "DELETE FROM tokens",
        "UPDATE candidates SET token = -3 WHERE step = 1",
        "UPDATE logits SET data = zeroblob(3) WHERE step = 1",
        "UPDATE logits SET data = zeroblob(60000000) WHERE step = 1",
        "UPDATE statistics SET data = x'' WHERE step = 1",
        "UPDATE events SET json = 'import os'",
        "UPDATE cameras SET json = '3'",
    ],
)
def test_impossible_values_are_refused(tmp_path: Path, statement: str) -> None:
    path = damage(make_session(tmp_path / "a.atlas"), statement)
    with pytest.raises(RecordingError, match="is damaged") as caught:
        use(path)
    assert_clear_message(path, caught.value)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b""), "is not a recording"),
        (lambda path: path.write_bytes(b"once upon a time" * 100), "is not a recording"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(200)), "of another program"),
        (lambda path: damage(path, "CREATE TABLE a (b)"), "of another program"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: os.mkfifo(path), "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: None, "there is no such file"),
    ],
)
def test_a_file_that_is_not_a_recording_is_refused(tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    path = tmp_path / "a.atlas"
    make(path)
    with pytest.raises(RecordingError, match=reason) as caught:
        Recording(path)
    assert_clear_message(path, caught.value)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_a_pipe_beside_a_recording_does_not_block(tmp_path: Path, suffix: str) -> None:
    path = make_session(tmp_path / "a.atlas")
    os.mkfifo(f"{path}{suffix}")
    with pytest.raises(RecordingError, match=f"a.atlas{suffix}: is not a regular file"):
        Recording(path)


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = damage(make_session(tmp_path / "a.atlas"), f"PRAGMA user_version = {SCHEMA.version + 1}")
    with pytest.raises(RecordingError, match=f"newer program .format version {SCHEMA.version + 1}.*update"):
        Recording(path)


def test_the_architecture_comes_back_if_it_is_known(tmp_path: Path) -> None:
    path, other = tmp_path / "a.atlas", tmp_path / "b.atlas"
    head = replace(HEAD, config=replace(HEAD.config, architecture=PARALLEL.name))
    create_session(path, head, TENSORS)
    with Recording(path) as recording:
        assert recording.head == head
    create_session(other, replace(head, config=replace(head.config, architecture="unheard of")), TENSORS)
    for read in (Recording, DamagedRecording):
        with pytest.raises(RecordingError, match=r"b\.atlas: .*architecture 'unheard of'.*atlas-viewer 9\.9$"):
            read(other)


@pytest.mark.parametrize("name", SMALL_MODELS)
def test_a_config_of_every_architecture_comes_back(tmp_path: Path, name: str) -> None:
    path, head = tmp_path / "a.atlas", replace(HEAD, config=SMALL_MODELS[name])
    create_session(path, head, TENSORS)
    with Recording(path) as recording:
        assert recording.head == head


@pytest.mark.parametrize(
    "rest", ['{"rope": ' + "[" * 4900, '{"rope": {"theta": 0.0}}', '{"rope": {"channels": 1073741824}}']
)
def test_a_config_that_describes_no_model_is_refused_in_one_line(tmp_path: Path, rest: str) -> None:
    path = tmp_path / "a.atlas"
    create_session(path, replace(HEAD, config=SMALL_MODELS["llama"]), TENSORS)
    damage(path, f"UPDATE session SET architecture = 'llama {rest}'")
    for read in (Recording, DamagedRecording):
        with pytest.raises(RecordingError, match=r"a\.atlas: .*architecture: ") as refusal:
            read(path)
        assert str(refusal.value).isprintable()


def test_an_older_version_is_migrated_on_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_session(tmp_path / "a.atlas")
    before = path.read_bytes()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def copies() -> list[Path]:
        return list(tmp_path.glob(".atlas-viewer-*"))

    # A possible next version, in which cameras have a field of view.
    tables = [s.replace("view TEXT NOT NULL", "view TEXT NOT NULL, lens REAL") for s in SCHEMA.tables]
    old = next(s for s in SCHEMA.tables if s.startswith("CREATE TABLE cameras"))
    new = next(s for s in tables if s.startswith("CREATE TABLE cameras"))
    steps = (
        "ALTER TABLE cameras RENAME TO cameras_before",
        new,
        "INSERT INTO cameras (id, time, run, step, view, json) SELECT id, time, run, step, view, json"
        " FROM cameras_before",
        "DROP TABLE cameras_before",
    )
    newer = Schema(SCHEMA.version + 1, tables, {SCHEMA.version: (SCHEMA.tables, steps)})
    with Recording(path, newer) as recording:
        assert [known.record for known in recording.steps(recording.run())] == [step(index) for index in range(12)]
        assert len(recording.cameras()) == 2
        assert len(copies()) == 1
    assert not copies()
    assert path.read_bytes() == before
    with pytest.raises(RecordingError, match="cannot be migrated"):
        Recording(path, replace(newer, older={SCHEMA.version: (SCHEMA.tables, ("DROP TABLE nothing",))}))
    with pytest.raises(RecordingError, match=f"its tables are not those of version {SCHEMA.version}"):
        Recording(path, replace(newer, older={SCHEMA.version: ((old,), steps)}))
    assert path.read_bytes() == before


def test_the_sound_part_is_recovered(tmp_path: Path) -> None:
    path = damage(
        make_session(tmp_path / "a.atlas"),
        "UPDATE steps SET token = -1 WHERE step = 7",
        "UPDATE logits SET data = x'00' WHERE step = 3",
        "UPDATE cameras SET json = 'x'",
    )
    target = tmp_path / "b.atlas"
    found = recover(path, target)
    assert (found.runs, found.steps) == (1, 7)
    assert set(found.lost) == {"run 1 from step 8 on", "logits or statistics of 1 steps of run 1", "2 of 2 cameras"}
    with Recording(target) as recording:
        run = recording.run()
        assert run.stop_reason is None, "the run did not end at its last recovered step"
        assert [known.record for known in recording.steps(run)] == [step(index) for index in range(7)]
        assert recording.logits(run, 3) is None
        assert recording.logits(run, 4) is not None
        assert len(recording.events()) == 1


def test_the_application_id_is_where_tools_expect_it(sound: Path) -> None:
    assert struct.unpack(">I", sound.read_bytes()[68:72]) == (APPLICATION_ID,)
    assert APPLICATION_ID.to_bytes(4, "big") == b"ATLS"
