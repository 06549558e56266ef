"""The real window on a virtual display, driven with a mouse and a keyboard as a person would."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
ARTIFACTS = ROOT / "out" / "test-artifacts"
TOOLS = ("Xvfb", "xdotool", "import")
PATIENCE = 60.0
PROMPT = "A quick brown fox jumps over the lazy dog and runs"

pytestmark = pytest.mark.skipif(
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
    with x_server("1280x720x24") as (name, _):
        yield name


class Window:
    """The program in a process of its own, and what it told last."""

    def __init__(self, display: str, tokens: int, log: Path, folder: Path = ROOT) -> None:
        """log: path, without a suffix, of what it tells; folder: the working folder."""
        self._environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT)}
        self._environment["ATLAS_VIEWER_CONFIG"] = str(log.with_suffix(".config"))
        self._environment.pop("WAYLAND_DISPLAY", None)
        self._told, self._errors = log.with_suffix(".out"), log.with_suffix(".err")
        with self._told.open("w") as out, self._errors.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("window_driver.py")), str(tokens)],
                env=self._environment,
                cwd=folder,
                stdout=out,
                stderr=err,
            )

    def reports(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._told.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def wait(self, what: str, check: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            told = self.reports()[-1:]
            if told and check(told[0]):
                return told[0]
            assert self.process.poll() is None, f"the window closed: {self._errors.read_text()}"
            time.sleep(0.1)
        raise AssertionError(f"{what}: not within {PATIENCE:.0f} s; last {self.reports()[-1:]}")

    def wait_for_rest(self) -> None:
        """Until no frame has been drawn for two seconds."""
        until = time.monotonic() + PATIENCE
        count, since = 0, time.monotonic()
        while time.monotonic() - since < 2:
            assert time.monotonic() < until, f"frames go on for ever: {self.reports()[-1]}"
            if len(self.reports()) != count:
                count, since = len(self.reports()), time.monotonic()
            time.sleep(0.1)

    def naps(self) -> int:
        """How often the program's main thread has gone to sleep, and so was woken."""
        status = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/status").read_text()
        return int(status.split("voluntary_ctxt_switches:")[1].split()[0])

    def tool(self, *arguments: str) -> None:
        subprocess.run(arguments, env=self._environment, check=True, timeout=30)

    def output(self, *arguments: str) -> str:
        """What a tool prints."""
        return subprocess.run(
            arguments, env=self._environment, check=True, timeout=30, capture_output=True, text=True
        ).stdout

    def point(self, label: str) -> None:
        # A widget's place counts once it is the same in two frames.
        x, y = self.reports()[-1]["places"][label]
        self.tool("xdotool", "mousemove", str(round(x)), str(round(y)))
        time.sleep(0.2)

    def click(self, label: str) -> None:
        self.point(label)
        self.tool("xdotool", "click", "1")
        time.sleep(0.2)

    def click_tab(self, title: str) -> None:
        x, y = self.reports()[-1]["tabs"][title]
        self.tool("xdotool", "mousemove", str(round(x)), str(round(y)))
        time.sleep(0.2)
        self.tool("xdotool", "click", "1")
        time.sleep(0.5)

    def clear(self, label: str, empty: Callable[[dict[str, Any]], bool]) -> None:
        """Select all of a text field and delete it. On a busy machine a chord that lasts a millisecond can get lost."""
        for _ in range(8):
            self.click(label)
            self.tool("xdotool", "keydown", "ctrl")
            time.sleep(0.3)
            self.tool("xdotool", "key", "--delay", "200", "a")
            self.tool("xdotool", "keyup", "ctrl")
            time.sleep(0.3)
            self.tool("xdotool", "key", "--delay", "100", "Delete")
            until = time.monotonic() + 5
            while time.monotonic() < until:
                if empty(self.reports()[-1]):
                    return
                time.sleep(0.1)
        raise AssertionError(f"{label}: could not be emptied; last {self.reports()[-1:]}")

    def told(self) -> str:
        """Everything on standard output, the reports among it."""
        return self._told.read_text()

    def errors(self) -> str:
        return self._errors.read_text()


