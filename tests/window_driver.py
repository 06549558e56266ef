"""Opens the real window and tells on standard output, a JSON line a frame, what it shows and where its widgets are."""

from __future__ import annotations

import json
import sys
from typing import Any

from imgui_bundle import imgui

import atlas_viewer.app as app
from atlas_viewer.inspection import Spot
from atlas_viewer.panels.tensors import rows
from compute.checkpoint import open_model
from compute.options import GenerateOptions

_places: dict[str, list[float]] = {}
_picture: list[float] = []  # left, top, right, bottom


def _watch(name: str) -> None:
    original = getattr(imgui, name)

    def watched(label: str, *rest: Any) -> Any:
        result = original(label, *rest)
        low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
        if label == "picture":
            _picture[:] = [low.x, low.y, high.x, high.y]
        _places[label] = [(low.x + high.x) / 2, (low.y + high.y) / 2]
        return result

    setattr(imgui, name, watched)


def _spot(spot: Spot | None) -> str | None:
    return f"{spot.name}:{spot.index}" if spot else None


def _tab(title: str) -> list[float]:
    window = imgui.internal.find_window_by_name(title)
    if window is None:
        return [0.0, 0.0]
    place = window.dc.dock_tab_item_rect
    return [(place.min.x + place.max.x) / 2, (place.min.y + place.max.y) / 2]


class ReportingViewer(app.Viewer):
    """The viewer, with a report after every frame."""

    def frame(self) -> None:
        super().frame()
        state = self.state
        report = {
            "loading": state.loading,
            "prompt": state.prompt,
            "run": state.run.prompt if state.run else None,
            "steps": len(state.run.steps) if state.run else 0,
            "done": bool(state.run and state.run.done),
            "chosen": state.chosen,
            "zoom": state.camera.zoom,
            "frame_ms": state.frame_ms,
            "messages": state.messages,
            "places": _places,
            "cursor": _spot(state.inspection.cursor),
            "pins": [_spot(pin.spot) for pin in state.inspection.pins],
            "values": [reading.value for reading in state.inspection.readings.values()],
            "found": len(rows(state.inspection.tensors.values(), state.inspection.search, set())),
            "statistics": len(state.inspection.statistics),
            "look": [state.inspection.look.palette, state.inspection.look.span_scale],
            "picture": _picture,
            "palettes": list(state.palettes),
            "tabs": {title: _tab(title) for title in ("Tensors", "Trace")},
        }
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    _watch("input_text_with_hint")
    for widget in (
        "button",
        "invisible_button",
        "small_button",
        "input_text_multiline",
        "begin_combo",
        "selectable",
        "checkbox",
    ):
        _watch(widget)
    app.Viewer = ReportingViewer  # type: ignore[misc]
    app.view(
        open_model("stories"),
        "Once upon a time, there was a",
        GenerateOptions(max_new_tokens=int(sys.argv[1]), temperature=0.0),
        None,
        "native",
    )
