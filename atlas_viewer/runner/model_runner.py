"""The model on the GPU with its views, for the window and for pictures without a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from atlas_viewer.state import proof
from atlas_viewer.state.protocols import GenerationSource, MapSource, StepListener
from atlas_viewer.state.state import ModelSummary
from compute.edits.gpu_list import PendingEffects
from compute.edits.grammar import Edit
from compute.edits.resolved import ResolvedEdit
from compute.edits.targets import Kind, Targets
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.edit_values import captured, check_edit, resolve_edits
from compute.generate.generator import Generation
from compute.generate.replay import KnownText, Replay
from compute.generate.step_capture import StepCapturer
from compute.generate.steps import StepRecord
from compute.gpu.loading import Loading, finished, paced
from compute.models.architectures import parameter_count
from compute.models.registry import Registry
from compute.patching.edit_measure import EditMeasure, measuring
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer
from compute.views.attention_head import AttentionViews
from compute.views.logits_readback import LogitsReadback
from compute.views.map_layout import map_layout
from compute.views.map_pass import MapPass
from compute.views.strip import StripPass
from compute.weights.checkpoint import WeightSource
from compute.weights.fingerprint import weights_sha256

from .attributions import Attributions
from .comparisons import Comparisons
from .lens_reader import LensReader
from .sweeps import Sweeps
from .tensor_files import TensorFiles
from .tensor_reader import TensorReader

# Minimum capacity, even if the first run's context is shorter, so that most context changes need no second upload.
_USUAL_CONTEXT = 256


def end_label(tokenizer: Tokenizer) -> str:
    """The name of the token that ends a text; empty for a tokenizer whose texts never end."""
    return tokenizer.token_label(tokenizer.end_of_text) if tokenizer.ends else ""


class ModelRunner:
    """Engine, views and tokenizer. Growing the context replaces the engine and its views."""

    unavailable = ""

    def __init__(
        self,
        source: WeightSource,
        tokenizer: Tokenizer,
        options: LoadOptions,
        engine: Engine,
        edits: Sequence[Edit] = (),
    ) -> None:
        """options: those that `engine` was loaded with, reused for a larger context. Usually called by `load`.

        edits: what to change in every run.
        """
        self._source, self.tokenizer, self._options = source, tokenizer, options
        self._edits = tuple(edits)
        # For a prompt and a number of tokens, on this engine.
        self._resolved: tuple[list[int], int, tuple[ResolvedEdit, ...]] | None = None
        self._listener: StepListener | None = None
        self._use(engine)

    @classmethod
    def load(
        cls, source: WeightSource, tokenizer: Tokenizer, options: LoadOptions, edits: Sequence[Edit] = ()
    ) -> ModelRunner:
        """Upload the model. Contexts up to that of `options` never need a second upload. Blocks.

        Raises `AtlasError`s.
        """
        return finished(cls.loading(source, tokenizer, options, edits))

    @classmethod
    def loading(
        cls, source: WeightSource, tokenizer: Tokenizer, options: LoadOptions, edits: Sequence[Edit] = ()
    ) -> Loading[ModelRunner]:
        """Like `load`, but in steps, between which a window can draw frames."""
        context = max(options.context_for(source), min(_USUAL_CONTEXT, source.config.positions))
        engine = yield from Engine.loading(source, replace(options, context=context))
        return cls(source, tokenizer, options, engine, edits)

    def close(self) -> None:
        """Close the model's file. The context cannot grow afterwards."""
        self._source.close()

    def fits(self, options: GenerateOptions) -> bool:
        """True if the engine's capacity suffices for the context of `options`."""
        return options.context <= self.max_context

    @property
    def max_context(self) -> int:
        """The engine's capacity: its longest context, in tokens."""
        return self._engine.context

    def grow_context(self, context: int) -> Loading[None]:
        """Load an engine with a capacity of `context` tokens. If that raises an `AtlasError`, the current one stays."""
        self._use((yield from Engine.loading(self._source, replace(self._options, context=context))))

    def _use(self, engine: Engine) -> None:
        targets = Targets(engine.description)
        weights = [edit for edit in self._edits if targets.find(edit.target).kind is Kind.WEIGHT]
        engine.set_edits(resolve_edits(engine, weights, (), None))  # first: the views find edited weights elsewhere
        self._resolved = None
        self._engine, self.strip = engine, StripPass(engine)
        self.tensor_reader = TensorReader(engine, self.strip)
        self.logits = LogitsReadback(engine)
        self.tensor_files = TensorFiles(engine, self._source)
        self._proved = proof.known(engine.device.adapter)
        self._attention: AttentionViews | None = None  # created on first use
        self._attribution: Attributions | None = None
        self._lens: LensReader | None = None
        self._comparisons: Comparisons | None = None
        self._sweeps: Sweeps | None = None

    @property
    def engine(self) -> Engine:
        """The current engine; growing the context replaces it."""
        return self._engine

    @property
    def generations(self) -> GenerationSource:
        """The runner itself."""
        return self

    @property
    def map_source(self) -> MapSource:
        """The runner itself."""
        return self

    @property
    def attention(self) -> AttentionViews:
        """The views of attention."""
        if self._attention is None:
            self._attention = AttentionViews(self._engine)
        return self._attention

    @property
    def attribution(self) -> Attributions:
        """What splits logits into parts. Raises `UsageError` for a model whose logits cannot be split."""
        if self._attribution is None:
            self._attribution = Attributions(self._engine, self.tokenizer)
        return self._attribution

    @property
    def lens(self) -> LensReader:
        """The logit lens. Raises `UsageError` when no lens is defined for the model."""
        if self._lens is None:
            self._lens = LensReader(self._engine)
        return self._lens

    @property
    def comparisons(self) -> Comparisons:
        """What compares the latest pass with another one."""
        if self._comparisons is None:
            self._comparisons = Comparisons(self._engine, self._options)
        return self._comparisons

    @property
    def sweeps(self) -> Sweeps:
        """What computes patching maps."""
        if self._sweeps is None:
            self._sweeps = Sweeps(self._engine, self.tokenizer)
        return self._sweeps

    @property
    def summary(self) -> ModelSummary:
        """Facts about the model and the adapter."""
        engine, config = self._engine, self._engine.config
        proved = self._proved
        return ModelSummary(
            name=engine.model_name,
            layers=config.layers,
            heads=config.heads,
            channels=config.channels,
            positions=config.positions,
            vocabulary=config.vocabulary,
            parameters=parameter_count(config),
            weights=engine.dtype,
            adapter=engine.adapter_name,
            gpu_bytes=engine.gpu_bytes,
            program=f"{engine.path}, weights in {engine.layout}s",
            proved=proved.text if proved else proof.NOT_PROVED,
            proof_failed=proved is not None and not proved.ok,
            chat=self.tokenizer.chat is not None,
            end_of_text=end_label(self.tokenizer),
        )

    def start(
        self,
        prompt: str,
        options: GenerateOptions,
        steps: Sequence[StepRecord] = (),
        tokens: Sequence[int] | None = None,
    ) -> Generation:
        """Begin a run, or continue one after its `steps`. Raises `UsageError` or `PromptError`.

        tokens: ids of the prompt, by default those that the tokenizer encodes it as.
        """
        options.checked(self._engine.config.positions, self._engine.config.vocabulary)
        if not self.fits(options):
            if tokens is None:
                self.tokenizer.encode(prompt)  # fail on a bad prompt before the costly upload
            finished(self.grow_context(options.context))
        listener, capturer = self._listener, None
        if listener is not None:
            measure = self.tensor_reader.statistics_pass() if listener.statistics else None
            capturer = StepCapturer(self._engine, listener.step, logits=listener.logits, statistics=measure)
        tokens = self.tokenizer.encode(prompt) if tokens is None else list(tokens)
        generation = Generation(
            self._engine,
            self.tokenizer,
            prompt,
            options,
            prompt_tokens=tokens,
            edits=self.edits_for(tokens, len(tokens) + options.max_new_tokens),
            steps=steps,
            token_text=self.tokenizer.token_label,
            capturer=capturer,
        )
        if listener is not None:
            listener.begun(generation.prompt_tokens, steps, options)
        return generation

    def replay(
        self,
        prompt_tokens: Sequence[tuple[int, str]],
        steps: Sequence[StepRecord],
        options: GenerateOptions,
        edits: Sequence[ResolvedEdit] | None = None,
    ) -> Replay:
        """A replay of the passes for known steps; no token is drawn. edits: None for those of every run."""
        text = KnownText([number for number, _ in prompt_tokens], [step.token for step in steps], options)
        if edits is None:
            edits = self.edits_for(text.prompt_tokens, len(text.prompt_tokens) + len(steps))
        return Replay(self._engine, text, self.tokenizer.end_of_text, edits)

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What every run and replay changes."""
        return self._edits

    def set_edits(self, edits: Sequence[Edit]) -> None:
        """Change `edits` for runs and replays that begin from now on."""
        if tuple(edits) != self._edits:
            self._edits, self._resolved = tuple(edits), None

    def check_edit(self, edit: Edit, prompt: Sequence[int], tokens: int) -> None:
        """Raise an `AtlasError` when the model or a text of this prompt and up to `tokens` tokens cannot have it."""
        check_edit(self._engine, edit, prompt, max(1, tokens - 1))

    def request_effects(self) -> PendingEffects | None:
        """Fetch what the edits in force have changed so far, without waiting; None without edits."""
        return self._engine.request_effects()

    def captured(self, edit: Edit, tokens: Sequence[int], context: int, edits: Sequence[ResolvedEdit]) -> Edit:
        """`edit` with its target's values in a pass over `tokens` with `edits`. Blocks. Raises `AtlasError`s."""
        return captured(self._engine, edit, tokens, min(context, self._engine.context), edits)

    def measuring(
        self, tokens: Sequence[int], context: int, edits: Sequence[ResolvedEdit], own: range
    ) -> Loading[EditMeasure]:
        """Measure in steps how far the edits numbered `own` move the prediction after `tokens`. Never blocks."""
        return measuring(self._engine, tokens, min(context, self._engine.context), edits, own)

    def edits_for(self, prompt: Sequence[int], tokens: int) -> tuple[ResolvedEdit, ...]:
        """The edits for a prompt whose text has up to `tokens` tokens; resolved once for each prompt.

        Values that take a pass block, which is the price of the first run of a prompt with such edits.
        """
        if self._resolved is None or self._resolved[0] != list(prompt) or self._resolved[1] < tokens:
            edits = resolve_edits(self._engine, self._edits, prompt, max(1, tokens - 1))
            self._resolved = list(prompt), tokens, edits
        return self._resolved[2]

    def paint(self) -> bool:
        """Paint the strip from the pass submitted last. Does not wait.

        Returns True if weights remain to be read, so that another call must finish the picture.
        """
        self.strip.update()
        return self.strip.pending

    def weights_sha256(self) -> str:
        """The fingerprint computed by compute/weights/fingerprint.py, which takes about one second per gigabyte.

        Raises `ValueError` if the source is closed.
        """
        return weights_sha256(self._source)

    def set_step_listener(self, listener: StepListener | None) -> None:
        """Report the steps of later generations to `listener`; a generation in progress is unaffected."""
        self._listener = listener

    def load_map(self, glyphs: np.ndarray, context: int, *, tables: bool = True) -> MapPass:
        """A map of the current engine with `context` rows for activations. Does not wait.

        glyphs: see `MapPass`; tables: see `map_layout`.
        """
        return MapPass.load(self._engine, glyphs, map_layout(self._engine.registry, context, tables=tables))

    def loading_map(self, glyphs: np.ndarray, context: int, *, tables: bool = True) -> Loading[MapPass]:
        """Like `load_map`, but in steps, between which a window can draw frames."""
        engine = self._engine
        layout = map_layout(engine.registry, context, tables=tables)
        yield "layout", 1.0
        return (yield from paced(engine.device, MapPass.loading(engine, glyphs, layout)))

    @property
    def registry(self) -> Registry:
        """The tensors of the current engine."""
        return self._engine.registry
