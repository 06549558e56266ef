"""The tour of the documentation, played in the real window, and the player and recorder on their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas_viewer.tour.player import Tour, read_tour
from atlas_viewer.tour.recorder import TourRecorder
from atlas_viewer.ui import widget_tracking
from compute.errors import TourError

from helpers.faults import file_limit
from helpers.hostile_recordings import JSON
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S
from helpers.real_window import ARTIFACTS, TOOLS, display
from helpers.screen import context

pytestmark = [pytest.mark.gpu, pytest.mark.window]

__all__ = ["context", "display"]

TOUR, PICTURES = ROOT / "docs" / "tour.jsonl", ROOT / "docs" / "tour"
ARGUMENTS = ["-n", "24", "--temperature", "0", "--context", "64"]
STRAY = 0.004  # of a picture's pixels may differ: another processor computes other last digits
DIFFERENT = 40  # of 255


def pixels(path: Path) -> np.ndarray:
    size = subprocess.run(["identify", "-format", "%w %h", str(path)], capture_output=True, text=True, check=True)
    width, height = map(int, size.stdout.split())
    data = subprocess.run(["convert", str(path), "-depth", "8", "rgb:-"], capture_output=True, check=True).stdout
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)


@pytest.mark.skipif(
    sys.platform != "linux" or any(shutil.which(tool) is None for tool in (*TOOLS, "convert", "identify")),
    reason="needs Linux with Xvfb and ImageMagick (./dev test installs them)",
)
@pytest.mark.slow
def test_the_documentation_s_tour(display: str, tmp_path: Path) -> None:
    folder = ARTIFACTS / "tour"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT)}
    environment.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, "-m", "atlas_viewer", "view", *ARGUMENTS]
    done = subprocess.run(
        [*command, "--tour", str(TOUR), "--pictures", str(folder)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    wanted = sorted(step["picture"] for step in read_tour(TOUR) if "picture" in step)
    assert sorted(path.stem for path in folder.glob("*.png")) == wanted
    different = {}
    for name in wanted:
        found, known = pixels(folder / f"{name}.png"), pixels(PICTURES / f"{name}.png")
        assert found.shape == known.shape, name
        share = float((np.abs(found.astype(int) - known).max(axis=2) > DIFFERENT).mean())
        if share > STRAY:
            different[name] = f"{share:.2%}"
    assert not different, f"pictures that differ from docs/tour (./dev pictures makes them anew): {different}"


# -- the player


class Window:
    """Notes what a tour does to it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.pictures: list[str] = []
        self.sizes: list[tuple[float, float]] = []
        self.ready = False

    def play(self, *steps: dict[str, Any], frames: int = 60) -> Tour:
        tour = Tour(
            steps,
            send=self.events.append,
            resize=lambda width, height: self.sizes.append((width, height)),
            picture=self.pictures.append,
            reached=lambda step: self.ready,
        )
        for _ in range(frames):
            tour.frame()
        return tour


@pytest.fixture
def places() -> Iterator[None]:
    widget_tracking.rects.clear()
    widget_tracking.rects["a"] = widget_tracking.WidgetRect(10, 20, 30, 40)
    widget_tracking.rects["b+1"] = widget_tracking.WidgetRect(100, 100, 120, 110)
    yield
    widget_tracking.rects.clear()


def kinds(window: Window) -> list[str]:
    return [event["event_type"] for event in window.events]


def test_clicks_drags_and_wheels_go_to_widgets(places: None) -> None:
    window = Window()
    tour = window.play({"click": "a"}, {"drag": "a+5,-5", "by": [8, 0]}, {"wheel": 2, "at": "b+1"}, frames=80)
    assert tour.done
    assert kinds(window) == [
        "pointer_move", "pointer_down", "pointer_up",
        "pointer_move", "pointer_down", "pointer_move", "pointer_move", "pointer_up",
        "pointer_move", "wheel",
    ]  # fmt: skip
    at = [(event["x"], event["y"]) for event in window.events]
    assert at[0] == at[2] == (20, 30)
    assert (at[3], at[7]) == ((25, 25), (33, 25))
    assert at[9] == (110, 105)
    assert window.events[9]["dy"] == -200


