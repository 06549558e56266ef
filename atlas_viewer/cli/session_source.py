"""The model that a session was recorded with."""

from __future__ import annotations

import argparse

from atlas_viewer.recording.records import Head
from compute.errors import RecordingError
from compute.models.config import GPT2_SIZES
from compute.weights.checkpoint import WeightSource, open_model

from .arguments import PRECISIONS


def recorded_source(arguments: argparse.Namespace, head: Head) -> WeightSource:
    """The model that `--model` names, by default the recorded one when its name says where it is."""
    spec = getattr(arguments, "model", None)
    if spec is None:
        # Never a path: the file may come from anybody.
        if head.model != "stories" and head.model.removeprefix("random:") not in GPT2_SIZES:
            raise RecordingError(f"model {head.model}: the session does not hold it; give its file with --model")
        spec = head.model
    return open_model(spec)


def recorded_weights(arguments: argparse.Namespace, head: Head) -> str:
    """What `--weights` says, by default the recorded precision."""
    weights = str(getattr(arguments, "weights", head.weights))
    if weights not in PRECISIONS:
        raise RecordingError(f"precision {weights} is unknown; choose one with --weights")
    return weights
