"""What the events of a session say in words."""

from __future__ import annotations

import pytest

from atlas_viewer.recording.event_text import last_done, names
from atlas_viewer.recording.records import UiEvent


def mark(time: float, name: str, **data: object) -> UiEvent:
    return UiEvent(time, 1, 0, name, data)


EVENTS = (
    mark(0.0, "options", value={"temperature": 0.8, "top_k": 0}),
    mark(0.1, "theme", value="dark"),
    mark(1.0, "options", value={"temperature": 1.2, "top_k": 40}),
    mark(2.0, "options", value={"temperature": 1.2, "top_k": 40}),
    mark(3.0, "Branch", index=3, token=70),
    mark(4.0, "Pause"),
)


@pytest.mark.parametrize(
    ("until", "told"),
    [
        (-1.0, ""),
        (0.0, ""),  # how it was at the beginning is nothing that was done
        (0.5, "theme dark"),
        (1.0, "options temperature 1.2, top-k 40"),
        (2.5, "options temperature 1.2, top-k 40"),
        (3.0, "Branch 3, 70"),
        (9.0, "Pause"),
    ],
)
def test_what_was_done_last_is_told_with_what_it_changed(until: float, told: str) -> None:
    assert last_done(EVENTS, until) == told


def test_the_last_name_of_a_run_counts_and_what_is_no_name_does_not() -> None:
    given = [("one", 1), ("two", 1), ("three", 2), ("", 2), (7, 3), ("four", None)]
    assert names([mark(0.0, "name", value=value, run=run) for value, run in given]) == {1: "two"}
