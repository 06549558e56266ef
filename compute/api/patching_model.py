"""The methods of a model that run many edited copies of a text."""

from __future__ import annotations

from collections.abc import Sequence

from compute.edits.grammar import Edits, edits_of
from compute.gpu.slices import WHOLE, waited
from compute.models.patch_points import RESIDUAL, Over
from compute.patching.sweep import Measure, Progress

from .loaded_model import LoadedModel
from .patching import Ablation, Direction, Patcher, Patching, Replacement


class PatchingModel(LoadedModel):
    """A loaded model, with activation patching and ablation."""

    def patch(
        self,
        clean: str | Sequence[int],
        corrupt: str | Sequence[int],
        *,
        target: str | int,
        against: str | int,
        over: Over = RESIDUAL,
        direction: Direction = "denoise",
        control: bool = False,
        edits: Edits = (),
        progress: Progress | None = None,
    ) -> Patching:
        """Activation patching: which part of one run changes the prediction of another.

        clean, corrupt: texts or token ids, of the same number of tokens. target, against: tokens, as for `lens`; what
        counts is the logit of the one minus that of the other after the last token.
        over: what is patched, one by one: "resid_pre" (the residual stream before a block), "attn" or "mlp" (what
        attention or the MLP adds to it), each at one position; or "heads", the values of one head at all positions.
        direction: "denoise" patches clean activations into the corrupt run, "noise" corrupt ones into the clean run.
        control: also patch with random vectors of the same length.
        edits: in force in both runs, before the patch, as for `run`.
        progress: called after each copy of the text with the number that has run and that of all.

        Many copies of the text share a pass, as many as fit into the context. An exception of `progress`, or Ctrl+C,
        ends the sweep between two passes, and the model can be used again.
        Raises `UsageError` for texts that are too long or of different lengths, or for an edit that does not fit.

        >>> clean, corrupt = "One day, Tom had a ball", "One day, Ben had a ball"
        >>> patching = model.patch(clean, corrupt, target=" Tom", against=" Ben", over="attn")
        >>> patching.values.shape, patching.checks[0].ok
        ((8, 7), True)
        """
        fits = (self.context, self.config.positions)
        texts = (self._texts.fitting(clean, *fits, "clean: "), self._texts.fitting(corrupt, *fits, "corrupt: "))
        tokens = (self._texts.token(target, "target"), self._texts.token(against, "against"))
        wanted = edits_of(edits)
        with self._in_use():
            found = self._patcher.patch(texts, tokens, over, direction, wanted, control=control, progress=progress)
            return waited(self._engine.device, found)

    def ablate(
        self,
        text: str | Sequence[int],
        *,
        target: str | int,
        against: str | int | None = None,
        to: Replacement = "zero",
        edits: Edits = (),
        progress: Progress | None = None,
    ) -> Ablation:
        """How a logit changes without each head and without each MLP, at all positions.

        target: a token, as for `lens`. against: another one; the difference of the two logits is then measured.
        to: what the values become: "zero", or "mean", each head's and MLP's mean over the positions of the text.
        edits, progress: as for `patch`.
        Raises `UsageError` as `patch`.

        >>> ablation = model.ablate("Once upon a time", target=",")
        >>> ablation.heads.shape, ablation.mlps.shape
        ((8, 6), (8,))
        """
        tokens = self._texts.fitting(text, self.context, self.config.positions)
        other = None if against is None else self._texts.token(against, "against")
        measure, wanted = Measure(self._texts.token(target, "target"), other), edits_of(edits)
        with self._in_use():
            return waited(self._engine.device, self._patcher.ablate(tokens, measure, to, wanted, progress))

    @property
    def _patcher(self) -> Patcher:
        return Patcher(self._engine, self._passes, self._activations, WHOLE)
