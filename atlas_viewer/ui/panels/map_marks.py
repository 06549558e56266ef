"""The selection on Map: rows, columns and heads as boxes on the screen, and a selected token named at each stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.selecting import is_thread
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import token_at
from compute.models.names import split_name

from . import highlight_cache, picture_marks
from .map_frame import Frame


class MapMarks:
    """What a selection highlights in one picture of Map. boxes: see `picture_marks.visible`."""

    def __init__(self, state: State, frame: Frame, selection: Selection) -> None:
        self._selection = selection
        rectangles, self._tensors = highlight_cache.on_map(state, selection)
        view = state.map.view
        scale = view.scale * frame.ratio  # units per logical pixel
        low = (rectangles[:, :2] - (view.x, view.y)) / scale + (frame.left, frame.top)
        self._all = np.concatenate([low, low + rectangles[:, 2:] / scale], axis=1)
        self._start = ImVec2(frame.left, frame.top)
        self._end = ImVec2(frame.left + frame.width, frame.top + frame.height)
        self.boxes = picture_marks.visible(self._all, self._start, self._end)

    @property
    def some(self) -> bool:
        """True when Map highlights anything, visible or not."""
        return bool(len(self._all))

    def labels(self, state: State) -> None:
        """Name the selected token beside its row in each activation."""
        selected = self._selection
        if not is_thread(selected) or selected.position is None or not len(self._all):
            return
        token = token_at(state, selected.position)
        text = quoted(token[1]) if token else f"token {selected.position}"
        stages = highlight_cache.keep(
            "stages",
            (highlight_cache.Same(self._tensors), text, imgui.get_font_size()),
            lambda: _stages(state, self._tensors, text),
        )
        boxes = self._all[stages.rows]
        near = boxes[:, 2] - boxes[:, 0] >= stages.widths
        inside = (boxes[:, 2] > self._start.x) & (boxes[:, 0] < self._end.x)
        inside &= (boxes[:, 3] > self._start.y) & (boxes[:, 1] < self._end.y) & (near | stages.first)
        texts = [stages.texts[at] if near[at] else text for at in np.flatnonzero(inside)]
        picture_marks.labels(boxes[inside], texts, self._start, self._end)


@dataclass(frozen=True, eq=False)
class _Stages:
    """The labels of a token's rows: one for each activation.

    rows: indices of the rows' rectangles; widths: of the texts, in pixels; first: true for the first activation of each
    part of the model, which alone is labeled, without the stage, where there is no space for the text.
    """

    rows: np.ndarray
    texts: list[str]
    widths: np.ndarray
    first: np.ndarray


def _stages(state: State, names: list[str], token: str) -> _Stages:
    tensors = state.inspection.tensors
    first_of: dict[str, int] = {}
    for at, name in enumerate(names):
        if tensors[name].per_token:
            first_of.setdefault(name, at)
    texts = [f"{token} {split_name(name)[1]}" for name in first_of]
    widths = np.array([imgui.calc_text_size(text).x for text in texts])
    sections = [tensors[name].section for name in first_of]
    first = np.array([at == 0 or sections[at - 1] != section for at, section in enumerate(sections)], bool)
    return _Stages(np.array(list(first_of.values()), np.int64), texts, widths, first)
