"""A recording's events in words."""

from __future__ import annotations

import pytest

from atlas_viewer.recording.event_text import last_done, names
from atlas_viewer.recording.records import UiEvent


def ui_event(time: float, name: str, **data: object) -> UiEvent:
    return UiEvent(time, 1, 0, name, data)


EVENTS = (
    ui_event(0.0, "options", value={"temperature": 0.8, "top_k": 0}),
    ui_event(0.1, "theme", value="dark"),
    ui_event(1.0, "options", value={"temperature": 1.2, "top_k": 40}),
    ui_event(2.0, "options", value={"temperature": 1.2, "top_k": 40}),
    ui_event(3.0, "Branch", index=3, token=70),
    ui_event(4.0, "Pause"),
)


@pytest.mark.parametrize(
    ("until", "text"),
    [
        (-1.0, ""),
        (0.0, ""),  # the initial options are not an action
        (0.5, "theme dark"),
        (1.0, "options temperature 1.2, top-k 40"),
        (2.5, "options temperature 1.2, top-k 40"),
        (3.0, "Branch 3, 70"),
        (9.0, "Pause"),
    ],
)
def test_the_latest_action_is_reported_with_its_changes(until: float, text: str) -> None:
    assert last_done(EVENTS, until) == text


def test_a_run_has_its_latest_valid_name() -> None:
    given = [("one", 1), ("two", 1), ("three", 2), ("", 2), (7, 3), ("four", None)]
    assert names([ui_event(0.0, "name", value=value, run=run) for value, run in given]) == {1: "two"}
