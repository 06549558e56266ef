"""Opens the real window, puts the mouse on cells, and prints what formula cards cost as JSON.

Usage: `card_cost_driver.py CARDS SECONDS`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import atlas_viewer.app.open_window as window
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.state import navigation
from compute.forward.load_options import LoadOptions
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.weights.checkpoint import open_model

_CENTER = (850.0, 300.0)  # inside of Map in a window of 1280 x 720
_WARM, _EVERY = 4.0, 1.0  # seconds


class CardViewer(Viewer):
    """The viewer, closed when it has been measured."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._cards, self._seconds = int(sys.argv[1]), float(sys.argv[2])
        self._began = self._stopped = self._next = 0.0
        self._column = 40
        self._before: TensorIndex | None = None
        self._latencies: list[float] = []
        self._drawn: list[tuple[float, bool]] = []
        self._rates: list[float] = []
        self._cards_shown: list[float] = []

    def frame(self) -> None:
        super().frame()
        now, state = time.perf_counter(), self.state
        run = state.run
        if not self._began:
            if self._displays.pictures[1] is not None and run is not None and run.done:
                state.ui.front = navigation.MAP
                navigation.visit(state, TensorIndex("h.3.mlp.gelu", (3, self._column)))
                self._began = now
            return
        if now < self._began + _WARM:
            self.canvas.request_draw()
            return
        if len(self._latencies) < self._cards:
            self._appear(now)
        else:
            self._generate(now)
        self.canvas.request_draw()

    def _appear(self, now: float) -> None:
        card = self.state.formula
        if self._stopped and card.shown is not None and card.shown.element not in (None, self._before):
            if card.shown.element == card.element:
                self._latencies.append(1e3 * (now - self._stopped))
                self._before, self._stopped, self._next = card.element, 0.0, now + _EVERY
        elif not self._stopped and now > self._next:
            steps = len(self._latencies) % 4
            self._stopped = now
            self._move(_CENTER[0], _CENTER[1] + 60 * steps)  # above each other: cards lie beside the cells

    def _generate(self, now: float) -> None:
        if self.state.run is not None and self.state.run.done:
            self.state.generate()
        self._drawn.append((now, self.state.formula.shown is not None))
        if now < self._drawn[0][0] + self._seconds:
            return
        spent = self._drawn[-1][0] - self._drawn[0][0]
        self._rates.append((len(self._drawn) - 1) / spent)
        self._cards_shown.append(sum(shown for _, shown in self._drawn) / len(self._drawn))
        self._drawn.clear()
        self._move(5.0, 5.0)
        if len(self._rates) == 2:
            waits = sorted(self._latencies)
            found = {
                "cards": len(waits),
                "median_ms": waits[len(waits) // 2],
                "slowest_ms": waits[-1],
                "frames_per_second_with_card": self._rates[0],
                "frames_per_second_without": self._rates[1],
                "frames_that_had_a_card": self._cards_shown,
            }
            print(json.dumps(found), flush=True)
            self.canvas.close()

    def _move(self, x: float, y: float) -> None:
        none: dict[str, Any] = {"button": 0, "buttons": (), "modifiers": (), "ntouches": 0, "touches": {}}
        self.canvas.submit_event({"event_type": "pointer_move", "x": x, "y": y, **none})


if __name__ == "__main__":
    window.Viewer = CardViewer  # type: ignore[assignment, attr-defined]
    options = GenerateOptions(max_new_tokens=64, temperature=0.0)
    window.view(open_model("stories"), "Once upon a time, there was a", options, LoadOptions())
