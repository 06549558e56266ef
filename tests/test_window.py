"""The real window on a virtual display, driven with a mouse and a keyboard as a person would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import PATIENCE_S
from real_window import ARTIFACTS, ROOT, Window, display, needs_display

__all__ = ["display"]

pytestmark = needs_display


def test_type_generate_look_and_zoom(display: str, tmp_path: Path) -> None:
    with Window.writing(display, 64, tmp_path / "window") as window:
        first = window.wait("the first run writes", lambda told: told["steps"] >= 3)
        assert first["run"] == "Once upon a time, there was a"
        assert window.reports()[0]["loading"], "the first frame must say that the model is loading"

        window.clear("##prompt", lambda told: told["prompt"] == "")
        window.tool("xdotool", "key", "--delay", "300", "ctrl+v")  # there is nothing to paste
        window.type("##prompt", "The dog was", lambda told: told["prompt"])
        window.click("Generate")
        told = window.wait("the new run writes", lambda told: told["run"] == "The dog was" and told["steps"] >= 5)
        assert {f"chip{index}" for index in range(5)} <= set(told["places"])

        window.point("picture")
        for _ in range(5):
            window.tool("xdotool", "click", "4")
        window.wait("five notches zoom twofold", lambda told: abs(told["zoom"] - 2) < 1e-3)

        window.wait("the run ends", lambda told: told["done"])
        window.click("chip60")
        window.wait("a click on a chip chooses it", lambda told: told["chosen"] == 60)
        window.click("use")
        told = window.wait("use copies the text", lambda told: told["prompt"] != "The dog was")
        assert told["prompt"].startswith("The dog was")
        assert told["messages"] == []

        picture = ARTIFACTS / "window.png"
        window.picture(picture)
        assert picture.stat().st_size > 50_000, "the screenshot shows next to nothing"
        check_rest(window)


def check_rest(window: Window) -> None:
    """Idle, nothing is drawn: the mouse rests, so the reports end; looking for events is all that costs anything."""
    window.wait("the last frame is drawn", lambda told: told["resting"])
    count, used = len(window.reports()), window.processor_s()
    time.sleep(3)  # in which nothing may happen: a busy machine cannot make it fail
    assert len(window.reports()) == count
    assert window.processor_s() - used < 0.3, "of 3 s; a loop that does not sleep takes all of them"


INTERRUPTED = """
import os, sys
import atlas_viewer.panels as panels
from atlas_viewer.cli import main

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
status = main(["view", "Once", "-n", "500"])
print("closed")
sys.exit(status)
"""


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupt_in_the_middle_of_a_frame_closes_the_window_after_it(
    display: str, tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    environment = {**os.environ, "DISPLAY": display, "ATLAS_VIEWER_CONFIG": str(tmp_path / "config")}
    environment.pop("WAYLAND_DISPLAY", None)
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(sent.value)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (status, "")
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
        [sys.executable, "-c", code], env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stderr
    assert "DISPLAY" in lines[0]
    assert "render" in lines[0]
    if name:
        assert name in lines[0]
