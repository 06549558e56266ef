"""Plays a recording in the window: decides which step is visible, and adds the steps that another process writes."""

from __future__ import annotations

from collections.abc import Sequence

from atlas_viewer.state.edit_list import adopt
from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.recording_state import PlaybackState
from atlas_viewer.state.requests import ShowRun
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import State
from compute.edits.resolved import ResolvedEdit

from .camera_follow import CameraFollower
from .edit_records import given
from .event_text import last_done, names
from .playback import RecordedRun, steps_before
from .reader import Recording
from .recorded_model import RecordedModel
from .records import RunInfo, UiEvent

# The longest pause during playback, in seconds. Nobody wants to watch somebody think.
_LONGEST_GAP = 1.0
_FOLLOW_EVERY = 0.3  # seconds between two checks for new steps


class Player:
    """Owns the open recording. Its runs are in `state.runs`, the state of its panel in `state.recording.playback`."""

    def __init__(self, recording: Recording, state: State, number: int | None = None) -> None:
        """number: the first run to show, by default the last one in the file. Raises `RecordingError`."""
        self.recording, self._state = recording, state
        self.model = RecordedModel(recording)
        self.playback = PlaybackState(recording.shown, recording.head.model)
        state.recording.playback = self.playback
        self._recorded: dict[int, RecordedRun] = {}  # by number in the window
        self._numbers: dict[int, int] = {}  # number in the window, by number in the file
        # By a branch's number in the window: the number of steps before it, and the text of its hand-picked token.
        self._forks: dict[int, tuple[int, str]] = {}
        self._branches: dict[int, dict[int, list[int]]] = {}  # as `PlaybackState.branches`, by number in the window
        self._events: Sequence[UiEvent] = ()
        self._follower = CameraFollower(state, self.playback)
        self._take_runs()
        self._shown: Sequence[object] = ()  # the list of steps that this set on the run
        self._listed: Sequence[ResolvedEdit] | None = None  # the edits that are the list in the window
        self._clock = self._followed = 0.0
        self._due = 0.0  # seconds until the next step
        self.run = state.runs.all[self._numbers[recording.run(number).id]]
        self.playback.seek = len(self.run.known)

    @property
    def pending(self) -> bool:
        """True while playback needs more frames."""
        return self.playback.playing or self.playback.seek is not None or self.playback.follow

    def close(self) -> None:
        """Close the file."""
        self.recording.close()

    def show(self) -> None:
        """Request that the window show the run."""
        self._choose(self.run)
        self._state.requests.append(ShowRun(self.run.number))

    # -- contents of the file

    def _take_runs(self) -> bool:
        """Add the new runs of the file; True if there are any."""
        infos = self.recording.runs()
        new = [info for info in infos if info.id not in self._numbers]
        for info in new:
            recorded = RecordedRun(self.recording, info)
            before = steps_before(infos, info)
            generated = info.prompt_tokens[len(info.prompt_tokens) - before :] if before else ()
            earlier = self.model.tokenizer.decode(generated)
            run = Run(info.prompt + earlier, info.options, recorded.prompt_texts, done=True)
            run.stop_reason = "paused"
            if info.parent in self._numbers:
                run.parent = self._numbers[info.parent]
            self._state.runs.add(run)
            if run.parent is not None:
                self._forks[run.number] = before, self._by_hand(info, self._recorded[run.parent])
                # A hand-picked token is the last one of the branch's prompt, so the first recorded step comes after it.
                fork = (info.fork_step or 0) - bool(self._forks[run.number][1])
                self._branches.setdefault(run.parent, {}).setdefault(fork, []).append(run.number)
            self._numbers[info.id], self._recorded[run.number] = run.number, recorded
            self._fill(run, recorded)
        self.playback.runs = len(infos)
        return bool(new)

    def _fill(self, run: Run, recorded: RecordedRun) -> None:
        """Give the run everything recorded so far."""
        run.known = [step.record for step in recorded.all_steps]
        run.edits = dict(recorded.all_edits)
        run.changes = {0: recorded.info.options}
        for step in recorded.all_steps:
            if run.options_at(step.record.index) != step.options:
                run.changes[step.record.index] = step.options
        self._set(run, recorded, len(run.known))
        self._events = self.recording.events()
        self._follower.take(self.recording.cameras(), self._events)
        run.name = self._name(run, recorded)

    def _name(self, run: Run, recorded: RecordedRun) -> str:
        """The name given to the run, or else the description of the branch, as in the window that recorded it."""
        given = names(self._events).get(recorded.info.id, "")
        if given or run.number not in self._forks:
            return given
        before, chosen = self._forks[run.number]
        if chosen:
            return f"#{before} {quoted(chosen)}"
        return f"#{before + 1}" + (f" {quoted(run.known[0].text)}" if run.known else "")

    def _by_hand(self, info: RunInfo, parent: RecordedRun) -> str:
        """The text of the token that a branch has instead of its parent's; empty if the tokens are the same."""
        index, steps = (info.fork_step or 0) - 1, parent.all_steps
        if not 0 <= index < len(steps) or not info.prompt_tokens or steps[index].record.token == info.prompt_tokens[-1]:
            return ""
        return self.model.tokenizer.token_label(info.prompt_tokens[-1])

    def _set(self, run: Run, recorded: RecordedRun, count: int) -> None:
        recorded.show(count)
        run.steps = recorded.steps
        run.continuation = recorded.continuation
        run.tokens_per_second = recorded.tokens_per_second
        if count == len(recorded.all_steps) and recorded.info.stop_reason is not None:
            run.stop_reason = recorded.info.stop_reason
        else:
            run.stop_reason = "paused"
        if count:
            run.options = recorded.all_steps[count - 1].options

    # -- frames

    def frame(self, now: float) -> None:
        """Update the visible step. Raises `RecordingError` if the file is damaged."""
        playback, shown = self.playback, self._state.run
        elapsed, self._clock = min(now - self._clock, 0.1), now
        if shown is not None and shown is not self.run and shown.number in self._recorded:
            self._choose(shown)
        playback.left = shown is not self.run or self._state.busy or self.run.steps is not self._shown
        if playback.left:
            playback.playing = playback.follow = False
            playback.seek = None
            return
        if playback.follow and now - self._followed >= _FOLLOW_EVERY:
            self._followed = now
            self._follow()
        if playback.seek is not None:
            self._move(playback.seek)
            playback.seek = None
            self._due = self._gap()
        elif playback.playing:
            self._play(elapsed)
        self._follower.frame(self._shown_time())

    def back(self) -> None:
        """Return to the run as it is in the file."""
        self._fill(self.run, self._recorded[self.run.number])
        self._choose(self.run)

    def _choose(self, run: Run) -> None:
        """Make another run of the file the current one."""
        self.run = run
        self.model.run = self._recorded[run.number].info
        self._shown = run.steps
        self.playback.run, self.playback.playing = self.model.run.id, False
        self.playback.branches = self._branches.get(run.number, {})
        self.playback.seek = len(run.steps)

    def _follow(self) -> None:
        recorded = self._recorded[self.run.number]
        at_end = self.playback.position == len(recorded.all_steps)
        if recorded.follow(self.recording):
            self._fill(self.run, recorded)
            self._shown = self.run.steps
            self.playback.seek = len(recorded.all_steps) if at_end else self.playback.position
        elif self._take_runs():
            self._state.requests.append(ShowRun(max(self._recorded)))

    def _play(self, elapsed: float) -> None:
        playback = self.playback
        self._due -= elapsed * playback.speed
        count = playback.position
        while self._due <= 0 and count < playback.count:
            count += 1
            self._due += self._gap(count)
        if count != playback.position:
            self._move(count)
        if playback.position == playback.count:
            playback.playing = False

    def _gap(self, count: int | None = None) -> float:
        """Seconds from step number `count` (from 1), by default the visible one, to the next one."""
        steps = self._recorded[self.run.number].all_steps
        number = self.playback.position if count is None else count
        if not 0 < number < len(steps):
            return 0.0
        return min(max(steps[number].time - steps[number - 1].time, 0.0), _LONGEST_GAP)

    def _move(self, count: int) -> None:
        """Show the first `count` steps, at least one if there are any."""
        playback, recorded = self.playback, self._recorded[self.run.number]
        steps = recorded.all_steps
        playback.count = len(steps)
        playback.position = min(max(count, min(1, playback.count)), playback.count)
        self._set(self.run, recorded, playback.position)
        self._shown = self.run.steps
        self._state.chosen, self._state.options = None, self.run.options
        self._take_edits(recorded.edits)
        start = recorded.info.started
        playback.time = steps[playback.position - 1].time - start if playback.position else 0.0
        playback.length = steps[-1].time - start if steps else 0.0
        playback.event = last_done(self._events, steps[playback.position - 1].time) if playback.position else ""

    def _take_edits(self, edits: Sequence[ResolvedEdit]) -> None:
        """Make the edits of the visible step the list in the window, so that the run continues with them."""
        if edits is not self._listed:
            self._listed = edits
            adopt(self._state.edits, [given(edit) for edit in edits])

    def _shown_time(self) -> float | None:
        """The time of the last visible step in the recording, in seconds."""
        position = self.playback.position
        return self._recorded[self.run.number].all_steps[position - 1].time if position else None
