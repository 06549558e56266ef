"""The parts of a loaded model, and how its methods use them."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from compute.edits.grammar import Edit
from compute.edits.resolved import ResolvedEdit
from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.forward.whole_pass import WholePass
from compute.gpu.device import device_errors
from compute.lens.attribution_pass import AttributionPass
from compute.lens.lens_pass import LensPass
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.text.chat import Turn
from compute.text.tokenizer import Tokenizer
from compute.views.formula_pass import FormulaPass

from .activation_reader import ActivationReader
from .edited import edited, report_of
from .kept import Kept
from .names import Names
from .pass_stream import PassStream
from .run import Run
from .tensor_info import TensorInfo, tensor_infos
from .texts import Texts
from .weights import Weights


class LoadedModel:
    """A model on the GPU, and what all of its methods share: its parts, one pass at a time, one thread at a time."""

    def __init__(self, engine: Engine, weights: Weights, tokenizer: Tokenizer) -> None:
        """Parts that are loaded already."""
        self._engine, self._weights, self._tokenizer = engine, weights, tokenizer
        self._names = Names(engine.description)
        self._texts = Texts(engine.model_name, engine.config.vocabulary, tokenizer)
        self._lock = threading.Lock()
        self._passes = WholePass(engine)
        self._reader: ActivationReader | None = None
        self._formulas: FormulaPass | None = None
        self._lens: LensPass | None = None
        self._attribution: AttributionPass | None = None

    @property
    def name(self) -> str:
        """The model's name, for people."""
        return self._engine.model_name

    @property
    def adapter(self) -> str:
        """The name of the adapter that runs the model."""
        return self._engine.adapter_name

    @property
    def config(self) -> ModelConfig:
        """The sizes of the model."""
        return self._engine.config

    @property
    def description(self) -> Description:
        """The operations of the model, in the order in which they run."""
        return self._engine.description

    @property
    def context(self) -> int:
        """The longest text that `run` takes, in tokens."""
        return self._engine.context

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to token ids and back. Raises `TokenizerError` when the model has another vocabulary."""
        self._tokenizer.check_fits(self.config.vocabulary)
        return self._tokenizer

    @property
    def fits_tokenizer(self) -> bool:
        """True when the tokenizer has the model's vocabulary, so that tokens have texts."""
        return self._tokenizer.vocabulary == self.config.vocabulary

    def from_chat(self, turns: Iterable[Turn | Mapping[str, str]]) -> list[int]:
        """The token ids of a chat in the model's own template, to pass as a prompt to any method.

        turns: such as {"role": "user", "content": "Hello"}, in order. Unless the last one is the assistant's, the
        beginning of an answer follows. `tokenizer.decode` gives the exact text. Names of special tokens inside a turn
        stay text. Raises `UsageError` for values that are not turns, `PromptError` when the model has no template, or
        one that refuses the turns or does not work.
        """
        return self._texts.chat(turns).ids

    @property
    def weights(self) -> Weights:
        """The parameters by name, read from the file on demand: float32, matrices [out, in].

        >>> model.weights["h.0.attn.c_attn.weight"].shape
        (576, 192)
        """
        return self._weights

    def __repr__(self) -> str:
        return f"<Model {self._engine.model_name}, context {self.context}, on {self._engine.adapter_name}>"

    def tensors(self) -> dict[str, TensorInfo]:
        """Every tensor by name: weights, what can be kept of a run, and the logits.

        >>> model.tensors()["h.0.attn.pattern"].shape
        (6, 'query', 'key')
        """
        return {info.name: info for info in tensor_infos(self._names)}

    def _run(self, texts: Sequence[list[int]], kept: Kept) -> list[Run]:
        """One pass over texts of the same length that fit into the context together."""
        tokens, sequence = list(itertools.chain.from_iterable(texts)), len(texts[0])
        if kept.rows == "last":
            logits = self._passes.last_logits(tokens, sequence=sequence)[:, None, : self.config.vocabulary]
        else:
            logits = self._passes.all_logits(tokens, sequence=sequence).reshape(len(texts), sequence, -1)
        logits.flags.writeable = False
        arrays: Sequence[dict[str, np.ndarray]] = [{} for _ in texts]
        if kept.sources:
            arrays = self._activations().read_sequences(kept.sources, sequence, last=kept.only_last)
        report = report_of(self._engine)
        return [
            Run(self._names, text, kept.rows, kept.readings, array, of_text, self._engine.edits, report)
            for text, array, of_text in zip(texts, arrays, logits, strict=True)
        ]

    @contextlib.contextmanager
    def _streaming(
        self,
        text: Sequence[int],
        start: int,
        edits: Sequence[Edit],
        prompt: int,
        before: Sequence[ResolvedEdit] = (),
    ) -> Iterator[PassStream]:
        """The pass over the tokens of a text from index `start` on, to be read tensor by tensor inside.

        edits: in force for it, after those of `before`; prompt: tokens of the text that are the prompt. Raises as
        `Model.run`.
        """
        rows = len(text) - start
        position = min(start, self.config.positions - rows)
        with self._in_use(), edited(self._engine, edits, text[:prompt], len(text), before):
            yield PassStream(self._engine, self._passes, self._activations(), text[start:], position, start)

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        """One thread computes with the model; errors of the GPU's library become `DeviceError`s of one line."""
        if not self._lock.acquire(blocking=False):
            raise UsageError("another thread is using this model: wait for it, or let one thread run all texts")
        try:
            with device_errors():
                yield
        finally:
            self._lock.release()

    def _activations(self) -> ActivationReader:
        if self._reader is None:
            self._reader = ActivationReader(self._engine)
        return self._reader
