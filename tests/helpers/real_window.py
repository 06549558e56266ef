"""The real window on a virtual display, in a process of its own, driven with a mouse and a keyboard as a person would.

Nothing here waits for a time: an input is given, then a report of the window that shows its effect is waited for. Where
the X server, the window or imgui may lose an input, it is given again.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from helpers.paths import ROOT, SEARCH_PATH
from helpers.patience import PATIENCE_S, wait_until

ARTIFACTS = ROOT / "out" / "test-artifacts"
TOOLS = ("Xvfb", "xdotool", "import")

_FRAMES = 10  # drawn without an effect: the input was lost

Report = dict[str, Any]

needs_display = pytest.mark.skipif(
    sys.platform != "linux" or any(shutil.which(tool) is None for tool in TOOLS),
    reason=f"needs Linux with {', '.join(TOOLS)} (./dev test installs them)",
)


@contextmanager
def x_server(screen: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The name of a virtual display of this size and depth, and its process."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", screen, "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    assert number, "Xvfb did not start"
    yield f":{number}", server
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """The name of a virtual display of 1280 x 720."""
    with x_server("1280x720x24") as (name, _):
        yield name


class Window:
    """The program in a process of its own, and its latest report."""

    def __init__(self, display: str, arguments: list[str], log: Path) -> None:
        """arguments: of the command line; log: the stem of the files for its output, errors and settings."""
        self._environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": SEARCH_PATH}
        self._environment["ATLAS_VIEWER_CONFIG"] = str(log.with_suffix(".config"))
        self._environment.pop("WAYLAND_DISPLAY", None)
        self._output, self._errors = log.with_suffix(".out"), log.with_suffix(".err")
        with self._output.open("w") as out, self._errors.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("window_driver.py")), *arguments],
                env=self._environment,
                cwd=log.parent,
                stdout=out,
                stderr=err,
            )

    @staticmethod
    def writing(display: str, tokens: int, log: Path) -> Window:
        """The embedded model generates `tokens` tokens greedily."""
        prompt = "Once upon a time, there was a"
        return Window(display, ["view", prompt, "-n", str(tokens), "--temperature", "0"], log)

    def __enter__(self) -> Window:
        return self

    def __exit__(self, kind: object, _error: object, _traceback: object) -> None:
        """End it as Ctrl+C does, and check that nothing went wrong; after a failure, only end it."""
        if kind is not None:
            self.kill()
            return
        self.process.send_signal(signal.SIGINT)
        self.ended()

    def quit(self) -> None:
        """Close the window as a user would."""

        def closed() -> bool:
            return self.process.poll() is not None

        wait_until(closed, "it closes", repeat=lambda: closed() or self.tool("xdotool", "key", "ctrl+q"))
        self.ended()

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()

    def ended(self) -> None:
        """Wait until it ends, and check that nothing went wrong."""
        status = self.process.wait(PATIENCE_S)
        assert status == 0, self.errors()
        assert "Traceback" not in self.errors()
        assert "GLFW" not in self.errors()

    def reports(self) -> list[Report]:
        """One a frame."""
        return [json.loads(line) for line in self._output.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def last(self) -> Report:
        """That of the last frame; empty before the first."""
        end = self._output.stat().st_size
        for size in (1 << 16, end):
            with self._output.open("rb") as file:
                file.seek(max(end - size, 0))
                lines = [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
            # The first line may have lost its beginning.
            if len(lines) > 1 or (lines and size >= end):
                report: dict[str, Any] = json.loads(lines[-1])
                return report
        return {}

    def wait(
        self, what: str, check: Callable[[Report], object], *, repeat: Callable[[], object] | None = None
    ) -> Report:
        """The first report for which `check` is true. what, repeat: see `wait_until`.

        An input is not repeated before frames have been drawn without its effect, unless the window rests.
        """
        given = -_FRAMES

        def found() -> Report | None:
            report = self.last()
            if report and check(report):
                return report
            assert self.process.poll() is None, f"the window closed: {self.errors()}"
            return None

        def again() -> None:
            nonlocal given
            report = self.last()
            if repeat is not None and report and (report["resting"] or report["frame"] >= given + _FRAMES):
                repeat()
                given = report["frame"]

        report = wait_until(found, lambda: f"{what}; last {self.last()}", repeat=again)
        assert report is not None
        return report

    def press(self, chord: str, what: str, check: Callable[[Report], object]) -> Report:
        """Press keys until the window shows their effect."""
        return self.wait(what, check, repeat=lambda: self.tool("xdotool", "key", "--delay", "100", chord))

    def frames(self) -> int:
        """The number of frames drawn."""
        return int(self.last()["frame"])

    def naps(self) -> int:
        """How often the program's main thread has gone to sleep, which is how often it was woken."""
        status = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/status").read_text()
        return int(status.split("voluntary_ctxt_switches:")[1].split()[0])

    def tool(self, *arguments: str) -> str:
        """Run a program on the window's display. Returns its output."""
        return subprocess.run(
            arguments, env=self._environment, check=True, timeout=PATIENCE_S, stdout=subprocess.PIPE, text=True
        ).stdout

    def move(self, x: float, y: float) -> None:
        """Move the mouse there. Returns when a frame shows it."""
        place = round(x), round(y)

        def arrived(report: Report) -> bool:
            return [round(value) for value in report["mouse"]] == list(place)

        # Going to the place where it already is makes no event: one pixel off is another place.
        def again() -> None:
            self.tool("xdotool", "mousemove", str(place[0] + 1), str(place[1]), "mousemove", *map(str, place))

        self.wait(f"the mouse is at {place}", arrived, repeat=again)

    def _click_at(self, find: Callable[[Report], list[float] | None], what: str) -> None:
        """Click the center of the rectangle that `find` returns, once it is the same in two frames."""

        def rests(report: Report) -> bool:
            place = find(report)
            return place is not None and report["mouse"] == [round(value) for value in place]

        def there() -> None:
            place = find(self.last())
            if place is not None:
                self.move(*place)

        self.wait(f"the mouse is on {what}", rests, repeat=there)
        before = self.last()["clicks"]
        self.tool("xdotool", "click", "1")
        self.wait(f"{what} is clicked", lambda report: report["clicks"] > before and not report["pressed"])

    def point(self, label: str) -> None:
        """Move the mouse to a widget."""
        self.wait(f"{label} is there", lambda report: label in report["places"])
        self.move(*self.last()["places"][label])

    def click(self, label: str) -> None:
        """Click a widget. Returns when a frame shows the effect."""
        self._click_at(lambda report: report["places"].get(label), label)

    def click_until(self, label: str, what: str, check: Callable[[Report], object]) -> Report:
        """Click a widget until the window shows the effect: it may move away just before the click."""
        return self.wait(what, check, repeat=lambda: self.click(label))

    def open_strip(self) -> None:
        """Bring Strip to the front."""
        self.click_until("tab:Atlas", "Strip is in front", lambda report: "picture" in report["places"])
        self.wait("Strip has its final size", lambda report: report["resting"] or not report["done"])

    def click_tab(self, title: str) -> None:
        """Bring a panel to the front."""
        self._click_at(lambda report: report["tabs"][title], title)

    def clear(self, label: str, empty: Callable[[Report], bool]) -> None:
        """Select all of a text field and delete it."""

        def once() -> None:
            self.click(label)
            self.tool("xdotool", "key", "--delay", "100", "ctrl+a", "Delete")

        self.wait(f"{label} is emptied", empty, repeat=once)

    def type(self, label: str, text: str, shown: Callable[[Report], str]) -> None:
        """Type `text` into a field until the window shows it; start again if letters got lost."""

        def once() -> None:
            self.click(label)
            self.clear(label, lambda report: shown(report) == "")
            self.tool("xdotool", "type", "--delay", "40", text)

        self.wait(f"{text!r} is typed into {label}", lambda report: shown(report) == text, repeat=once)

    def picture(self, path: Path) -> None:
        """A picture of the whole display."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self.tool("import", "-window", "root", str(path))

    def report(self) -> str:
        """All standard output, including the reports."""
        return self._output.read_text()

    def errors(self) -> str:
        """All standard error."""
        return self._errors.read_text()
