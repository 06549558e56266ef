"""Loading a model by name or path."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from compute.errors import UsageError, option
from compute.forward.load_options import LoadOptions
from compute.weights.checkpoint import WeightSource, open_model
from compute.weights.model_tokenizer import tokenizer_of

from .model import Model
from .opening import Opener, engine_of
from .weights import Weights


def load(
    model: str | Path = "stories",
    *,
    weights: str | None = None,
    context: int | None = None,
    adapter: str | None = None,
    options: LoadOptions | None = None,
) -> Model:
    """The model of that name or path, on the GPU. Its file is closed again.

    model: "stories" (embedded), "gpt2" and other fetched models, "random:gpt2" (random weights of that size), or the
    path of an llm.c .bin file, a .gguf or .safetensors file or a Hugging Face folder.
    weights: type on the GPU: "f32", "f16", "bf16", or "native", as in the file. context: the longest text in tokens, by
    default the model's positions; GPU memory grows with it. adapter: text that the name of the adapter contains. All
    models of a process share one adapter.
    options: everything that can be chosen; the keywords before it replace its values.

    Raises `CheckpointError` for a missing or damaged model, `UsageError` for a value out of range, `DeviceError` when
    there is no such adapter or another one is in use, `MemoryBudgetError` when the model does not fit.

    >>> import atlas_viewer as av
    >>> av.load("stories", context=64)
    <Model stories, context 64, on ...>
    """
    if not isinstance(model, (str, os.PathLike)):
        raise UsageError(f"{option('model', model)}: must be a name or a path")
    if options is not None and not isinstance(options, LoadOptions):
        raise UsageError(f"{option('options', options)}: must be LoadOptions")
    given = {"weights": weights, "context": context, "adapter": adapter}
    chosen = replace(options or LoadOptions(), **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
    # Weights are read from the file later, when the working directory may be another one.
    spec = os.fspath(model)
    if os.path.exists(spec) and spec != "stories":
        spec = os.path.abspath(spec)
    return loaded(lambda: open_model(spec), chosen)


def loaded(opener: Opener, options: LoadOptions) -> Model:
    """The model whose weights `opener` opens; it is called again whenever a weight is read."""
    source: WeightSource = opener()
    tokenizer = tokenizer_of(source)  # first, because it is quick to fail
    engine = engine_of(source, options)
    return Model(engine, Weights(opener, source, engine.types), tokenizer)
