"""The real window records its runs and itself, is killed or closed, and plays the recording."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import pytest

from atlas_viewer.recording.reader import Recording

from helpers.patience import wait_until
from helpers.real_window import ARTIFACTS, Window, display, needs_display

__all__ = ["display"]

pytestmark = [pytest.mark.gpu, pytest.mark.window, needs_display]


def steps(path: Path) -> int:
    with Recording(path) as recording:
        return recording.count(recording.run())


@pytest.mark.slow
def test_recorded_killed_and_played(display: str, tmp_path: Path) -> None:
    file, film = tmp_path / "session-1.atlas", tmp_path / "window-1.mp4"
    window = Window(display, ["view", "Once upon a time", "-n", "400"], tmp_path / "view")
    window.wait("the run begins", lambda report: report["steps"] > 1)
    window.move(640, 650)
    window.press("ctrl+r", "Ctrl+R records", lambda report: report["recording"][0])
    report = window.wait("steps are written", lambda report: report["recording"][1] >= 5)
    window.kill()
    assert report["recording"][2] == file.name
    written = steps(file)
    assert written >= 5

    window = Window(display, ["session", "replay", file.name], tmp_path / "replay")
    report = window.wait("it plays to its end", lambda report: report["playback"] and not report["playback"][2])
    assert report["playback"][:2] == [written, written]
    window.move(640, 650)
    window.press("shift+F12", "Shift+F12 makes a video", lambda report: report["video"][0])
    positions = itertools.cycle([(600, 650), (640, 650)])
    wait_until(
        lambda: window.last()["video"][1] >= 5, "frames are recorded", meanwhile=lambda: window.move(*next(positions))
    )
    window.press("alt+comma", "Alt+, goes back", lambda report: report["playback"][0] < written)
    window.picture(ARTIFACTS / "window-replay.png")
    window.quit()
    assert steps(file) == written
    with av.open(str(film)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames >= 5


def test_a_recording_opens_from_the_window_and_is_scrubbed(display: str, tmp_path: Path) -> None:
    with Window(display, ["view", "Once upon a time", "-n", "12"], tmp_path / "view") as window:
        window.wait("the run ends", lambda report: report["done"])
        live = window.last()["run"]
        window.move(640, 650)
        window.press("ctrl+r", "Ctrl+R records", lambda report: report["recording"][0] == "recording")
        window.wait("the menu bar shows it", lambda report: "sign recording" in report["places"])
        window.press("ctrl+Return", "a run begins", lambda report: not report["done"])
        window.wait("it is recorded", lambda report: report["done"] and report["recording"][1] == 12)
        window.press("ctrl+r", "the recording ends", lambda report: not report["recording"][0])
        window.click("File##menu")
        window.click_until("recent recordings", "its submenu opens", lambda report: "recent 0" in report["places"])
        window.click("recent 0")
        window.wait("it opens", lambda report: report["playback"] and report["playback"][:2] == [12, 12])
        window.wait("its model is found", lambda report: not report["loading"])
        window.press("Home", "Home goes to the first step", lambda report: report["playback"][0] == 1)
        window.click_until("timeline track", "a click goes there", lambda report: report["playback"][0] in (6, 7))
        window.press("End", "End goes to the last step", lambda report: report["playback"][0] == 12)
        window.click_until("timeline live", "the live model is back", lambda report: not report["playback"])
        assert window.wait("its run is shown", lambda report: report["steps"] == 12)["run"] == live
        assert window.last()["messages"] == []
