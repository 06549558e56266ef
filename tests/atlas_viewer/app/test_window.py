"""The real window on a virtual display, operated with mouse and keyboard."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S
from helpers.real_window import ARTIFACTS, Window, display, needs_display

__all__ = ["display"]

PROMPT = "A quick brown fox jumps over the lazy dog and runs"

pytestmark = [pytest.mark.gpu, pytest.mark.window, needs_display]


@pytest.mark.slow
def test_type_generate_inspect_and_zoom(display: str, tmp_path: Path) -> None:
    with Window.writing(display, 64, tmp_path / "window") as window:
        first = window.wait("the first run writes", lambda report: report["steps"] >= 3)
        assert first["run"] == "Once upon a time, there was a"
        assert window.reports()[0]["loading"], "the first frame must say that the model is loading"

        window.clear("##prompt", lambda report: report["prompt"] == "")
        window.tool("xdotool", "key", "--delay", "300", "ctrl+v")  # there is nothing to paste
        window.type("##prompt", PROMPT, lambda report: report["prompt"])
        window.click_until("Generate", "the new run begins", lambda report: report["run"] == PROMPT)
        report = window.wait("it writes", lambda report: report["run"] == PROMPT and report["steps"] >= 5)
        assert {f"chip{index}" for index in range(5)} <= set(report["places"])

        window.tool("xdotool", "key", "--delay", "100", "ctrl+o")
        window.wait("the dialog is open", lambda report: report["typing"])
        window.tool("xdotool", "type", "--delay", "40", PROMPT)
        window.wait("the path is typed", lambda report: report["model_path"] == PROMPT)
        window.tool("xdotool", "key", "--delay", "100", "Escape")
        window.wait("the dialog is closed", lambda report: not report["dialog"])

        window.open_strip()
        window.point("picture")
        for _ in range(5):
            window.tool("xdotool", "click", "4")
        window.wait("five notches zoom twofold", lambda report: abs(report["zoom"] - 2) < 1e-3)

        window.wait("the run ends", lambda report: report["done"])
        window.click_until("chip60", "a click on a chip chooses it", lambda report: report["chosen"] == 60)
        report = window.click_until("use", "use copies the text", lambda report: report["prompt"] != PROMPT)
        assert report["prompt"].startswith(PROMPT)
        assert report["messages"] == []

        picture = ARTIFACTS / "window.png"
        window.picture(picture)
        assert picture.stat().st_size > 50_000, "the screenshot is nearly empty"
        check_idle(window)


def check_idle(window: Window) -> None:
    """An idle window draws nothing and sleeps until an event; it does not poll 60 times per second."""
    window.wait("the last frame is drawn", lambda report: report["resting"])
    count, naps, begun = window.frames(), window.naps(), time.monotonic()
    time.sleep(3)  # nothing may happen in this time; a busy machine cannot make it fail
    rate = (window.naps() - naps) / (time.monotonic() - begun)
    assert window.frames() == count
    assert rate < 30, f"woken {rate:.0f} times a second"
    window.point("chip60")
    window.wait("a sleeping window sees the mouse", lambda _: window.frames() > count)


INTERRUPTED = """
import os, signal
import atlas_viewer.ui.panels as panels
from atlas_viewer.cli.main import main

draw_all = panels.draw_all

def interrupted(state, services):
    if state.run is not None and len(state.run.steps) > 2 and not seen:
        seen.append("sent")
        os.kill(os.getpid(), sent)
    draw_all(state, services)
    if seen:
        print("the frame is drawn to its end", flush=True)

panels.draw_all = interrupted
for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    seen = []
    status = main(["view", "Once", "-n", "500"])
    print(f"closed by {sent.name} with {status}")
"""


def test_an_interrupt_in_the_middle_of_a_frame_closes_the_window_after_it(display: str, tmp_path: Path) -> None:
    environment = {**os.environ, "DISPLAY": display, "ATLAS_VIEWER_CONFIG": str(tmp_path / "config")}
    environment.pop("WAYLAND_DISPLAY", None)
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    closed = ["closed by SIGINT with 0", "closed by SIGTERM with 143", "closed by SIGHUP with 129"]
    assert done.stdout.splitlines() == [line for end in closed for line in ("the frame is drawn to its end", end)]
