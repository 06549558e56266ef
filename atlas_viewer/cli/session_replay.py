"""`session replay`: shows a recording in the window."""

from __future__ import annotations

import argparse

from atlas_viewer.recording.playback import check_shape
from atlas_viewer.recording.reader import Recording
from compute.errors import AtlasError
from compute.weights.checkpoint import WeightSource

from .session_source import recorded_source, recorded_weights
from .shared import load_options


def replay(arguments: argparse.Namespace) -> int:
    """Open the window; return when it is closed. Without the model, only the recorded values are shown."""
    from atlas_viewer.app.open_recording import replay_window

    with Recording(arguments.file) as recording:
        recording.run(arguments.run)
        source: WeightSource | None = None
        notice = ""
        try:
            source = recorded_source(arguments, recording.head)
            check_shape(recording, source.name, source.config)
            weights = recorded_weights(arguments, recording.head)
        except AtlasError as error:
            if getattr(arguments, "model", None) is not None:
                raise  # an explicit --model must not be ignored
            source, weights, notice = None, "native", str(error)
        replay_window(
            recording,
            arguments.run,
            source,
            notice,
            load_options(arguments, weights=weights),
            follow=arguments.follow,
        )
    return 0
