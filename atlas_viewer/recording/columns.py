"""The values that each column of a recording may contain. Every row that is read is checked here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import msgspec

from compute.io.value_type import ValueType, one_of, optional, shown, whole
from compute.lens.lens_cells import MAX_TOP
from compute.models.config import ModelConfig

from . import validate
from .records import LOGITS
from .validate import Check, Unsound

_FAMILIES = ("embedding", "weight", "activation", "logits")
_MOST_RUNS = 1_000_000
_MOST_STEPS = 2**31
_MOST_CANDIDATES = 200
_LARGEST_ID = 2**62
_LARGEST_SIZE = 2**32 - 1


@dataclass(frozen=True)
class Column:
    """A column. `check` returns the value to use or raises ValueError.

    substitute: replaces a damaged value when a recording is salvaged; None if the row is useless without the value.
    """

    check: Check
    substitute: Callable[[object], Any] | None = None


@dataclass(frozen=True)
class Table:
    """The columns read from one table, in row order. `key`: the columns that identify a row."""

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]

    def query(self, tail: str = "") -> str:
        """The SELECT statement for these columns; `tail` selects and sorts the rows."""
        return f"SELECT {', '.join(self.columns)} FROM {self.name} {tail}"

    @cached_property
    def _type(self) -> type[msgspec.Struct]:
        """The types of all columns. Converting a whole row is much faster than converting its values one by one."""
        types = [
            (name, column.check.type if isinstance(column.check, ValueType) else Any)
            for name, column in self.columns.items()
        ]
        return msgspec.defstruct(self.name, types, array_like=True)

    @cached_property
    def _refinements(self) -> list[tuple[int, Check]]:
        """The checks that follow the type check, each with its column's index."""
        checks = [column.check for column in self.columns.values()]
        refinements = (check.refine if isinstance(check, ValueType) else check for check in checks)
        return [(index, refine) for index, refine in enumerate(refinements) if refine is not None]

    def checked(self, row: Sequence[object]) -> list[Any]:
        """The checked values of `row`. Raises `Unsound`, which names the row, the column and the fault."""
        return self._values(row, substitute=False)[0]

    def salvaged(self, row: Sequence[object]) -> tuple[list[Any], bool]:
        """Like `checked`, but with damaged values replaced where possible; also whether any were replaced."""
        return self._values(row, substitute=True)

    def row_name(self, row: Sequence[object]) -> str:
        """The name of the row in a message: its table and key."""
        known = dict(zip(self.columns, row, strict=True))
        return ", ".join([self.name, *(f"{name} {shown(known[name])}" for name in self.key)])

    def _values(self, row: Sequence[object], *, substitute: bool) -> tuple[list[Any], bool]:
        try:
            values = list(msgspec.structs.astuple(msgspec.convert(row, self._type, builtin_types=(bytes,))))
            for index, refine in self._refinements:
                values[index] = refine(values[index])
        except (msgspec.ValidationError, ValueError):
            return self._values_one_by_one(row, substitute=substitute)
        return values, False

    def _values_one_by_one(self, row: Sequence[object], *, substitute: bool) -> tuple[list[Any], bool]:
        """Check a damaged row value by value, to find the damaged column."""
        values, damaged = [], False
        for name, column, value in zip(self.columns, self.columns.values(), row, strict=True):
            try:
                values.append(column.check(value))
            except ValueError as error:
                if column.substitute is None or not substitute:
                    raise Unsound(f"{self.row_name(row)}, {name}: {error}") from None
                values.append(column.substitute(value))
                damaged = True
        return values, damaged


def _always(value: Any) -> Callable[[object], Any]:
    return lambda _: value


_LINE = Column(validate.line, validate.printable)
_FIGURE = Column(validate.real, _always(float("nan")))
_SHARE = Column(validate.share, _always(float("nan")))
_SECONDS = Column(validate.seconds, _always(0.0))
_RUN = whole(1, _MOST_RUNS)
_STEP = whole(0, _MOST_STEPS)
_MAYBE_RUN = Column(optional(_RUN), _always(None))
_MAYBE_STEP = Column(optional(_STEP), _always(None))
_ID = Column(whole(-_LARGEST_ID, _LARGEST_ID))

_SIZES = ("layers", "heads", "channels", "positions", "vocabulary", "padded_vocabulary")