def test_type_generate_look_and_zoom(display: str, tmp_path: Path) -> None:
    window = Window(display, 64, tmp_path / "window")
    try:
        first = window.wait("the first run writes", lambda told: told["steps"] >= 3)
        assert first["run"] == "Once upon a time, there was a"
        assert window.reports()[0]["loading"], "the first frame must say that the model is loading"

        window.clear("##prompt", lambda told: told["prompt"] == "")
        window.tool("xdotool", "key", "--delay", "300", "ctrl+v")  # there is nothing to paste
        window.tool("xdotool", "type", "--delay", "40", PROMPT)  # faster than a busy machine draws
        window.wait("the prompt is typed", lambda told: told["prompt"] == PROMPT)
        window.click("Generate")
        told = window.wait("the new run writes", lambda told: told["run"] == PROMPT and told["steps"] >= 5)
        assert {f"chip{index}" for index in range(5)} <= set(told["places"])

        window.tool("xdotool", "key", "--delay", "100", "ctrl+o")
        window.wait("the dialog is open", lambda told: told["typing"])
        window.tool("xdotool", "type", "--delay", "40", PROMPT)
        window.wait("the path is typed", lambda told: told["model_path"] == PROMPT)
        window.tool("xdotool", "key", "--delay", "100", "Escape")
        window.wait("the dialog is closed", lambda told: not told["dialog"])

        window.point("picture")
        for _ in range(5):
            window.tool("xdotool", "click", "4")
        window.wait("five notches zoom twofold", lambda told: abs(told["zoom"] - 2) < 1e-3)

        window.wait("the run ends", lambda told: told["done"])
        window.click("chip60")
        window.wait("a click on a chip chooses it", lambda told: told["chosen"] == 60)
        window.click("use")
        told = window.wait("use copies the text", lambda told: told["prompt"] != PROMPT)
        assert told["prompt"].startswith(PROMPT)
        assert told["messages"] == []

        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        picture = ARTIFACTS / "window.png"
        picture.unlink(missing_ok=True)
        window.tool("import", "-window", "root", str(picture))
        assert picture.stat().st_size > 50_000, "the screenshot shows next to nothing"

        # At rest nothing is drawn, and the window sleeps until something happens: it does not look 60 times a second.
        window.wait_for_rest()
        count, naps, begun = len(window.reports()), window.naps(), time.monotonic()
        time.sleep(5.0)
        rate = (window.naps() - naps) / (time.monotonic() - begun)
        assert len(window.reports()) == count
        assert rate < 30, f"woken {rate:.0f} times a second"
        window.point("chip60")
        window.wait("a sleeping window sees the mouse at once", lambda _: len(window.reports()) > count)

        busy = [told["frame_ms"] for told in window.reports() if told["steps"] > 3 and not told["done"]]
        median = statistics.median(busy)
        (ARTIFACTS / "window.json").write_text(json.dumps({"median_frame_ms": median, "frames": len(busy)}) + "\n")
        # 33 ms is the aim on an idle machine; tests share theirs with other tests. Waiting for the GPU takes longer.
        assert median < 200
    finally:
        window.process.send_signal(signal.SIGINT)
        status = window.process.wait(30)
    assert status == 0, window.errors()
    assert "Traceback" not in window.errors()
    assert "GLFW" not in window.errors()


INTERRUPTED = """
import os, sys
import atlas_viewer.panels as panels
import atlas_viewer.window as window
from compute.checkpoint import open_model
from compute.options import GenerateOptions

draw_all = panels.draw_all

def interrupted(state):
    if state.run is not None and len(state.run.steps) > 2 and "sent" not in seen:
        seen.append("sent")
        os.kill(os.getpid(), int(sys.argv[1]))
    draw_all(state)
    if seen:
        print("the frame is drawn to its end", flush=True)

seen = []
panels.draw_all = interrupted
window.view(open_model("stories"), "Once", GenerateOptions(max_new_tokens=500), None, "native")
print("closed")
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_the_middle_of_a_frame_closes_the_window_after_it(
    display: str, tmp_path: Path, sent: signal.Signals
) -> None:
    environment = {**os.environ, "DISPLAY": display, "ATLAS_VIEWER_CONFIG": str(tmp_path / "config")}
    environment.pop("WAYLAND_DISPLAY", None)
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(sent.value)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["the frame is drawn to its end", "closed"]


@pytest.mark.parametrize("name", ["", ":987"])
def test_no_display_is_told_in_one_line(name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    if name:
        environment["DISPLAY"] = name
    code = (
        "from atlas_viewer.canvas import open_window\n"
        "from compute.errors import DisplayError\n"
        "try:\n    open_window('t', (100, 100), vsync=False)\n"
        "except DisplayError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stderr
    assert "DISPLAY" in lines[0]
    assert "render" in lines[0]
    if name:
        assert name in lines[0]
