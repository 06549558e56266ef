"""The selection on Map: rows, columns and heads as boxes on the screen, and a selected token named at each stage."""

from __future__ import annotations

import numpy as np
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.selecting import is_thread
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import token_at
from compute.models.names import split_name

from . import highlight_cache, picture_marks
from .map_frame import Frame


class MapMarks:
    """What the selection highlights in one picture of Map. boxes: see `picture_marks.visible`."""

    def __init__(self, state: State, frame: Frame) -> None:
        rectangles, self._tensors = highlight_cache.on_map(state)
        view = state.map.view
        scale = view.scale * frame.ratio  # units per logical pixel
        low = (rectangles[:, :2] - (view.x, view.y)) / scale + (frame.left, frame.top)
        self._all = np.concatenate([low, low + rectangles[:, 2:] / scale], axis=1)
        self._start = ImVec2(frame.left, frame.top)
        self._end = ImVec2(frame.left + frame.width, frame.top + frame.height)
        self.boxes = picture_marks.visible(self._all, self._start, self._end)

    def labels(self, state: State) -> None:
        """Name the selected token beside its row in each activation."""
        selected = state.highlight
        if not is_thread(selected) or selected.position is None or not len(self._all):
            return
        token = token_at(state, selected.position)
        text = quoted(token[1]) if token else f"token {selected.position}"
        boxes, texts = self._stages(state, text)
        inside = (boxes[:, 2] > self._start.x) & (boxes[:, 0] < self._end.x)
        inside &= (boxes[:, 3] > self._start.y) & (boxes[:, 1] < self._end.y)
        kept = [label for label, seen in zip(texts, inside, strict=True) if seen]
        picture_marks.labels(boxes[inside], kept, self._start, self._end)

    def _stages(self, state: State, token: str) -> tuple[np.ndarray, list[str]]:
        """The row of the token in each activation, and its label: the name of the stage is left out from afar."""
        tensors, named = state.inspection.tensors, {""}
        boxes: list[np.ndarray] = []
        texts: list[str] = []
        for box, name in zip(self._all, self._tensors, strict=True):
            info = tensors[name]
            text = f"{token} {split_name(name)[1]}"
            near = box[2] - box[0] >= imgui.calc_text_size(text).x
            if not info.per_token or name in named or (not near and info.section in named):
                continue
            named |= {name, info.section}
            boxes.append(box)
            texts.append(text if near else token)
        return np.array(boxes).reshape(-1, 4), texts
