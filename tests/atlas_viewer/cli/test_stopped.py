"""Ctrl+C, SIGTERM and SIGHUP during the work: nothing is left behind, and the exit status shows the signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from atlas_viewer.app.interrupts import closing, terminating
from atlas_viewer.cli.main import main
from atlas_viewer.recording.reader import Recording
from compute.io.held_signals import held_signals

from helpers.command_stopper import COMMANDS, EARLIER, SIGNALS, arguments, at_call, found, prepare
from helpers.paths import SEARCH_PATH
from helpers.patience import PATIENCE_S
from helpers.small_model import small_checkpoint

pytestmark = pytest.mark.gpu

PROCESSES = ("convert",)  # command_stopper.py also runs the others in processes of their own


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and a recording of it."""
    folder = tmp_path_factory.mktemp("stopped")
    model = small_checkpoint(folder / "m.bin")
    record = ["session", "record", "Hi", "-n", "3", "--context", "8", "--model", str(model)]
    assert main([*record, "--out", str(folder / "a.atlas")]) == 0
    return folder


def check(command: str, end: dict[str, Any]) -> None:
    """Check the output of a stopped command, its status, and its folder during and after it."""
    after = dict.fromkeys(EARLIER, "earlier")
    if command == "record":
        assert end["errors"] == ""
        after["x.atlas"] = ""
    else:
        assert any(name.startswith(".atlas-viewer-") for name in end["during"]), (
            "the command was not stopped during its work"
        )
        assert end["errors"] == "atlas-viewer: stopped\n"
    assert end["after"] == after
    assert end["status"] == 128 + signal.Signals[end["signal"]]


def test_a_process_ends_with_the_status_of_the_signal(tmp_path: Path) -> None:
    small_checkpoint(tmp_path / "m.bin")
    done = subprocess.run(
        [sys.executable, "-m", "helpers.command_stopper", tmp_path, *PROCESSES],
        env=os.environ | {"PYTHONPATH": SEARCH_PATH}, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ends = json.loads(done.stdout)
    assert len(ends) == len(PROCESSES) * len(SIGNALS)
    for end in ends:
        check(end["command"], end)


@pytest.mark.parametrize("sent", SIGNALS)
@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_signal_during_the_work_leaves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, sent: signal.Signals
) -> None:
    line, where, call = COMMANDS[command]
    out = folder / "out"
    prepare(out)
    during: list[str] = []

    def stop() -> None:
        during.extend(found(out))
        signal.raise_signal(sent)

    undo = at_call(where, call, stop)
    try:
        status = main(arguments(line, folder))
    finally:
        undo()
    end = {"errors": capsys.readouterr().err, "signal": sent.name, "status": status, "during": during}
    check(command, end | {"after": found(out)})
    if command == "record":
        with Recording(out / "x.atlas") as recording:
            assert recording.run().stop_reason == "stopped"
            assert recording.count(recording.run()) >= 2


def test_a_signal_waits_for_work_that_must_not_be_interrupted() -> None:
    done = []

    def work() -> None:
        with held_signals():
            signal.raise_signal(signal.SIGINT)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("sent", SIGNALS)
@pytest.mark.parametrize(
    ("module", "function"), [("wgpu.backends", "request_device_callback"), ("imgui_bundle", "<module>")]
)
def test_a_signal_arrives_later_where_its_exception_would_do_harm(
    sent: signal.Signals, module: str, function: str
) -> None:
    done: list[str] = []
    body = "import signal\nsignal.raise_signal(sent)\ndone.append('all of it')\n"
    names: dict[str, Any] = {"__name__": module, "sent": sent, "done": done}
    code = compile(body, "harmful", "exec").replace(co_name=function)

    def work() -> None:
        exec(code, names)
        time.sleep(10)

    with terminating() as termination:
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            work()
        assert time.monotonic() - began < 9, "it also ends a system call"
        assert termination.exit_status == (None if sent == signal.SIGINT else 128 + sent)
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_inside_exec_has_the_status_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "stopped_inside_exec.py").write_text(
        "import sys\n"
        "from atlas_viewer.cli import run\n"
        "from atlas_viewer.cli.main import main\n"
        "run.run = lambda argv: exec('raise KeyboardInterrupt')\n"
        "sys.exit(main(['lens']))\n"
    )
    path = os.pathsep.join((SEARCH_PATH, str(tmp_path)))
    command = [sys.executable, "-m", "stopped_inside_exec"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stderr) == (130, b"atlas-viewer: stopped\n")


def test_a_window_closes_at_the_first_signal_and_leaves_the_handlers_as_they_were() -> None:
    closed = []
    before = [signal.getsignal(number) for number in SIGNALS]
    for sent in SIGNALS:
        with closing(lambda: closed.append("closed")) as begin:
            begin()
            signal.raise_signal(sent)
            assert closed == ["closed"]
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(sent)
        closed.clear()
        assert [signal.getsignal(number) for number in SIGNALS] == before
