"""Finds the model and the precision that a recording was made with."""

from __future__ import annotations

import argparse

from atlas_viewer.recording.playback import named_model
from atlas_viewer.recording.records import Head
from compute.errors import RecordingError
from compute.weights.block_types import BLOCK_TYPES
from compute.weights.checkpoint import WeightSource, open_model

from .arguments import PRECISIONS


def recorded_source(arguments: argparse.Namespace, head: Head) -> WeightSource:
    """The model given by `--model`; by default the recorded one, if its name is enough to find it.

    Raises `AtlasError`s.
    """
    spec = getattr(arguments, "model", None)
    return open_model(named_model(head) if spec is None else spec)


def recorded_weights(arguments: argparse.Namespace, head: Head) -> str:
    """The precision given by `--weights`; by default the recorded one. Raises `RecordingError`."""
    weights = str(getattr(arguments, "weights", head.weights))
    if weights not in (*PRECISIONS, *BLOCK_TYPES):
        raise RecordingError(f"precision {weights} is unknown; choose another one with --weights")
    return weights
