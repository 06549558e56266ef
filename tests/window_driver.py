"""Opens the real window and tells on standard output, a JSON line a frame, what it shows and where its widgets are."""

from __future__ import annotations

import json
import sys

from imgui_bundle import imgui

import atlas_viewer.window as window
from atlas_viewer import items
from atlas_viewer.app import Viewer
from atlas_viewer.inspection import Spot
from atlas_viewer.panels.tensors import rows
from compute.checkpoint import open_model
from compute.options import GenerateOptions


def _spot(spot: Spot | None) -> str | None:
    return f"{spot.name}:{spot.index}" if spot else None


def _edges(label: str) -> list[float]:
    place = items.places.get(label)
    return [place.left, place.top, place.right, place.bottom] if place else []


def _tab(title: str) -> list[float]:
    window = imgui.internal.find_window_by_name(title)
    if window is None:
        return [0.0, 0.0]
    place = window.dc.dock_tab_item_rect
    return [(place.min.x + place.max.x) / 2, (place.min.y + place.max.y) / 2]


class ReportingViewer(Viewer):
    """The viewer, with a report after every frame."""

    def frame(self) -> None:
        super().frame()
        state = self.state
        report = {
            "size": self.canvas.get_physical_size(),
            "loading": state.loading,
            "prompt": state.prompt,
            "run": state.run.prompt if state.run else None,
            "steps": len(state.run.steps) if state.run else 0,
            "done": bool(state.run and state.run.done),
            "recorded": state.session.recording.steps,
            "chosen": state.chosen,
            "zoom": state.camera.zoom,
            "map": [state.map.camera.stand.zoom, state.map.camera.stand.x, state.map.camera.stand.y],
            "dialog": state.interface.dialog,
            "model_path": state.models.path,
            "typing": imgui.get_io().want_text_input,
            "place": [state.map.typed, state.map.refused],
            "map_rows": state.map.layout.window if state.map.layout else 0,
            "frame_ms": state.frame_ms,
            "messages": state.messages,
            "places": {label: place.middle for label, place in items.places.items()},
            "cursor": _spot(state.inspection.cursor),
            "pins": [_spot(pin.spot) for pin in state.inspection.pins],
            "values": [reading.value for reading in state.inspection.readings.values()],
            "found": len(rows(state.inspection.tensors.values(), state.inspection.search, set())),
            "statistics": len(state.inspection.statistics),
            "look": [state.inspection.look.palette, state.inspection.look.span_scale],
            "picture": _edges("picture"),
            "palettes": list(state.palettes),
            "tabs": {title: _tab(title) for title in ("Tensors", "Trace")},
        }
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    window.Viewer = ReportingViewer  # type: ignore[misc]
    window.view(
        open_model("stories"),
        "Once upon a time, there was a",
        GenerateOptions(max_new_tokens=int(sys.argv[1]), temperature=0.0),
        None,
        "native",
    )
