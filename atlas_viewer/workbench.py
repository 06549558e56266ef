"""The model on the GPU with its atlas: what the window and the offline picture both work with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import wgpu

from compute.checkpoint import WeightSource
from compute.engine import Engine
from compute.generator import Generation
from compute.options import GenerateOptions
from compute.replay import KnownText, Replay
from compute.strip import StripPass
from compute.tokenizer import Tokenizer

from .observer import Observer
from .protocols import ObserverLike
from .state import ModelSummary

# Room for a longer window than the first run asks for, so that most changes of it need no second upload.
_USUAL_CONTEXT = 256


class Workbench:
    """Engine, atlas and tokenizer. A window longer than the engine has room for makes a new engine."""

    def __init__(
        self,
        source: WeightSource,
        tokenizer: Tokenizer,
        *,
        context: int,
        weights: str = "native",
        program: str = "auto",
        adapter: str | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Upload the model; blocks. `context`, in tokens, is the longest window that is sure to need no new upload."""
        self._source = source
        self._weights, self._adapter, self._program = weights, adapter, program
        self.tokenizer = tokenizer
        self._open(max(context, min(_USUAL_CONTEXT, source.config.positions)), progress)

    def _open(self, context: int, progress: Callable[[float], None] | None = None) -> None:
        self._engine = Engine(
            self._source,
            context=context,
            weights=self._weights,
            adapter=self._adapter,
            program=self._program,
            progress=progress,
        )
        self._strip = StripPass(self._engine)
        self._observer = Observer(self._engine, self._strip)

    @property
    def model(self) -> ModelSummary:
        """What is known of the model and the adapter."""
        engine, config = self._engine, self._engine.config
        return ModelSummary(
            name=engine.model_name,
            layers=config.layers,
            heads=config.heads,
            channels=config.channels,
            positions=config.positions,
            vocabulary=config.vocabulary,
            parameters=config.parameters,
            weights=engine.dtype,
            adapter=engine.adapter_name,
            gpu_bytes=engine.gpu_bytes,
            program=f"{engine.path}, weights in {engine.layout}s",
        )

    @property
    def atlas(self) -> wgpu.GPUTexture:
        """The strip atlas; another one after `start` has made a new engine."""
        return self._strip.texture

    @property
    def spans_left_out(self) -> Sequence[str]:
        """Names of the tensors for which the strip had no cells when it was painted last."""
        return self._strip.layout.left_out

    def start(self, prompt: str, options: GenerateOptions) -> Generation:
        """Begin a run. Raises `UsageError`, `PromptError`."""
        self.tokenizer.encode(prompt)  # a bad prompt must not cost a new engine
        self._make_room(options)
        return Generation(self._engine, self.tokenizer, prompt, options)

    def replay(self, text: KnownText) -> Replay:
        """A text that is known, for the pass of any step of it. Raises `UsageError`."""
        self._make_room(text.options)
        return Replay(self._engine, text, self.tokenizer.end_of_text)

    def _make_room(self, options: GenerateOptions) -> None:
        options.checked(self._engine.config.positions, self._engine.config.vocabulary)
        if options.context > self._engine.context:
            self._open(options.context)

    def paint(self) -> None:
        """Write the atlas from the pass that was submitted last. Does not wait."""
        self._strip.update()

    @property
    def observer(self) -> ObserverLike | None:
        """Single values and statistics of the same engine."""
        return self._observer

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of `tokens`."""
        return self.tokenizer.decode(tokens)

    def token_text(self, token: int) -> str:
        """How one token is shown."""
        return self.tokenizer.token_text(token)
