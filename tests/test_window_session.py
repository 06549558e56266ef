"""The real window records a session and itself, is killed or closed, and plays the session again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from test_window import ARTIFACTS, PATIENCE, ROOT, TOOLS, display

from atlas_viewer.sessions.reader import Session

__all__ = ["display"]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or any(shutil.which(tool) is None for tool in TOOLS),
    reason=f"needs Linux with {', '.join(TOOLS)} (./dev test installs them)",
)


class Program:
    """The program with a window, in a folder of its own."""

    def __init__(self, display: str, folder: Path, *arguments: str) -> None:
        self._environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT)}
        self._environment["ATLAS_VIEWER_CONFIG"] = str(folder / "config")
        self._environment.pop("WAYLAND_DISPLAY", None)
        self._errors = folder / "errors.txt"
        with self._errors.open("w") as errors:
            command = [sys.executable, "-m", "atlas_viewer", *arguments]
            self.process = subprocess.Popen(command, env=self._environment, cwd=folder, stderr=errors)

    def tool(self, *arguments: str) -> str:
        done = subprocess.run(arguments, env=self._environment, check=True, timeout=30, capture_output=True, text=True)
        return done.stdout

    def wait(self, what: str, check: Callable[[], object]) -> None:
        until = time.monotonic() + PATIENCE
        while not check():
            assert self.process.poll() is None, f"the window closed: {self._errors.read_text()}"
            assert time.monotonic() < until, f"{what}: not within {PATIENCE:.0f} s: {self._errors.read_text()}"
            time.sleep(0.2)

    def open(self) -> None:
        title = ["xdotool", "search", "--name", "Tensor Atlas"]
        self.wait(
            "the window", lambda: not subprocess.run(title, env=self._environment, capture_output=True).returncode
        )
        self.tool("xdotool", "mousemove", "640", "650")

    def press(self, chord: str) -> None:
        self.tool("xdotool", "key", "--delay", "200", chord)

    def quit(self) -> None:
        """Close the window as its user would; twice, as a busy machine may lose a chord."""
        for _ in range(3):
            if self.process.poll() is None:
                self.press("ctrl+q")
                time.sleep(2)
        assert self.process.wait(PATIENCE) == 0, self._errors.read_text()


@pytest.fixture
def run(display: str, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    made: list[Program] = []

    def start(*arguments: str) -> Program:
        made.append(Program(display, tmp_path, *arguments))
        made[-1].open()
        return made[-1]

    yield start
    for program in made:
        if program.process.poll() is None:
            program.process.kill()


def steps(path: Path) -> int:
    if not path.exists():
        return 0
    with Session(path) as session:
        runs = session.runs()
        return session.count(runs[-1]) if runs else 0


def test_recorded_killed_and_played_again(run: Callable[..., Program], tmp_path: Path) -> None:
    file, film = tmp_path / "session-1.atlas", tmp_path / "window-1.mp4"
    window = run("view", "Once upon a time", "-n", "400")
    window.wait("Ctrl+R records", lambda: file.exists() or (window.press("ctrl+r"), time.sleep(2))[0])
    window.wait("steps are written", lambda: steps(file) >= 5)
    window.process.send_signal(signal.SIGKILL)
    window.process.wait()
    written = steps(file)
    assert written >= 5

    window = run("session", "replay", file.name)
    window.press("shift+F12")
    time.sleep(6)
    window.press("alt+comma")
    time.sleep(1)
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    window.tool("import", "-window", "root", str(ARTIFACTS / "window-replay.png"))
    window.quit()
    assert steps(file) == written
    with av.open(str(film)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames >= 5
