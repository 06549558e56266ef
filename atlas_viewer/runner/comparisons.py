"""A second pass beside the model's own, and the difference of both, computed in steps between frames."""

from __future__ import annotations

from collections.abc import Iterator

from atlas_viewer.state.comparing import ComparedLogits, Wanted
from compute.errors import AtlasError, UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.edit_values import resolve_edits
from compute.generate.replay import KnownText, Replay
from compute.gpu.loading import Loading
from compute.gpu.wgpu_native import Fence, poll, work_done
from compute.sampling.options import GenerateOptions
from compute.views.difference import DifferencePass
from compute.views.logits_readback import LogitsReadback
from compute.weights.checkpoint import open_model

from .pass_views import PassViews
from .predictions import predictions

_SLICE_S = 0.008  # seconds of GPU work that B may add to a frame


class Comparisons:
    """Compares passes of `engine`, A, with another pass, B, on the same weights or those of another model."""

    def __init__(self, engine: Engine, options: LoadOptions) -> None:
        """options: how the model of A was loaded."""
        self._a, self._options = engine, options
        self._b: tuple[str, Engine] | None = None  # the model's name, empty for the same, and its engine
        self._difference: DifferencePass | None = None
        self.b: PassViews | None = None
        self.difference: PassViews | None = None

    def comparing(self, wanted: Wanted) -> Iterator[tuple[str, float] | ComparedLogits]:
        """Compute B and the difference from the latest pass of A, in steps; the last one yields the result.

        Yields what is being done and the share of it that is done. Nothing here waits for the GPU, but values of edits
        that take a pass. Raises `AtlasError`s.
        """
        engine = yield from self._engine(wanted)
        yield from self._run(engine, wanted)
        problem = ""
        try:
            yield from self._subtract(engine, wanted)
        except AtlasError as error:
            self._difference = self.difference = None
            problem = str(error)
        logits = []
        for side in (self._a, engine):
            readback = LogitsReadback(side)
            readback.request()
            while (found := readback.take()) is None:
                yield "logits", 0.5
            logits.append(found)
        yield ComparedLogits(predictions(*logits), problem)

    def forget(self) -> None:
        """Release B and its memory."""
        self._b = self._difference = self.b = self.difference = None

    def _engine(self, wanted: Wanted) -> Loading[Engine]:
        """The engine of B."""
        if self._b is None or self._b[0] != wanted.model:
            self.forget()
            yield "memory", 0.0
            self._b = wanted.model, (yield from self._loaded(wanted.model))
            self.b = PassViews(self._b[1])
        return self._b[1]

    def _loaded(self, model: str) -> Loading[Engine]:
        if not model:
            return (yield from self._a.twinning())
        source = open_model(model)
        ours, theirs = self._a.config, source.config
        try:
            if (ours.layers, ours.heads, ours.channels, ours.vocabulary, ours.positions) != (
                theirs.layers, theirs.heads, theirs.channels, theirs.vocabulary, theirs.positions,
            ):  # fmt: skip
                raise UsageError(
                    f"{source.name} has {theirs.layers} layers, {theirs.heads} heads and {theirs.channels} channels,"
                    f" {self._a.model_name} has {ours.layers}, {ours.heads} and {ours.channels}: compare models of the"
                    " same shape"
                )
            options = LoadOptions(self._a.context, self._options.weights, self._options.adapter, layout=self._a.layout)
            return (yield from Engine.loading(source, options))
        finally:
            source.close()

    def _run(self, engine: Engine, wanted: Wanted) -> Iterator[tuple[str, float]]:
        """Run the pass of B."""
        prompt = wanted.tokens[: wanted.prompt]
        base = self._a.edits if wanted.before is None else wanted.before
        edits = (*base, *resolve_edits(engine, wanted.edits, prompt, max(1, len(wanted.tokens)), base))
        yield "edits", 1.0
        text = KnownText(wanted.tokens, (), GenerateOptions(context=wanted.context, top=0))
        replay = Replay(engine, text, engine.config.vocabulary, edits)
        replay.seek(0)
        fences: list[Fence] = []
        try:
            while not replay.advance(_SLICE_S):
                fences.append(work_done(engine.device))
                yield "B's pass", 0.5
                while len(fences) > 1 and not fences[0].done:
                    yield "B's pass", 0.5
                    poll(engine.device)
                fences = fences[-1:]
        finally:
            if replay.at is None:
                engine.mark_cached((), 0)  # some of its rows are of this text, others of the one before
        yield "B's pass", 1.0

    def _subtract(self, engine: Engine, wanted: Wanted) -> Iterator[tuple[str, float]]:
        if self._difference is None or self._difference.weights_changed:
            self._difference = self.difference = None
            yield "difference", 0.0
            self._difference = DifferencePass(self._a, engine)
            self.difference = PassViews(self._difference)
        yield from self._again(self._difference, relative=wanted.relative)

    def relative(self, on: bool) -> Iterator[tuple[str, float]]:
        """Compute the difference again, relative to the values or not."""
        if self._difference is not None:
            yield from self._again(self._difference, relative=on)

    @staticmethod
    def _again(difference: DifferencePass, *, relative: bool) -> Iterator[tuple[str, float]]:
        difference.begin(relative=relative)
        while not difference.advance():
            yield "difference", 0.5
