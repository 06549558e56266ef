"""Scripted tours: read, then played on a fake window that records the events."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from atlas_viewer.tour.player import Tour, read_tour
from atlas_viewer.ui import widget_tracking
from compute.errors import TourError

from ..mutation import change_json, change_lines
from ..scratch import folder
from ..target import Target, may_refuse

_FRAMES = 4000
_STEPS: tuple[dict[str, Any], ...] = (
    {"wait": "done"}, {"wait": "writing", "steps": 3}, {"frames": 3}, {"point": "picture"}, {"click": "Generate"},
    {"click": "picture+3,-4", "button": 2, "twice": True}, {"drag": "picture", "by": [40, 10]},
    {"wheel": 5, "at": "picture"}, {"type": "The dog 日本"}, {"key": "Ctrl+P"}, {"key": "Shift++"},
    {"resize": [900, 600]}, {"picture": "prompt"},
)  # fmt: skip
_WORDS = [
    *{key for step in _STEPS for key in step},
    "done",
    "writing",
    "picture",
    "Generate",
    "picture+1,2",
    "Ctrl+Shift+A",
]


def seeds() -> Sequence[bytes]:
    """Every kind of step, with a comment and an empty line."""
    lines = [json.dumps(step) for step in _STEPS]
    return ["\n".join(["# a tour", "", *lines, ""]).encode(), lines[4].encode()]


def use(data: bytes) -> None:
    """Read the file and play it."""
    path = folder() / "tour.jsonl"
    path.write_bytes(data)
    with may_refuse(TourError):
        steps = read_tour(path)
    widget_tracking.rects.clear()
    widget_tracking.rects |= {
        "picture": widget_tracking.WidgetRect(10, 20, 110, 220),
        "Generate": widget_tracking.WidgetRect(0, 0, 50, 20),
    }
    tour = Tour(steps, _check_event, _check_size, _check_name, lambda step: True)
    for _ in range(_FRAMES):
        if tour.done:
            break
        with may_refuse(TourError):  # a step may wait for what never comes
            tour.frame()


def _check_event(event: dict[str, Any]) -> None:
    assert all(math.isfinite(event[name]) for name in ("x", "y", "dx", "dy") if name in event)
    assert event.get("button", 0) in (0, 1, 2, 3)
    for name in ("data", "key"):
        event.get(name, "").encode()


def _check_size(width: float, height: float) -> None:
    assert 1 <= width < 2**15
    assert 1 <= height < 2**15


def _check_name(name: str) -> None:
    assert name.isprintable()
    assert "/" not in name


TARGET = Target(use, seeds, change_lines(change_json(_WORDS)), longest=1 << 12)
