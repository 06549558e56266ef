"""A loaded model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

from compute.edits.grammar import Edits, edits_of
from compute.edits.report import EditReport
from compute.errors import UsageError
from compute.generate import generator
from compute.io.escape import one_line
from compute.lens.attribution_pass import AttributionPass
from compute.lens.lens_cells import DEFAULT_TOP
from compute.lens.lens_pass import LensPass
from compute.sampling.options import GenerateOptions
from compute.views.formula import Formula
from compute.views.formula_pass import FormulaPass

from .attribution import Attribution, attribution_of
from .batches import batches
from .capture import Capture
from .edited import by_text, edited, report_of
from .explain import explained
from .generation import Generation
from .kept import Kept
from .lens import Lens, lens_of
from .names import Scheme
from .patching_model import PatchingModel
from .run import Rows, Run
from .score import Score, predictions, scored
from .texts import is_batch


class Model(PatchingModel):
    """A model on the GPU. `load` makes it; only one thread may use it.

    >>> import atlas_viewer as av
    >>> model = av.load("stories", context=64)
    >>> run = model.run("Once upon a time", keep="h.*.resid_post")
    >>> run.tokens
    [7454, 2402, 257, 640]
    >>> run["h.3.resid_post"].shape, run["blocks.3.hook_resid_post"].shape, run.logits.shape
    ((4, 192), (4, 192), (4, 50257))
    """

    @overload
    def run(
        self,
        prompt: str | Sequence[int],
        *,
        keep: str | Iterable[str] = (),
        rows: Rows = "all",
        edits: Edits = (),
    ) -> Run: ...

    @overload
    def run(
        self,
        prompt: list[str] | list[list[int]],
        *,
        keep: str | Iterable[str] = (),
        rows: Rows = "all",
        edits: Edits = (),
    ) -> list[Run]: ...

    def run(
        self,
        prompt: str | Sequence[int] | list[str] | list[list[int]],
        *,
        keep: str | Iterable[str] = (),
        rows: Rows = "all",
        edits: Edits = (),
    ) -> Run | list[Run]:
        """One pass over a text, or over each text of a list.

        prompt: a text, its token ids, or a list of either, which gives a list of runs, each as if it were alone. Texts
        of the same length share passes, as many as fit into the context together. An empty text stands for one
        `<|endoftext|>`; nothing is added to any other.
        keep: names or globs of the activations to keep, in this project's or TransformerLens' scheme, such as
        "h.*.resid_post" or "blocks.0.attn.hook_pattern"; "*" keeps all. The logits are always kept.
        rows: "all", or "last", which keeps and computes the logits of the last token only, and keeps the last row of
        every activation.
        edits: what to change in the pass, such as "h.2.attn.out[head=4] = 0", in the order of the list; an array is
        given as ("h.3.resid_post[3] +=", vector).

        Raises `UsageError` for a text that is too long, an edit that does not fit, or a glob without a match,
        `TensorNameError` for an unknown name, `MemoryBudgetError` when the arrays would not fit into memory,
        `PromptError` for text that is not UTF-8.

        >>> run = model.run([7454, 2402], keep=["h.0.attn.pattern"], rows="last")
        >>> run["h.0.attn.pattern"].shape, run.logits.shape
        ((6, 1, 2), (1, 50257))
        """
        if not isinstance(rows, str) or rows not in ("all", "last"):
            raise UsageError(f'rows={one_line(repr(rows))}: must be "all" or "last"')
        batch, fits = is_batch(prompt), (self.context, self.config.positions)
        if batch:
            texts = [self._texts.fitting(text, *fits, f"text {index}: ") for index, text in enumerate(prompt, start=1)]
        else:
            texts = [self._texts.fitting(prompt, *fits)]
        kept = Kept(self.description, self._names.matching(keep), rows)
        kept.check_memory([len(text) for text in texts])
        wanted = edits_of(edits)
        alone = [[index] for index in range(len(texts))] if by_text(wanted) else None
        with self._in_use():
            runs: dict[int, Run] = {}
            for indices in alone or batches([len(text) for text in texts], self.context):
                same = [texts[index] for index in indices]
                with edited(self._engine, wanted, same[0], len(same[0])):
                    runs |= zip(indices, self._run(same, kept), strict=True)
        ordered = [runs[index] for index in range(len(texts))]
        return ordered if batch else ordered[0]

    def capture(
        self,
        text: str | Sequence[int],
        path: Path | str,
        *,
        keep: str | Iterable[str] = "*",
        names: Scheme = "atlas",
        edits: Edits = (),
        prompt_length: int | None = None,
    ) -> EditReport:
        """One pass over a text, written to a .npz or .safetensors file one array after another.

        The file contains `tokens` (int32, one per row) and the arrays that `run` would keep, among them the logits when
        `keep` matches them. Only an array or two are in memory, so that long contexts need little of it. Of a text
        longer than the context the last `context` tokens are used, at the positions that a generation gives them.
        names: the scheme to write; with "transformerlens" an array without a name there keeps ours.
        edits: as for `run`; the file names them in its metadata. Positions count in the whole text.
        prompt_length: tokens of the text that are the prompt, from whose end negative positions count back; by default
        all of them.

        Returns what the edits have done. Raises `TensorNameError` and `UsageError` as `run`, `OutputError` when the
        file cannot be written or the disk has too little space.
        """
        tokens = self._texts.ids(text)
        rows = min(len(tokens), self.context)
        position = min(len(tokens) - rows, self.config.positions - rows)
        wanted = Capture(self._names, tokens[-rows:], keep, names)
        prompt = tokens[: prompt_length or len(tokens)]
        with self._in_use(), edited(self._engine, edits_of(edits), prompt, len(tokens)) as resolved:
            wanted.write(path, self._passes, self._activations(), position, resolved, len(tokens) - rows)
            return report_of(self._engine)

    def generate(
        self,
        prompt: str | Sequence[int],
        *,
        max_new_tokens: int = GenerateOptions.max_new_tokens,
        temperature: float = GenerateOptions.temperature,
        top_k: int = GenerateOptions.top_k,
        top_p: float = GenerateOptions.top_p,
        min_p: float = GenerateOptions.min_p,
        repetition_penalty: float = GenerateOptions.repetition_penalty,
        seed: int = GenerateOptions.seed,
        top: int | None = None,
        edits: Edits = (),
    ) -> Generation:
        """Continue a text until its end, or by `max_new_tokens` tokens.

        prompt: a text or its token ids, of which the generation then contains the text.
        max_new_tokens: the most tokens to add.
        temperature: divides the logits; 0 always takes the likeliest token.
        top_k: how many of the likeliest tokens may be drawn; 0 is off.
        top_p: draw from the likeliest tokens whose probabilities add up to this; 1 is off.
        min_p: smallest probability of a token that may be drawn, relative to the likeliest; 0 is off.
        repetition_penalty: makes tokens of the context less likely; 1 is off.
        seed: of the random numbers; equal seeds draw equal tokens on the same adapter.
        top: likeliest tokens in each step's record, by default 8.
        edits: what to change in every pass, as for `run`. Positions count in the text from 0, negative ones back from
        the end of `prompt`.

        A text longer than the context is cut to its last `context` tokens before every pass.
        Raises `UsageError` for a value out of range, `PromptError` for text that is not UTF-8.

        >>> generation = model.generate("Once upon a time", max_new_tokens=4, temperature=0)
        >>> generation.text
        'Once upon a time, there was a'
        >>> [candidate.text for candidate in generation.steps[1].top[:3]]
        [' there', ' in', ' a']
        """
        options = GenerateOptions(
            max_new_tokens=max_new_tokens,
            context=self.context,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
            top=min(GenerateOptions.top, self.config.vocabulary) if top is None else top,
        )
        tokens = self._texts.ids(prompt)
        text = prompt if isinstance(prompt, str) else self.tokenizer.decode(tokens)
        options.checked(self.context, self.config.vocabulary)
        limit = max(1, len(tokens) + max_new_tokens - 1)
        with self._in_use(), edited(self._engine, edits_of(edits), tokens, limit) as resolved:
            made = generator.Generation(
                self._engine, self.tokenizer, text, options, prompt_tokens=tokens, edits=resolved
            )
            made.run()
            report = report_of(self._engine)
        assert made.stop_reason is not None
        return Generation(text, made.continuation, made.tokens, made.steps, made.stop_reason, report)

    def score(self, text: str | Sequence[int], *, edits: Edits = ()) -> Score:
        """Log probability, rank and entropy of every token after the first, and the perplexity.

        text: of any length; one longer than the context is run in contexts that overlap by half, so that every token is
        predicted from at least half a context.
        edits: what to change in every pass, as for `run`.
        Raises `UsageError` for a list without token ids, `PromptError` for text that is not UTF-8.

        >>> score = model.score("Once upon a time")
        >>> [token.text for token in score.tokens], score.tokens[0].logprob, score.tokens[3].rank
        (['Once', ' upon', ' a', ' time'], None, 1)
        """
        tokens, config = self._texts.ids(text), self.config
        sizes = {"context": self.context, "positions": config.positions, "vocabulary": config.vocabulary}
        with self._in_use(), edited(self._engine, edits_of(edits), tokens, len(tokens)):
            found = list(predictions(self._passes, tokens, **sizes))
            report = report_of(self._engine)
        fits = self._tokenizer.vocabulary == config.vocabulary
        return scored(tokens, found, [self._tokenizer.token_text(token) if fits else "" for token in tokens], report)

    def explain(self, prompt: str | Sequence[int], name: str, index: Sequence[int]) -> Formula:
        """How one element was computed in a pass over a text: the largest terms of its sum, and where they come from.

        prompt: a text or its token ids.
        name: an activation, or `attn.q`, `attn.k`, `attn.v`, `attn.scores` or `attn.pattern` of a block, or the logits.
        index: (token, column), (head, query, key) for patterns and scores, (token, vocabulary id) for the logits.

        Raises `UsageError` for a text that is too long or an index that does not exist, `TensorNameError` for an
        unknown name or a weight.

        >>> print(model.explain("Once upon a time", "h.3.mlp.c_fc", (3, 12)).operator)
        mlp.c_fc.bias[12] + sum of ln_2[3, :] * mlp.c_fc.weight[12, :]
        """
        tokens = self._texts.fitting(prompt, self.context, self.config.positions)
        with self._in_use():
            if self._formulas is None:
                self._formulas = FormulaPass(self._engine)
            return explained(self._passes, self._formulas, self._names, tokens, name, index)

    def lens(
        self,
        text: str | Sequence[int],
        *,
        top: int = DEFAULT_TOP,
        target: str | int | None = None,
        lens_file: Path | str | None = None,
        edits: Edits = (),
    ) -> Lens:
        """The logit lens: what the model would predict after each block, at every position.

        top: likeliest tokens of each cell, up to 100. target: a token whose logit and rank are wanted: an id, text that
        is one token, or "id:11". lens_file: a tuned or Jacobian lens, a .npz or .safetensors file.
        edits: what to change in the pass, as for `run`.

        Raises `UsageError` for a text longer than the context or a target that is not one token, `CheckpointError` for
        a lens file that cannot be read or belongs to another model.

        >>> lens = model.lens("Once upon a time", target=",")
        >>> lens.points[0], lens.points[-1], lens.top_tokens.shape
        ('embed.sum', 'h.7.resid_post', (9, 4, 5))
        >>> [model.tokenizer.token_text(token) for token in lens.top_tokens[-1, :, 0]]
        [' upon', ' a', ' time', ',']
        """
        tokens = self._texts.fitting(text, self.context, self.config.positions)
        wanted = None if target is None else self._texts.token(target, "target")
        with self._in_use(), edited(self._engine, edits_of(edits), tokens, len(tokens)) as resolved:
            # Edits of weights change what a lens reads with.
            lens = LensPass(self._engine) if resolved else self._lens or LensPass(self._engine)
            self._lens = self._lens if resolved else lens
            return lens_of(self._engine, self._passes, lens, tokens, wanted, top, lens_file)

    def attribute(
        self,
        text: str | Sequence[int],
        *,
        target: str | int,
        against: str | int | None = None,
        position: int = -1,
        edits: Edits = (),
    ) -> Attribution:
        """Direct logit attribution: how much each head, MLP, bias and embedding adds to the logit of a token.

        target: a token, as for `lens`. against: another one; the difference of the two logits is then split.
        position: of the token after which they are predicted; negative ones count from the end.
        edits: what to change in the pass, as for `run`.

        Raises `UsageError` as `lens`, and for a position outside of the text.

        >>> attribution = model.attribute("Once upon a time", target=",")
        >>> attribution.parts[0].name, attribution.parts[2].name, attribution.parts[2].head
        ('embed.tokens', 'h.0.attn', 0)
        >>> abs(attribution.sum - attribution.logit) < 2e-3
        True
        """
        tokens = self._texts.fitting(text, self.context, self.config.positions)
        wanted = self._texts.token(target, "target")
        other = None if against is None else self._texts.token(against, "against")
        with self._in_use(), edited(self._engine, edits_of(edits), tokens, len(tokens)) as resolved:
            passed = AttributionPass(self._engine) if resolved else self._attribution or AttributionPass(self._engine)
            self._attribution = self._attribution if resolved else passed
            return attribution_of(self._passes, passed, tokens, wanted, other, position, self._engine)
