"""The program, printing one line of JSON per frame with what its window shows and the positions of its widgets."""

from __future__ import annotations

import json
import sys

from imgui_bundle import imgui

from atlas_viewer.app.viewer import Viewer
from atlas_viewer.cli.main import main
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.panels.tensors import rows


def _edges(label: str) -> list[float]:
    place = widget_tracking.rects.get(label)
    return [place.left, place.top, place.right, place.bottom] if place else []


def _tab(title: str) -> list[float]:
    window = imgui.internal.find_window_by_name(title)
    if window is None:
        return [0.0, 0.0]
    place = window.dc.dock_tab_item_rect
    return [(place.min.x + place.max.x) / 2, (place.min.y + place.max.y) / 2]


class Reports:
    """Prints a line after every frame of a viewer."""

    def __init__(self) -> None:
        self._frames = self._clicks = 0

    def panels(self) -> None:
        """The panels have been drawn, which a frame may do several times to process all input."""
        self._clicks += any(imgui.get_io().mouse_clicked)

    def frame(self, viewer: Viewer) -> None:
        """A frame has been drawn."""
        state, io = viewer.state, imgui.get_io()
        self._frames += 1
        recording, video, playback = state.recording.recorder, state.recording.video, state.recording.playback
        report = {
            "frame": self._frames,
            "size": viewer.canvas.get_physical_size(),
            "loading": state.loading,
            "prompt": state.prompt,
            "run": state.run.prompt if state.run else None,
            "steps": len(state.run.steps) if state.run else 0,
            "tokens": [step.token for step in state.run.steps] if state.run else [],
            "edits": [str(edit) for edit in state.edits.active],
            "done": bool(state.run and state.run.done),
            "chosen": state.chosen,
            "zoom": state.camera.zoom,
            "sheet": [state.strip.sheet.width, state.strip.sheet.height],
            "map": [state.map.camera.pose.zoom, state.map.camera.pose.x, state.map.camera.pose.y],
            "dialog": state.ui.dialog,
            "model_path": state.models.path,
            "typing": io.want_text_input,
            "mouse": [io.mouse_pos.x, io.mouse_pos.y],
            "pressed": any(io.mouse_down),
            "clicks": self._clicks,
            "resting": not viewer._wants_frames(viewer._last_frame),
            "walk": [state.walks.number, state.walks.pages, state.walks.caption],
            "dimmed": len(state.map.spotlight.dimmed),
            "place": [state.map.typed, state.map.refused],
            "map_rows": state.map.layout.context if state.map.layout else 0,
            "frame_ms": state.frame_ms,
            "messages": state.messages,
            "places": {label: place.center for label, place in widget_tracking.rects.items()},
            "cursor": str(state.inspection.cursor) if state.inspection.cursor else None,
            "formula": str(state.formula.shown.element) if state.formula.shown else None,
            "formula_ms": round(1e3 * (state.formula.kept_at - state.formula.since), 1),
            "compared": [state.comparing.shown, state.comparing.ready, state.comparing.problem],
            "pins": [str(pin.element) for pin in state.inspection.pins],
            "values": [probed.value for probed in state.inspection.probed_values.values()],
            "search": state.inspection.search,
            "found": len(rows(state.inspection.tensors.values(), state.inspection.search, set())),
            "statistics": len(state.inspection.statistics),
            "look": [state.inspection.mapping.palette, state.inspection.mapping.span_scale],
            "picture": _edges("picture"),
            "palettes": list(state.palettes),
            "tabs": {title: _tab(title) for title in ("Tensors", "Trace")},
            "recording": [recording.stage, recording.steps, recording.path],
            "video": [video.stage, video.frames, video.path],
            "unknown": state.save.unknown,
            "save": [state.save.stage, state.save.names, state.save.path, state.save.note, state.save.trouble],
            "playback": [playback.position, playback.count, playback.playing] if playback else None,
        }
        print(json.dumps(report), flush=True)


def report_frames() -> None:
    """Let every viewer report its frames from now on."""
    reports, draw, draw_panels = Reports(), Viewer.frame, Viewer._panels

    def panels(viewer: Viewer) -> None:
        draw_panels(viewer)
        reports.panels()

    def frame(viewer: Viewer) -> None:
        draw(viewer)
        if not viewer.canvas.get_closed():
            reports.frame(viewer)

    Viewer._panels = panels  # type: ignore[method-assign, assignment]
    Viewer.frame = frame  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    report_frames()
    sys.exit(main(sys.argv[1:]))