def test_chords_text_sizes_and_pictures() -> None:
    window = Window()
    window.play({"key": "Ctrl+Shift+A"}, {"key": "Up"}, {"type": "né"}, {"resize": [300, 200]}, {"picture": "one"})
    events = [(event["event_type"], event.get("key") or event.get("data")) for event in window.events]
    assert events == [
        ("key_down", "Control"), ("key_down", "Shift"), ("key_down", "a"),
        ("key_up", "a"), ("key_up", "Shift"), ("key_up", "Control"),
        ("key_down", "ArrowUp"), ("key_up", "ArrowUp"), ("char", "n"), ("char", "é"),
    ]  # fmt: skip
    assert (window.sizes, window.pictures) == ([(300, 200)], ["one"])


def test_it_waits_for_widgets_and_for_what_is_to_come_true(places: None) -> None:
    window = Window()
    tour = window.play({"click": "later"}, {"wait": "done"}, {"picture": "end"})
    assert not window.events
    widget_tracking.rects["later"] = widget_tracking.WidgetRect(0, 0, 10, 10)
    for _ in range(30):
        tour.frame()
    assert kinds(window)[-1] == "pointer_up"
    assert not window.pictures
    window.ready = True
    for _ in range(30):
        tour.frame()
    assert tour.done
    assert window.pictures == ["end"]
    with pytest.raises(TourError, match="line 7: timed out waiting"):
        window.play({"click": "never", "line": 7}, frames=2000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "line 1: is not JSON"),
        ('# a comment\n\n{"click": "a", "point": "b"}', "line 3: must have one of"),
        ("[1]", "line 1: must have one of"),
        ('{"jump": 1}', "line 1: must have one of"),
        ("[" * 100_000, r"line 1: is not JSON \(it is nested too deeply\)"),
        ('{"key": "Q+"}', "line 1: 'key' must be a key such as"),
        ('{"key": 3}', "line 1: 'key' must be a key such as"),
        ('{"frames": "x"}', "line 1: 'frames' must be a whole number"),
        ('{"frames": true}', "line 1: 'frames' must be a whole number"),
        ('{"resize": [1]}', "line 1: 'resize' must be two numbers"),
        (
            '{"resize": [0, 5]}',
            "line 1: 'resize' must be two numbers in brackets, a width",
        ),
        ('{"resize": [1e999, 5]}', r"line 1: is not JSON \(resize\[0\] is not a finite number"),
        (
            '{"resize": [1e300, 5]}',
            "line 1: 'resize' must be two numbers in brackets, a width",
        ),
        ('{"drag": "a"}', "line 1: 'drag' needs 'by'"),
        ('{"drag": "a", "by": {"x": 1}}', "line 1: 'by' must be two numbers"),
        ('{"wheel": NaN, "at": "a"}', r"line 1: is not JSON \(wheel is not a finite number"),
        ('{"wheel": 1}', "line 1: 'wheel' needs 'at'"),
        ('{"click": "a", "button": 4}', "line 1: 'button' must be one of 1, 2, 3"),
        (f'{{"click": "a", "{"b" * 3000}": 1}}', f"line 1: 'click' has no '{'b' * 199}\\.\\.\\.; fix it$"),
        ('{"click": "a", "twise": true}', "line 1: 'click' has no 'twise'"),
        ('{"click": ""}', "line 1: 'click' must be text"),
        ('{"type": "\\ud800"}', r"line 1: is not JSON \(type is text with half a character"),
        ('{"wait": "for ever"}', "line 1: 'wait' must be one of done, writing"),
        ('{"picture": "../../a"}', "line 1: 'picture' must be the name of a picture"),
    ],
)
def test_the_error_of_a_bad_tour_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "tour.jsonl"
    path.write_text(text)
    with pytest.raises(TourError, match=message) as caught:
        read_tour(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(TourError, match="there is no such file"):
        read_tour(tmp_path / "none")


STEPS = (
    {"wait": "done"}, {"wait": "writing", "steps": 3}, {"frames": 3}, {"point": "a"},
    {"click": "a", "button": 2, "twice": True}, {"drag": "a", "by": [40, 10]}, {"wheel": 5, "at": "a"},
    {"type": "The dog"}, {"key": "Ctrl+P"}, {"resize": [900, 600]}, {"picture": "prompt"},
)  # fmt: skip


@pytest.mark.parametrize("step", STEPS, ids=lambda step: next(iter(step)))
def test_a_hostile_value_in_any_field_is_refused_or_played(places: None, tmp_path: Path, step: dict[str, Any]) -> None:
    path = tmp_path / "tour.jsonl"
    for field in step:
        refused = 0
        for value in (*JSON, '"a+' + "9" * 5000 + ',0"', f"[{'1' + '0' * 300}, 1]"):
            others = [f'"{name}": {json.dumps(other)}' for name, other in step.items() if name != field]
            path.write_text("{" + ", ".join([*others, f'"{field}": {value}']) + "}")
            window = Window()
            window.ready = True
            try:
                window.play(*read_tour(path), frames=40)
            except TourError:
                refused += 1
        assert refused > len(JSON) / 3, field


# -- the recorder


def test_on_a_full_disk_a_tour_ends_with_its_last_whole_step(places: None, tmp_path: Path) -> None:
    path = tmp_path / "tour.jsonl"
    path.write_text("of earlier\n")
    said: list[str] = []
    recorder = TourRecorder(path, said.append)
    with file_limit(90):
        for _ in range(9):
            recorder.frame()
            recorder.event({"event_type": "char", "data": "some text"})
    recorder.close()
    assert said == [recorder.trouble]
    assert "tour.jsonl: can no longer be written to (File too large); the earlier content is kept" in said[0]
    assert path.read_text() == 2 * '{"frames": 1}\n{"type": "some text"}\n'
    assert [file.name for file in tmp_path.iterdir()] == ["tour.jsonl"]


def test_what_is_recorded_plays_as_it_was(places: None, tmp_path: Path) -> None:
    path = tmp_path / "tour.jsonl"
    said: list[str] = []
    recorder = TourRecorder(path, said.append)
    pointer = {"modifiers": (), "buttons": ()}
    for frames, event in (
        (3, {"event_type": "pointer_down", "x": 20, "y": 30, "button": 1} | pointer),
        (1, {"event_type": "pointer_up", "x": 20, "y": 30, "button": 1} | pointer),
        (2, {"event_type": "pointer_down", "x": 22, "y": 30, "button": 2} | pointer),
        (0, {"event_type": "pointer_up", "x": 22, "y": 30, "button": 2} | pointer),
        (0, {"event_type": "pointer_down", "x": 20, "y": 30, "button": 1} | pointer),
        (0, {"event_type": "pointer_up", "x": 60, "y": 35, "button": 1} | pointer),
        (0, {"event_type": "wheel", "x": 110, "y": 105, "dx": 0, "dy": -300} | pointer),
        (0, {"event_type": "key_down", "key": "Control"}),
        (0, {"event_type": "key_down", "key": "p"}),
        (0, {"event_type": "key_up", "key": "Control"}),
        (0, {"event_type": "key_down", "key": "x"}),  # comes as text
        (0, {"event_type": "char", "data": "x"}),
        (0, {"event_type": "key_down", "key": "ArrowLeft"}),
        (0, {"event_type": "pointer_down", "x": 500, "y": 500, "button": 1} | pointer),  # on no widget
        (0, {"event_type": "pointer_up", "x": 500, "y": 500, "button": 1} | pointer),
        (0, {"event_type": "resize", "width": 900.0, "height": 600.0}),
    ):
        for _ in range(frames):
            recorder.frame()
        recorder.event(event)
    recorder.close()
    steps = [json.loads(line) for line in path.read_text().splitlines()]
    assert steps == [
        {"frames": 4}, {"click": "a"},
        {"frames": 2}, {"click": "a+2,0", "button": 2},
        {"drag": "a", "by": [40, 5]},
        {"wheel": 3.0, "at": "b+1"},
        {"key": "Ctrl+P"}, {"type": "x"}, {"key": "Left"}, {"resize": [900, 600]},
    ]  # fmt: skip
    assert Window().play(*read_tour(path), frames=150).done
