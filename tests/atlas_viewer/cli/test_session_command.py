"""`session` on the command line: record, info, verify, diff and recover."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from atlas_viewer.cli.main import main
from atlas_viewer.recording.reader import Recording

from helpers.command_line import TEXT, Run, assert_one_line, runner
from helpers.make_recordings import make_session
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S, wait_until

pytestmark = pytest.mark.gpu

PROMPT = "Once upon a time, there was a"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys, "session")


def record(run: Run, path: Path, *more: object) -> SimpleNamespace:
    return run("record", PROMPT, "-n", 18, "--temperature", 0, "--context", 64, "--out", path, *more)


def test_a_recorded_run_verifies(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    result = record(run, path)
    assert (result.status, result.out, result.err) == (0, TEXT + "\n", "")
    info = run("info", path)
    assert (info.status, info.err) == (0, "")
    assert re.search(r"^model +stories, gpt2, 8 layers, 6 heads, 192 channels$", info.out, re.MULTILINE)
    assert f'18 steps, length, logits f16, statistics: "{PROMPT}"' in info.out
    summary = json.loads(run("info", path, "--json").out)
    assert (summary["head"]["config"]["layers"], summary["runs"][0]["steps"]) == (8, 18)
    verified = run("verify", path)
    assert verified.status == 0
    lines = verified.out.splitlines()
    assert lines[0] == 'run 1 step 1 " little": identical'
    assert lines[18:] == ["model: stories, gpt2", "18 steps: 18 identical", "changed since: nothing"]
    assert_no_file_is_left(tmp_path, "a.atlas")
    with Recording(path) as recording:
        weights = recording.weight_statistics()
        assert list(weights) == [tensor.name for tensor in recording.tensors if tensor.is_weight]
        assert all(record["max"] > record["min"] for record in weights.values())
        assert all(0 < step.record.entropy < 11 for step in recording.steps(recording.run()))


def assert_no_file_is_left(folder: Path, *names: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four steps, without arrays."""
    path = tmp_path_factory.mktemp("sound") / "a.atlas"
    arguments = ("-n", 4, "--temperature", 0, "--context", 16, "--logits", "none", "--no-statistics", "--out", path)
    assert main(["session", "record", PROMPT, *map(str, arguments)]) == 0
    return path


@pytest.fixture
def copied(tmp_path: Path, sound: Path) -> Path:
    return Path(shutil.copy(sound, tmp_path / "a.atlas"))


def test_a_failed_verification_gives_the_cause(run: Run, copied: Path) -> None:
    path = copied
    connection = sqlite3.connect(path)
    connection.execute("UPDATE steps SET logit = logit - 1 WHERE step = 3")
    connection.execute("UPDATE session SET weights_sha256 = 'feed' || substr(weights_sha256, 5)")
    connection.commit()
    connection.close()
    result = run("verify", path)
    assert result.status == 1
    assert 'run 1 step 4 " El": different, 1 (logit of token' in result.out
    assert re.fullmatch(
        r"atlas-viewer: \S+a.atlas: verification failed: 3 identical, 1 different;"
        r" different weights \(recorded feed.*\)\n",
        result.err,
    )


def test_other_weights_fail_even_if_the_figures_agree(run: Run, copied: Path) -> None:
    path = copied
    connection = sqlite3.connect(path)
    connection.execute("UPDATE session SET weights_sha256 = 'feed'")
    connection.commit()
    connection.close()
    assert run("verify", path).status == 1


def test_another_precision_is_named(run: Run, copied: Path) -> None:
    path = copied
    result = run("verify", path, "--weights", "f16")
    assert "different precision (recorded bf16, here f16)" in result.out
    loose = run("verify", path, "--weights", "f16", "--tolerance", 100)
    assert loose.status == 0
    assert "within tolerance" in loose.out
    verdict = json.loads(run("verify", path, "--json").out)
    assert (verdict["holds"], verdict["counts"]["identical"], len(verdict["steps"])) == (True, 4, 4)


def test_runs_are_compared(run: Run, tmp_path: Path, copied: Path) -> None:
    one, other = copied, tmp_path / "b.atlas"
    run("record", PROMPT, "-n", 4, "--temperature", 5, "--context", 16, "--out", other)
    same = run("diff", one, one)
    assert (same.status, same.out) == (0, "the same: 4 steps\n")
    result = run("diff", one, other)
    assert result.status == 1
    assert "temperature: 0.0 | 5.0" in result.out
    assert "the tokens differ from step " in result.out
    record = json.loads(run("diff", one, other, "--json").out)
    assert record["same"] is False
    assert record["parted"] == len(record["steps"]) - 1


