"""One pass over a text as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from compute.edits.report import NO_EDITS, EditReport
from compute.edits.resolved import ResolvedEdit
from compute.errors import TensorNameError
from compute.io.array_files import write_arrays
from compute.models.readings import Form, Reading

from .derived import derived
from .names import Names, Scheme, check_scheme

Rows = Literal["all", "last"]


class Run(Mapping[str, np.ndarray]):
    """What a pass computed: a mapping from names of tensors to read-only float32 arrays.

    Activations are [tokens, columns], attention patterns and scores [heads, query, key]. TransformerLens names are
    accepted too; under them queries, keys, values and `hook_z` are [tokens, heads, head size] and `hook_scale` is
    [tokens, 1]. With `rows="last"` the token axis and the query axis have length 1, the key axis all keys.

    Iteration goes over what was kept, the logits last. An array that follows from a kept one can be read as well, such
    as the queries when `attn.qkv` was kept. Any other name raises `TensorNameError`, which is a KeyError.

    >>> run = model.run("Once upon a time", keep=["h.0.attn.qkv"])
    >>> list(run)
    ['h.0.attn.qkv', 'logits']
    >>> run["blocks.0.attn.hook_q"].shape
    (4, 6, 32)
    >>> run["h.0.ln_1"]
    Traceback (most recent call last):
    compute.errors.TensorNameError: h.0.ln_1: was not kept; pass keep=["h.0.ln_1"] to run
    """

    def __init__(
        self,
        names: Names,
        tokens: Sequence[int],
        rows: Rows,
        kept: Sequence[Reading],
        arrays: Mapping[str, np.ndarray],
        logits: np.ndarray,
        edits: Sequence[ResolvedEdit] = (),
        report: EditReport = NO_EDITS,
    ) -> None:
        """kept: what the mapping contains; arrays: by the name of the memory; `Model.run` makes all of it."""
        self._edits, self._report = edits, report
        self._names, self._kept, self._arrays = names, kept, arrays
        self._logits = logits
        self._rows = rows
        self._tokens = list(tokens)

    @property
    def tokens(self) -> list[int]:
        """The token ids of the text."""
        return self._tokens

    @property
    def logits(self) -> np.ndarray:
        """float32 [tokens, vocabulary] (one row with `rows="last"`): row t scores the token after token t."""
        return self._logits

    @property
    def edits(self) -> list[str]:
        """The edits of the pass, by their canonical text."""
        return list(self._report.edits)

    @property
    def no_effect(self) -> list[str]:
        """Those of `edits` that changed no value of the pass, which texts of the same length share."""
        return list(self._report.no_effect)

    @property
    def empty_rows(self) -> int:
        """How many attention rows of the pass edits left without a key; their weights are 0."""
        return self._report.empty_rows

    def __getitem__(self, name: str) -> np.ndarray:
        if name == self._names.logits:
            return self._logits
        reading = self._names.find(name)
        found = [self._arrays.get(self._names.description.canonical(source)) for source in reading.sources]
        arrays = [array for array in found if array is not None]
        whole = all(len(array) == len(self._tokens) for array in arrays)
        if len(arrays) < len(found) or (reading.form is Form.SCORES and not whole):
            raise TensorNameError(f'{name}: was not kept; pass keep=["{name}"] to run')
        if reading.source not in self._names.description.outputs:
            return arrays[0]  # a pattern, whose first axis is its heads
        first_row = len(arrays[0]) - 1 if self._rows == "last" else 0
        return derived(reading, *arrays, first_row=first_row, edits=self._edits)

    def __iter__(self) -> Iterator[str]:
        yield from (reading.name for reading in self._kept)
        yield self._names.logits

    def __len__(self) -> int:
        return len(self._kept) + 1

    def __repr__(self) -> str:
        return f"<Run of {len(self._tokens)} tokens, {len(self)} arrays>"

    def save(self, path: Path | str, *, names: Scheme = "atlas") -> None:
        """Write every array of the mapping, and `tokens` (int32, one per row), to a .npz or .safetensors file.

        names: the scheme to write; with "transformerlens" an array without a name there keeps ours.
        Raises `UsageError` for another suffix or scheme, `OutputError` when the file cannot be written.
        """
        check_scheme(names)
        write_arrays(path, self._named(names))

    def _named(self, names: Scheme) -> Iterator[tuple[str, np.ndarray]]:
        tokens = self._tokens[-1:] if self._rows == "last" else self._tokens
        yield "tokens", np.asarray(tokens, np.int32)
        for name in self:
            written = self._names.transformerlens(name) if names == "transformerlens" else name
            yield written, self[written]
