"""Measures how long it takes from switching an edit to the frame that shows the first changed token.

Usage: `PYTHONPATH=tests python -m measure.edit_latency [MODEL] [ROUNDS]`.

A window without a display draws frames as the real one does, with Map in front. An edit is added, which runs the text
again; then it is switched off and on, and its strength is dragged. The first switch compiles kernels.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state import edit_list
from atlas_viewer.state.navigation import open_map
from atlas_viewer.state.state import State
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device
from compute.gpu.wgpu_native import poll
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model

PROMPT = "Once upon a time, there was a little girl named"
HEAD = "h.3.attn.out[head=0] = 0"
SIZE = (1280, 720)
_MOST = 2000  # frames to wait


class Window:
    """The program, drawn without a display."""

    def __init__(self, model: str) -> None:
        options = GenerateOptions(max_new_tokens=24, temperature=0, context=64)
        runner = ModelRunner.load(open_model(model), load_tokenizer(), LoadOptions(context=64))
        generation = runner.start(PROMPT, options)
        generation.run()
        self.adapter = runner.summary.adapter
        self.canvas = open_picture(SIZE)
        self.state = State(PROMPT, options)
        self.viewer = Viewer(self.canvas, shared_device(), self.state, None)
        self.viewer.show(runner, generation, PROMPT)
        open_map(self.state)
        self.settle()

    def frame(self) -> None:
        """Draw a frame, and wait until its pixels have been read back."""
        self.canvas.draw()
        if self.viewer.failure is not None:
            raise self.viewer.failure

    def settle(self) -> None:
        """Draw until nothing changes any more."""
        controller = self.viewer.controller
        assert controller is not None
        for number in range(_MOST):
            self.frame()
            poll(shared_device(), wait=True)
            if number > 20 and not (self.state.requests or controller.pending or self.viewer._displays.pending):
                return
        raise SystemExit("the window never settles")

    def tokens(self) -> tuple[int, list[int]]:
        """The run on screen and its tokens."""
        run = self.state.run
        assert run is not None
        return run.number, [step.token for step in run.steps]

    def milliseconds(self, act: Callable[[], object]) -> float:
        """From `act` until a frame shows a token that differs from the one before, or a run with other tokens."""
        _, before = self.tokens()
        start = time.perf_counter()
        act()
        for _ in range(_MOST):
            self.frame()
            _, now = self.tokens()
            if now and any(one != other for one, other in zip(now, before, strict=False)) and not self.state.requests:
                # A frame updates the run before it draws the panels, so this one shows the token.
                return 1e3 * (time.perf_counter() - start)
        raise SystemExit("no token changes")


def main() -> int:
    """Print the latencies."""
    model = sys.argv[1] if len(sys.argv) > 1 else "stories"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    window = Window(model)
    print(f"{model} on {window.adapter}")
    first = window.milliseconds(lambda: edit_list.add(window.state, HEAD))
    window.settle()
    number = window.state.edits.entries[0].number
    found: dict[str, list[float]] = {"off": [], "on": []}
    for _ in range(rounds):
        for name, on in (("off", False), ("on", True)):
            found[name].append(window.milliseconds(lambda on=on: edit_list.switch(window.state, number, on)))  # type: ignore[misc]
            window.settle()
    edit_list.switch(window.state, number, on=False)
    window.settle()
    other = [
        window.milliseconds(lambda head=head: edit_list.add(window.state, f"h.3.attn.out[head={head}] *= -2"))  # type: ignore[misc]
        for head in (0,)
    ]
    print(f"first edit, which compiles kernels: {first:.0f} ms")
    for name, values in found.items():
        print(f"switched {name}: median {statistics.median(values):.0f} ms, largest {max(values):.0f} ms")
    print(f"another edit, of the same tensor: {other[0]:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