HEAD = Table(
    "session",
    (),
    {
        "created": _LINE,
        "program": _LINE,
        "model": _LINE,
        "architecture": Column(validate.line),
        "weights_sha256": _LINE,
        **{name: Column(validate.size(name)) for name in _SIZES},
        "end_of_text": Column(whole(0, _LARGEST_SIZE)),
        "weights": _LINE,
        "kernels": _LINE,
        "adapter": _LINE,
        "driver": _LINE,
        "shaders_sha256": _LINE,
        "versions": Column(validate.lines, _always({})),
    },
)
# What a recording of version 1 has of it.
HEAD_1 = replace(HEAD, columns={name: column for name, column in HEAD.columns.items() if name != "architecture"})
TENSORS = Table(
    "tensors",
    ("id",),
    {
        "id": _ID,
        "name": Column(validate.line),
        "family": Column(one_of(_FAMILIES)),
        "rows": Column(optional(whole(1, _LARGEST_SIZE))),
        "columns": Column(whole(1, _LARGEST_SIZE)),
    },
)
TOKENS = Table("tokens", ("id",), {"id": Column(whole(0, _LARGEST_SIZE)), "bytes": Column(validate.token_text)})
EVENTS = Table(
    "events",
    ("id",),
    {
        "id": _ID,
        "time": Column(validate.seconds),
        "run": Column(optional(_RUN)),
        "step": Column(optional(_STEP)),
        "kind": Column(validate.line),
        "json": Column(validate.mapping),
    },
)
CAMERAS = Table(
    "cameras",
    ("id",),
    {
        "id": _ID,
        "time": Column(validate.seconds),
        "run": Column(optional(_RUN)),
        "step": Column(optional(_STEP)),
        "view": Column(validate.line),
        "json": Column(validate.mapping),
    },
)
WEIGHTS = Table("tensors", ("id",), {"id": _ID, "name": Column(validate.line), "statistics": Column(validate.blob)})


class RunTables:
    """The tables whose values are limited by the recorded model's sizes."""

    def __init__(self, sizes: ModelConfig) -> None:
        token = Column(whole(0, sizes.vocabulary - 1))
        count = Column(whole(0, sizes.padded_vocabulary), _always(0))  # a count of logits
        number = Column(whole(1, _LARGEST_ID), _always(0))  # no row has this id
        self.options = Table("options", ("id",), {"id": _ID, "json": Column(partial(validate.options, sizes=sizes))})
        self.edits = _edits_table()
        self.runs = Table(
            "runs",
            ("id",),
            {
                "id": Column(_RUN),
                "parent": _MAYBE_RUN,
                "fork_step": _MAYBE_STEP,
                "started": _SECONDS,
                "prompt": Column(validate.text, validate.readable),
                "prompt_tokens": Column(partial(validate.tokens, vocabulary=sizes.vocabulary)),
                "options": number,
                "logits": Column(one_of(tuple(LOGITS))),
                "statistics": Column(validate.switch, _always(True)),
                "stop_reason": Column(optional(validate.line), _always(None)),
            },
        )
        self.steps = Table(
            "steps",
            ("run", "step"),
            {
                "run": Column(_RUN),
                "step": Column(_STEP),
                "time": _SECONDS,
                "options": number,
                "token": token,
                "context_start": Column(_STEP),
                "context_length": Column(whole(1, sizes.positions)),
                "logit": _FIGURE,
                "probability": _SHARE,
                "model_probability": _SHARE,
                "rank": count,
                "forward_ms": _FIGURE,
                "entropy": _FIGURE,
                "highest": _FIGURE,
                "log_total": _FIGURE,
                "scaled_log_total": _FIGURE,
                "kept": count,
                "nonfinite": count,
            },
        )
        self.candidates = _candidates_table(token)
        self.lens = _lens_table(sizes)
        named = ("run", "step", "top")
        self.lens_tops = replace(self.lens, columns={name: self.lens.columns[name] for name in named})
        self.lens_files = _lens_files_table()
        short = {name: column for name, column in self.lens_files.columns.items() if name != "data"}
        self.lens_file_names = replace(self.lens_files, columns=short)


def _lens_table(sizes: ModelConfig) -> Table:
    return Table(
        "lens",
        ("run", "step"),
        {
            "run": Column(_RUN),
            "step": Column(_STEP),
            "positions": Column(whole(1, sizes.positions)),
            "top": Column(whole(1, min(MAX_TOP, sizes.vocabulary))),
            "data": Column(validate.blob),
        },
    )


def _lens_files_table() -> Table:
    line = Column(validate.line)
    return Table(
        "lens_files",
        ("point",),
        {"point": line, "file": line, "data": Column(validate.blob)},
    )


def _candidates_table(token: Column) -> Table:
    return Table(
        "candidates",
        ("run", "step", "place"),
        {
            "run": Column(_RUN),
            "step": Column(_STEP),
            "place": Column(whole(1, _MOST_CANDIDATES)),
            "token": token,
            "logit": _FIGURE,
            "scaled_delta": _FIGURE,
            "probability": _SHARE,
            "model_probability": _SHARE,
        },
    )


def _edits_table() -> Table:
    size = Column(whole(1, _LARGEST_SIZE))
    return Table(
        "edits",
        ("id",),
        {
            "id": _ID,
            "edit": Column(validate.edit),
            "prompt": size,
            "tokens": size,
            "rows": size,
            "parts": size,
            "columns": size,
            "data": Column(validate.blob),
        },
    )
