"""Opens the real window and tells on standard output, a JSON line a frame, what it shows and where its widgets are."""

from __future__ import annotations

import json
import sys
from typing import Any

from imgui_bundle import imgui

import atlas_viewer.app as app
from compute.checkpoint import open_model
from compute.options import GenerateOptions

_places: dict[str, list[float]] = {}


def _watch(name: str) -> None:
    original = getattr(imgui, name)

    def watched(label: str, *rest: Any) -> Any:
        result = original(label, *rest)
        low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
        _places[label] = [(low.x + high.x) / 2, (low.y + high.y) / 2]
        return result

    setattr(imgui, name, watched)


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
        }
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    for widget in ("button", "invisible_button", "small_button", "input_text_multiline"):
        _watch(widget)
    app.Viewer = ReportingViewer  # type: ignore[misc]
    app.view(
        open_model("stories"),
        "Once upon a time, there was a",
        GenerateOptions(max_new_tokens=int(sys.argv[1]), temperature=0.0),
        None,
        "native",
    )
