"""Tools for tests that run kernels and passes by hand: the self-test's own tools, and models for single purposes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compute.api.load import loaded
from compute.api.model import Model
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.replay import KnownText, Replay
from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions
from compute.selftest.check import Check
from compute.selftest.gpu import UNTOUCHED, Gpu, bound, read
from compute.selftest.models import rounded_model
from compute.weights.checkpoint import ArrayModel, WeightSource

__all__ = [
    "UNTOUCHED", "Gpu", "assert_ok", "bound", "fixed_logits", "logits_after", "model_of", "read", "replay_of",
    "rounded_model",
]  # fmt: skip


def assert_ok(check: Check) -> None:
    """The error of the check is within its tolerance."""
    assert check.ok, f"{check.name}, {check.shapes}: error {check.error:.2g} above {check.tolerance:g} ({check.worst})"


def model_of(source: WeightSource, **options: object) -> Model:
    """A model of the Python API, made quickly: its engine does not predict how long a pass takes."""
    return loaded(lambda: source, LoadOptions(**({"measured": False} | options)))  # type: ignore[arg-type]


def replay_of(
    engine: Engine, prompt: Sequence[int], tokens: Sequence[int] = (), *, context: int | None = None, cached: int = 0
) -> Replay:
    """A replay of known tokens: `go(k)` runs the pass over `prompt` and the first k of `tokens`.

    context: in tokens, by default the engine's; cached: first rows of `prompt` that are not computed again.
    """
    engine.mark_cached(prompt, cached)
    options = GenerateOptions(context=context or engine.context, top=0)
    return Replay(engine, KnownText(prompt, tokens, options), end_of_text=engine.config.vocabulary)


def logits_after(engine: Engine, tokens: list[int], context: int) -> np.ndarray:
    """Logits after `tokens`, computed by a prefill, [padded vocabulary]."""
    replay_of(engine, tokens, context=context).go(0)
    return engine.read_logits()


def fixed_logits(config: ModelConfig, logits: np.ndarray) -> ArrayModel:
    """A model that gives `logits` [vocabulary] whatever the text: only the first channel after `ln_f` is not zero."""
    arrays = {name: np.zeros(shape, np.float32) for name, shape in parameter_shapes(config).items()}
    arrays["wte"][: config.vocabulary, 0] = logits
    arrays["ln_f.bias"][0] = 1
    return ArrayModel("fixed", config, arrays)
