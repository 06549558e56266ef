"""Finds the model and the precision that a recording was made with."""

from __future__ import annotations

import argparse

from atlas_viewer.recording.records import Head
from compute.errors import RecordingError
from compute.models.config import GPT2_SIZES
from compute.weights.checkpoint import WeightSource, open_model

from .arguments import PRECISIONS


def recorded_source(arguments: argparse.Namespace, head: Head) -> WeightSource:
    """The model given by `--model`; by default the recorded one, if its name is enough to find it.

    Raises `AtlasError`s.
    """
    spec = getattr(arguments, "model", None)
    if spec is None:
        # Never open a path from the recording: it may come from anybody.
        if head.model != "stories" and head.model.removeprefix("random:") not in GPT2_SIZES:
            raise RecordingError(
                f"model {head.model}: the recording does not contain the model; give the model's file with --model"
            )
        spec = head.model
    return open_model(spec)


def recorded_weights(arguments: argparse.Namespace, head: Head) -> str:
    """The precision given by `--weights`; by default the recorded one. Raises `RecordingError`."""
    weights = str(getattr(arguments, "weights", head.weights))
    if weights not in PRECISIONS:
        raise RecordingError(f"precision {weights} is unknown; choose another one with --weights")
    return weights
