"""Typing and clicking with slow frames: no input between two frames is lost or waits for another event."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from atlas_viewer.app.input_events import Input
from atlas_viewer.state.requests import Generate
from atlas_viewer.ui import panels, widget_tracking

from helpers.viewer_loop import Loop

pytestmark = pytest.mark.gpu

TEXT = "A quick brown fox jumps over the lazy dog, aa  bb!"


class Person:
    """A user at the canvas of a viewer whose run has ended; all events of a call arrive between two frames."""

    def __init__(self) -> None:
        self.loop = Loop(2)
        self.loop.canvas.set_logical_size(1280, 720)  # smaller windows fold the panels
        self.loop.finish()
        self.loop.draw(6)
        self.state = self.loop.state

    def send(self, *events: dict[str, Any]) -> None:
        for event in events:
            self.loop.canvas.submit_event({"modifiers": (), **event})
        self.loop.canvas._process_events()

    def press(self, *keys: str) -> None:
        """Press and release keys; single characters are typed."""
        for key in keys:
            self.send({"event_type": "key_down", "key": key.lower() if len(key) == 1 else key})
            if len(key) == 1:
                self.send({"event_type": "char", "data": key})
            self.send({"event_type": "key_up", "key": key.lower() if len(key) == 1 else key})

    def click(self, label: str) -> None:
        x, y = widget_tracking.rects[label].center
        position = {"x": x, "y": y, "button": 1, "buttons": ()}
        for kind in ("pointer_move", "pointer_down", "pointer_up"):
            self.send({"event_type": kind, **position})

    def wants_frames(self) -> bool:
        """True when frames would continue long after the last event."""
        return self.loop.viewer._input.waiting or self.loop.viewer._wants_frames(time.perf_counter() + 100)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame may take as long as its input needs, even on a busy machine."""
    monkeypatch.setattr("atlas_viewer.app.input_events._INPUT_BUDGET", 1e9)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame processes as little input as possible."""
    monkeypatch.setattr("atlas_viewer.app.input_events._INPUT_BUDGET", 0.0)


def _prompt(person: Person) -> Callable[[], str]:
    person.state.prompt = ""
    person.loop.draw(1)
    person.click("##prompt")
    person.loop.draw(1)
    return lambda: person.state.prompt


def _model_path(person: Person) -> Callable[[], str]:
    person.state.ui.dialog = "models"
    person.loop.draw(4)
    return lambda: person.state.models.path


def _palette(person: Person) -> Callable[[], str]:
    person.state.ui.dialog = "palette"
    person.loop.draw(4)
    return lambda: person.state.ui.typed


FIELDS = [_prompt, _model_path, _palette]


@pytest.mark.parametrize("field", FIELDS)
def test_everything_typed_between_two_frames_is_in_the_second(
    patient: None, field: Callable[[Person], Callable[[], str]]
) -> None:
    person = Person()
    typed = field(person)
    person.press(*TEXT)
    person.loop.draw(1)
    assert typed() == TEXT


@pytest.mark.parametrize("field", FIELDS)
def test_frames_continue_until_all_input_is_processed(
    hurried: None, monkeypatch: pytest.MonkeyPatch, field: Callable[[Person], Callable[[], str]]
) -> None:
    """Without further events, however late the frames are."""
    person = Person()
    typed = field(person)
    asked: list[None] = []
    monkeypatch.setattr("atlas_viewer.app.viewer._AWAKE", 0.0)
    monkeypatch.setattr(person.loop.canvas, "request_draw", lambda: asked.append(None))
    person.press(*TEXT)
    for _ in range(3 * len(TEXT)):
        asked.clear()
        person.loop.draw(1)
        if not asked:
            break
    assert typed() == TEXT
    assert not asked, "frames continue forever"


def test_fast_typing_needs_no_frame_per_key(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person()
    typed = _prompt(person)
    drawn: list[None] = []
    draw_all = panels.draw_all
    monkeypatch.setattr(panels, "draw_all", lambda *given: (drawn.append(None), draw_all(*given)))
    person.press(*TEXT.lower())
    person.loop.draw(1)
    assert typed() == TEXT.lower()
    assert len(drawn) <= 4


def test_keys_that_type_nothing_keep_their_order_among_characters(patient: None) -> None:
    person = Person()
    typed = _prompt(person)
    person.press(*"abc", "Backspace", "Backspace", *"xy", "ArrowLeft", "z", "Home", "0", "End", "!")
    person.loop.draw(1)
    assert typed() == "0axzy!"


def test_clicks_and_keys_between_two_frames_all_count(patient: None) -> None:
    person = Person()
    person.state.prompt = ""
    person.loop.draw(1)
    person.click("##prompt")
    person.press(*"new")
    person.click("Generate")
    person.loop.draw(2)
    assert person.state.run is not None
    assert person.state.run.prompt == "new"


def test_a_request_is_handled_before_later_input(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second click acts on the window as the first one left it."""
    person = Person()
    done: list[tuple[str, str]] = []
    original = person.loop.viewer._do

    def noted(controller: Any, request: Any) -> None:
        if isinstance(request, Generate):
            done.append((request.prompt, person.state.prompt))
        original(controller, request)

    monkeypatch.setattr(person.loop.viewer, "_do", noted)
    typed = _prompt(person)
    person.press(*"one")
    person.click("Generate")
    person.click("##prompt")
    person.press("End", *" two")
    for _ in range(8):
        person.loop.draw(1)
    assert done == [("one", "one")]
    assert typed() == "one two"


def test_frames_continue_while_a_key_is_held() -> None:
    """imgui repeats it: Backspace deletes further without other events."""
    person = Person()
    _prompt(person)
    person.loop.draw(4)
    assert not person.wants_frames()
    person.send({"event_type": "key_down", "key": "Backspace"})
    person.loop.draw(4)
    assert person.wants_frames()
    person.send({"event_type": "key_up", "key": "Backspace"})
    person.loop.draw(4)
    assert not person.wants_frames()


def test_modifiers_are_not_held_keys_and_shift_does_not_change_a_key() -> None:
    held = Input()
    for kind, key in [("key_down", "Shift"), ("key_down", "Control"), ("char", ""), ("key_down", "CapsLock")]:
        held.add({"event_type": kind, "key": key})
    assert not held.holding
    held.add({"event_type": "key_down", "key": "a"})
    assert held.holding
    held.add({"event_type": "key_up", "key": "A"})
    assert not held.holding
    held.add({"event_type": "pointer_move"})
    assert not held.holding


@pytest.mark.parametrize("first_up", ["Control", "o"])
def test_a_chord_between_two_frames_stays_a_chord(first_up: str) -> None:
    """imgui alone would see O without Ctrl when both are released in the frame in which O is pressed."""
    person = Person()
    control, letter = {"event_type": "key_down", "key": "Control"}, {"event_type": "key_down", "key": "o"}
    up = [
        {"event_type": "key_up", "key": key}
        for key in (["Control", "o"] if first_up == "Control" else ["o", "Control"])
    ]
    person.send(control)
    person.loop.draw(1)
    person.send(letter, *up)
    person.loop.draw(2)
    assert person.state.ui.dialog == "models"
    person.press("Escape")
    person.loop.draw(2)
    person.send(letter, *up[::-1], control, up[up.index({"event_type": "key_up", "key": "Control"})])
    person.loop.draw(2)
    assert person.state.ui.dialog == "", "O before Ctrl is not Ctrl+O"
