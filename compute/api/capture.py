"""Writes the arrays of a pass to a file, one after another, so that only one or two are in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from compute.edits.resolved import ResolvedEdit
from compute.forward.whole_pass import WholePass
from compute.io.array_files import ArraySpec, check_space, check_suffix, write_npz, write_safetensors
from compute.models.config import ModelConfig
from compute.models.readings import Reading

from .activation_reader import ActivationReader
from .derived import derived
from .names import Names, Scheme, check_scheme, globs_of
from .selection import TOKENS


class Capture:
    """What to write of a pass over `tokens`: arrays for the names and globs `keep`, under the names of `scheme`.

    Logits are written when a name or glob of `keep` matches them. Raises `TensorNameError`, `UsageError`.
    """

    def __init__(self, names: Names, tokens: Sequence[int], keep: str | Iterable[str], scheme: Scheme) -> None:
        check_scheme(scheme)
        globs = globs_of(keep)
        self._names, self._tokens, self._scheme = names, tokens, scheme
        self._readings = names.matching(globs)
        self._logits = names.logits if names.keeps_logits(globs) else None

    def write(
        self,
        path: Path | str,
        passes: WholePass,
        reader: ActivationReader,
        position: int,
        edits: Sequence[ResolvedEdit] = (),
        text_start: int = 0,
    ) -> None:
        """Run the pass, whose first token has this absolute position, and write the file. Blocks.

        edits: those in force, which the file names; text_start: index in the text of the first token.
        Raises `UsageError` for a suffix other than .npz or .safetensors, `OutputError` when the file cannot be written
        or the disk has less space than it needs.
        """
        check_suffix(path)
        specs = self._specs(passes.config)
        check_space(path, sum(spec.nbytes for spec in specs))
        arrays = self._arrays(passes, reader, position, edits, text_start)
        metadata = {"edits": json.dumps([str(edit) for edit in edits])} if edits else None
        if Path(path).suffix.lower() == ".npz":
            write_npz(path, zip((spec.name for spec in specs), arrays, strict=True), metadata)
        else:
            write_safetensors(path, specs, arrays, metadata)

    def _specs(self, config: ModelConfig) -> list[ArraySpec]:
        count = len(self._tokens)
        specs = [ArraySpec(TOKENS, np.dtype(np.int32), (count,))]
        if self._logits is not None:
            specs.append(ArraySpec(self._logits, np.dtype(np.float32), (count, config.vocabulary)))
        for reading in self._named():
            # "tokens", "query" and "key" are all the number of tokens.
            shape = tuple(size if isinstance(size, int) else count for size in reading.shape())
            specs.append(ArraySpec(reading.name, np.dtype(np.float32), shape))
        return specs

    def _named(self) -> Iterator[Reading]:
        """What to read, as the scheme has it."""
        for reading in self._readings:
            yield self._names.in_scheme(reading, self._scheme)

    def _arrays(
        self,
        passes: WholePass,
        reader: ActivationReader,
        position: int,
        edits: Sequence[ResolvedEdit],
        text_start: int,
    ) -> Iterator[np.ndarray]:
        """The arrays in the order of `_specs`; none is referred to here after it has been written."""
        yield np.asarray(self._tokens, np.int32)
        if self._logits is None:
            passes.run(self._tokens, position, text_start=text_start)
        else:
            yield passes.all_logits(self._tokens, position, text_start=text_start)
        for reading in self._named():
            names = [self._names.description.canonical(source) for source in reading.sources]
            found = reader.read(dict.fromkeys(names))
            arrays = [found[name] for name in names]
            pattern = reading.source in self._names.description.patterns
            yield arrays[0] if pattern else derived(reading, *arrays, edits=edits, text_start=text_start)
            del found, arrays
