"""Recorded steps as sources of edits: `run(F.atlas, STEP)`."""

from __future__ import annotations

from pathlib import Path

from compute.edits.recorded import RecordedPass
from compute.errors import RecordingError
from compute.models.architectures import describe

from .edit_records import applied_edits
from .playback import named_model
from .reader import Recording
from .records import Head


def recorded_pass(path: str, step: int) -> RecordedPass:
    """The pass of a step of the last run. Raises `RecordingError` when there is none."""
    with Recording(Path(path)) as recording:
        run = recording.run()
        steps = recording.steps(run)
        if step >= len(steps):
            there = f"steps 0 to {len(steps) - 1}" if steps else "no steps"
            raise RecordingError(f"{recording.shown}: has no step {step}; run {run.id} has {there}")
        chosen = steps[step]
        return RecordedPass(
            config=recording.head.config,
            tokens=[*run.prompt_tokens, *(one.record.token for one in steps[:step])],
            context=chosen.options.context,
            token=chosen.record.token,
            logit=chosen.record.logit,
            shown=recording.shown,
            model=_model(recording.head),
            weights=recording.head.weights,
            prompt=len(run.prompt_tokens),
            steps=[one.record.token for one in steps],
            edits=applied_edits(chosen.edits, describe(recording.head.config)),
        )


def _model(head: Head) -> str | None:
    """The name that loads the recorded model, None when there is none."""
    try:
        return named_model(head)
    except RecordingError:
        return None
