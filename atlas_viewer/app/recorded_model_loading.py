"""Loads the model of a recording in steps, while the window already shows what was recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from atlas_viewer.recording.playback import check_shape, longest_context, named_model
from atlas_viewer.recording.player import Player
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recorder import CanRecord
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.protocols import ModelLike
from compute.errors import AtlasError
from compute.forward.load_options import LoadOptions
from compute.gpu.loading import Loading
from compute.weights.checkpoint import WeightSource, open_model
from compute.weights.fingerprint import weights_sha256
from compute.weights.model_tokenizer import tokenizer_of

_NAP_S = 0.01  # between two checks of whether the weights have been hashed


def _hashing(weights: Callable[[], str]) -> Loading[str]:
    """The hash that `weights` computes in a thread. An abandoned thread ends by itself."""
    pool = ThreadPoolExecutor(1, "weights hash")
    try:
        hashing = pool.submit(weights)
        while not hashing.done():
            yield "comparing the weights with the recorded ones", 0.0
            time.sleep(_NAP_S)
        return hashing.result()
    finally:
        pool.shutdown(wait=False)


def loading_recorded_model(player: Player, source: WeightSource, load: LoadOptions) -> Loading[ModelLike]:
    """Load the recording's model in steps; return the recorded model if the weights differ or loading fails."""
    recording, playback = player.recording, player.playback
    try:
        if (yield from _hashing(lambda: weights_sha256(source))) != recording.head.weights_sha256:
            playback.notice = (
                f"the weights of {source.name} on this machine differ from those of the recorded model, so Strip and"
                " Map stay empty; everything that was recorded is shown"
            )
            return player.model
        context = max(longest_context(recording.steps(run)) for run in recording.runs())
        runner = yield from ModelRunner.loading(source, tokenizer_of(source), replace(load, context=context))
    except AtlasError as error:
        playback.notice = f"the model cannot be loaded, so Strip and Map stay empty: {error}"
        return player.model
    playback.notice = ""
    return runner


def finding_model(player: Player, live: ModelLike | None, load: LoadOptions) -> Loading[ModelLike]:
    """The recording's model, loaded in steps: `live` if it has the same weights, otherwise by the recorded name; the
    recorded model, with the reason in the playback's notice, if it cannot be found.

    load: options besides context and precision, which are those of the recording.
    """
    recording, playback = player.recording, player.playback
    if live is not None and (yield from _same_weights(live, recording)):
        generations = live.generations
        context = max(longest_context(recording.steps(run)) for run in recording.runs())
        if generations is not None:
            try:
                if not generations.fits(replace(recording.run().options, context=context)):
                    yield from generations.grow_context(context)
            except AtlasError as error:
                playback.notice = f"the context of the recording does not fit, so Strip and Map stay empty: {error}"
                return player.model
            return live
    try:
        source = open_model(named_model(recording.head))
        check_shape(recording, source.name, source.config)
        load = replace(load, weights=recording.head.weights)
    except AtlasError as error:
        playback.notice = str(error)
        return player.model
    return (yield from loading_recorded_model(player, source, load))


def _same_weights(model: ModelLike, recording: Recording) -> Loading[bool]:
    """True if `model` has the weights and the precision with which the recording was made."""
    head = recording.head
    if not isinstance(model, CanRecord) or model.engine.config != head.config or model.engine.dtype != head.weights:
        return False
    return (yield from _hashing(model.weights_sha256)) == head.weights_sha256