def test_info_shortens_a_long_prompt(run: Run, tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.atlas", steps=1)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE runs SET prompt = ?", ("x" * 100_000,))
    connection.commit()
    connection.close()
    text = run("info", path).out
    assert f'"{"x" * 200}" and 99,800 more characters\n' in text
    assert len(text) < 2000
    assert json.loads(run("info", path, "--json").out)["runs"][0]["prompt"] == "x" * 100_000


def test_recover_saves_what_is_left(run: Run, tmp_path: Path) -> None:
    path, saved = make_session(tmp_path / "a.atlas"), tmp_path / "b.atlas"
    connection = sqlite3.connect(path)
    connection.execute("UPDATE steps SET token = -1 WHERE step = 5")
    connection.commit()
    connection.close()
    assert_one_line(run("export", path, "--csv"), 1, "a.atlas", "session recover")
    result = run("recover", path, "--out", saved)
    assert (result.status, result.out) == (0, "5 steps of 1 runs saved\n")
    assert result.err == "note: lost: run 1 from step 6 on\n"
    assert "5 steps, not ended" in run("info", saved).out


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        ((), 2, "VERB"),
        (("record", "x"), 2, "--out"),
        (("record", "x", "--out", "no/where.atlas"), 1, "there is no folder"),
        (("record", "x", "--out", "there.atlas"), 1, "already exists"),
        (("record", "x", "--out", "a.atlas", "--context", "0"), 2, "--context 0"),
        (("record", "x", "--out", "a.atlas", "--top", "900"), 2, "--top 900"),
        (("info", "nowhere.atlas"), 1, "no such file"),
        (("verify", "there.atlas", "--tolerance", "-1"), 2, "--tolerance -1"),
        (("verify", "there.atlas"), 1, "is not a recording"),
        (("recover", "there.atlas", "--out", "a.atlas"), 1, "is not a recording"),
    ],
)
def test_mistakes_are_reported_in_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int, part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.atlas").write_bytes(b"precious")
    assert_one_line(run(*arguments), status, part)
    assert Path("there.atlas").read_bytes() == b"precious"


def program(*arguments: object, limit: int | None = None) -> subprocess.Popen[str]:
    """The program in a process of its own; limit: maximum size of its files in bytes."""

    def restrict() -> None:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "atlas_viewer", "session", *map(str, arguments)], cwd=ROOT, env=dict(os.environ),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=restrict,
    )  # fmt: skip


def test_the_run_goes_on_when_the_disk_is_full(tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    started = program(
        "record", PROMPT, "-n", 18, "--temperature", 0, "--context", 64, "--out", path, limit=1_000_000
    )  # fmt: skip
    out, err = started.communicate(timeout=PATIENCE_S)
    assert started.returncode == 1
    assert out == TEXT + "\n", "the run itself is whole"
    assert re.fullmatch(r"\natlas-viewer: \S+a.atlas: nothing is recorded from step \d+ of run 1 on: .*\n", err), err
    with Recording(path) as recording:
        assert 0 < recording.count(recording.run()) < 18


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_recording_keeps_its_steps(tmp_path: Path, sent: signal.Signals) -> None:
    path = tmp_path / "a.atlas"
    # Greedily, because the random text ends by itself after a while.
    started = program("record", PROMPT, "-n", 4000, "--temperature", 0, "--context", 64, "--out", path)
    log = Path(f"{path}-wal")
    wait_until(lambda: log.exists() and log.stat().st_size > 500_000, "steps are written")
    started.send_signal(sent)
    started.communicate(timeout=PATIENCE_S)
    assert started.returncode == (130 if sent == signal.SIGINT else -sent)
    with Recording(path) as recording:
        run = recording.run()
        assert run.stop_reason == ("stopped" if sent == signal.SIGINT else None)
        steps = recording.steps(run)
        assert len(steps) >= 3
        assert recording.logits(run, len(steps) - 1) is not None
    assert Path(f"{path}-wal").exists() == (sent == signal.SIGKILL)
