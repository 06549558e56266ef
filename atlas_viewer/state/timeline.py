"""The timeline of the visible run, recorded or live: its steps, the ones shown, and where branches begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .quoting import counted, percent, quoted
from .recording_state import PlaybackState
from .state import State

if TYPE_CHECKING:
    from compute.generate.steps import StepRecord


@dataclass(frozen=True)
class Timeline:
    """Numbers of steps count from 1; 0 means that there is none."""

    steps: Sequence[StepRecord]
    total: int  # the steps that the track has space for: a run in progress fills it from the left
    reached: int  # the number of the last step on screen; a recording also has later ones
    selected: int  # the number of the step whose logits are shown
    branches: Mapping[int, Sequence[int]]  # numbers of the runs that replace a step, by the number of that step
    origin: int  # the number of the step that this run has instead of its parent's


def played_back(state: State) -> PlaybackState | None:
    """The recording on screen; None when there is none, or when something else is shown."""
    playback = state.recording.playback
    return playback if playback is not None and not playback.left else None


def timeline(state: State) -> Timeline | None:
    """The timeline of the run on screen; None when there is no run."""
    run, playback = state.run, played_back(state)
    if run is None:
        return None
    selected = state.step.index + 1 if state.step is not None else 0
    if playback is not None:
        branches = {step + 1: numbers for step, numbers in playback.branches.items()}
        return Timeline(run.known, max(playback.count, 1), playback.position, selected, branches, 0)
    forks: dict[int, list[int]] = {}
    for child in state.runs.children(run.number):
        forks.setdefault(child.fork + 1, []).append(child.number)
    total = max(len(run.steps), run.options.max_new_tokens)
    origin = run.fork + 1 if run.parent is not None else 0
    return Timeline(run.steps, total, len(run.steps), selected, forks, origin)


def step_at(share: float, total: int) -> int:
    """The number of the step at `share`, 0 to 1, of the track's width."""
    return min(max(int(share * total) + 1, 1), total)


def span(number: int, total: int) -> tuple[float, float]:
    """The part of the track's width that a step takes, 0 to 1."""
    return (number - 1) / total, number / total


def tick_distance(total: int, width: float, least: float) -> int:
    """The number of steps, 1, 2 or 5 times a power of ten, between two ticks that are at least `least` pixels apart."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power * width >= least * total:
                return factor * power
        power *= 10


def describe(line: Timeline, number: int) -> str:
    """The step under the cursor in words: its token and probability, and what branches off there."""
    if number <= len(line.steps):
        step = line.steps[number - 1]
        lines = [f"Step {number} of {len(line.steps)}", f"{quoted(step.text)}  {percent(step.probability).strip()}"]
    else:
        lines = [f"Step {number}: not generated yet, {counted(len(line.steps), 'step')} so far"]
    if number == line.origin:
        lines.append("This run branched off its parent here")
    others = line.branches.get(number, ())
    if others:
        names = ", ".join(map(str, others))
        lines.append(f"Run {names} branches off here" if len(others) == 1 else f"Runs {names} branch off here")
    return "\n".join(lines)


def go_to(state: State, number: int) -> None:
    """Show step `number` of the run; the last step of a live run is followed from then on."""
    playback, run = played_back(state), state.run
    if playback is not None:
        playback.playing, playback.seek = False, min(max(number, 1), playback.count)
    elif run is not None and run.steps:
        number = min(max(number, 1), len(run.steps))
        state.chosen = number - 1 if number < len(run.steps) else None


def go_by(state: State, offset: int) -> None:
    """Show a step `offset` steps later; earlier if negative."""
    line = timeline(state)
    if line is not None and line.steps:
        go_to(state, (line.selected if played_back(state) is None else line.reached) + offset)
