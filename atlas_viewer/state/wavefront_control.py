"""The slow motion in each frame: it waits for its token, ends when the run goes on, and lights up Map."""

from __future__ import annotations

from .spotlight import NOTHING
from .state import State


def frame(state: State) -> None:
    """Light up what the pass has computed so far. Call it after the walk's, whose spotlight it replaces."""
    wave, maps = state.wavefront, state.map
    if not wave.on:
        return
    if maps.registry is None or maps.layout is None or not maps.registry.rows:
        wave.stop()
    elif wave.waits and not state.requests and not state.busy:
        wave.waits = False
    elif not wave.waits and state.busy:
        wave.stop()
    if not wave.on or maps.registry is None or maps.layout is None:
        maps.spotlight = NOTHING
        return
    maps.spotlight = wave.light(maps.registry, maps.layout)


def one_further(state: State, by: int) -> None:
    """Pause, and go `by` tensors on."""
    state.wavefront.seek(state.wavefront.index + by)
