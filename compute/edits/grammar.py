"""The text of an edit, `TARGET OP VALUE`, as in `h.3.attn.out[head=4] = 0`, parsed without knowing the model."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from compute.errors import UsageError
from compute.io.escape import one_line

from .values import Array, ArrayFile, FileMean, FromRun, Mean, Number, Value

OPERATORS = ("=", "+=", "*=")
NAMES = ("pos", "head", "key")

_TARGET = re.compile(r"\s*(?P<name>[\w.]+)\s*(?:\[(?P<index>[^\]]*)\])?\s*", re.ASCII)
_OPERATOR = re.compile(r"(?P<op>\+=|\*=|=)\s*(?P<value>.*)", re.DOTALL)
_PART = re.compile(r"(?:(?P<name>\w+)\s*=)?\s*(?P<range>[^=]*)", re.ASCII)
_RANGE = re.compile(r"\s*(-?\d+)?\s*(?:(:)\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|inf|nan)", re.ASCII | re.IGNORECASE)
_PATH = r"""(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"',()*]+))"""
_FILE = re.compile(rf"(?:(?P<scale>[^\s*]+)\s*\*\s*)?{_PATH}")
_SCALED = re.compile(rf"(?:(?P<scale>{_NUMBER.pattern})\s*\*\s*)?(?P<source>(?:mean|run)\b.*)", re.ASCII | re.DOTALL)
_MEAN = re.compile(rf"mean\s*\(\s*{_PATH}\s*\)")
_RUN = re.compile(rf"run\s*\(\s*{_PATH}\s*,\s*(?P<step>\d+)\s*\)")
_VALUES = "give a number, a .npy file, mean, mean(F.npz) or run(F.atlas, STEP)"
_LONGEST = 120  # characters of an edit in a message
_MOST_DIGITS = 9  # of a number in an index


@dataclass(frozen=True)
class Range:
    """The part of an index that selects along one axis: one number, or a slice as in NumPy.

    name: "pos", "head" or "key", None for an index without names. single: `first` alone.
    """

    first: int | None = None
    end: int | None = None
    step: int = 1
    single: bool = False
    name: str | None = None

    def __str__(self) -> str:
        if self.single:
            text = str(self.first)
        else:
            text = f"{'' if self.first is None else self.first}:{'' if self.end is None else self.end}"
            text += "" if self.step == 1 else f":{self.step}"
        return text if self.name is None else f"{self.name}={text}"


@dataclass(frozen=True)
class Edit:
    """One edit as it was written. `str` gives its canonical text, which `parse_edit` reads."""

    target: str
    index: tuple[Range, ...]
    op: str
    value: Value

    def __str__(self) -> str:
        index = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        return f"{self.target}{index} {self.op} {self.value}"

    @property
    def shown(self) -> str:
        """The text on one line for messages, shortened when it is long."""
        return one_line(str(self), _LONGEST)


EditLike: TypeAlias = str | Edit | Sequence[Any]
Edits: TypeAlias = EditLike | Iterable[EditLike]


def edits_of(given: Edits) -> tuple[Edit, ...]:
    """The edits that a caller gives: texts, `Edit`s, or pairs of `TARGET OP` and a number or array.

    Raises `UsageError`.
    """
    if isinstance(given, (str, Edit)):
        return (edit_of(given),)
    if not isinstance(given, Iterable):
        raise UsageError(f"edits={one_line(repr(given), 40)}: must be a list of edits")
    return tuple(edit_of(one) for one in given)


def edit_of(given: EditLike) -> Edit:
    """One edit: its text, an `Edit`, `("TARGET OP", value)`, or `("TARGET", "OP", value)`. Raises `UsageError`."""
    if isinstance(given, Edit):
        return given
    if isinstance(given, str):
        return parse_edit(given)
    parts = list(given) if isinstance(given, (tuple, list)) else []
    if len(parts) not in (2, 3) or not all(isinstance(part, str) for part in parts[:-1]):
        raise UsageError(
            f'{one_line(repr(given), 40)}: not an edit; give its text, or a pair such as ("h.3.resid_post +=", vector)'
        )
    text = " ".join(parts[:-1])
    if isinstance(parts[-1], str):
        return parse_edit(f"{text} {parts[-1]}")
    name, index, op, rest = _split(text)
    if rest.strip():
        raise UsageError(f"{_shown(text)}: has a value already; a pair gives the value after the text")
    return Edit(name, index, op, _python_value(text, parts[-1]))


def parse_edit(text: str) -> Edit:
    """The edit that `text` describes. Raises `UsageError` with a message of one line."""
    name, index, op, value = _split(text)
    return Edit(name, index, op, _value(text, value.strip()))


def _split(text: str) -> tuple[str, tuple[Range, ...], str, str]:
    target = _TARGET.match(text)
    if target is None:
        raise UsageError(f"{_shown(text)}: not an edit; write TARGET OP VALUE, such as h.3.attn.out[head=4] = 0")
    rest = _OPERATOR.fullmatch(text, target.end())
    if rest is None:
        raise UsageError(
            f"{_shown(text)}: no operator after {one_line(target[0].strip())}; write = (set), += (add) or *= (scale)"
        )
    return target["name"], _index(text, target["index"]), rest["op"], rest["value"]


def _index(text: str, index: str | None) -> tuple[Range, ...]:
    if index is None:
        return ()
    parts = tuple(_range(text, part) for part in index.split(","))
    names = [part.name for part in parts]
    if any(name is not None for name in names):
        if None in names:
            raise UsageError(f"{_shown(text)}: mixes named and unnamed indices; name all or none")
        for name in names:
            if name not in NAMES:
                raise UsageError(f"{_shown(text)}: {name} is not an axis; the names are pos, head and key")
        if len(set(names)) < len(names):
            raise UsageError(f"{_shown(text)}: names an axis twice")
    return parts


def _range(text: str, part: str) -> Range:
    match = _PART.fullmatch(part.strip())
    found = _RANGE.fullmatch(match["range"]) if match else None
    if match is None or found is None or not match["range"].strip():
        raise UsageError(f"{_shown(text)}: {one_line(part.strip()) or 'an empty part'} is not an index; give 3 or 2:5")
    if any(number is not None and len(number.lstrip("-")) > _MOST_DIGITS for number in found.group(1, 3, 4)):
        raise UsageError(f"{_shown(text)}: {one_line(part.strip(), 20)} is out of range")
    first, end, step = (None if number is None else int(number) for number in found.group(1, 3, 4))
    if found[2] is None:
        return Range(first, None, 1, single=True, name=match["name"])
    if step is not None and step < 1:
        raise UsageError(f"{_shown(text)}: the step of {one_line(part.strip())} must be at least 1")
    return Range(first, end, 1 if step is None else step, name=match["name"])


def _value(text: str, value: str) -> Value:
    if not value:
        raise UsageError(f"{_shown(text)}: has no value; {_VALUES}")
    if _NUMBER.fullmatch(value):
        return _number(text, float(value))
    if scaled := _SCALED.fullmatch(value):
        source = scaled["source"]
        if source == "mean":
            return Mean(_scale(text, scaled["scale"]))
        if match := _MEAN.fullmatch(source):
            return FileMean(_suffixed(text, _path(match), ".npz"), _scale(text, scaled["scale"]))
        if match := _RUN.fullmatch(source):
            return FromRun(_path(match), int(match["step"]), _scale(text, scaled["scale"]))
    match = _FILE.fullmatch(value)
    if match is None or (match["scale"] is not None and not _NUMBER.fullmatch(match["scale"])):
        raise UsageError(f"{_shown(text)}: {one_line(value, 40)} is not a value; {_VALUES}")
    return ArrayFile(_suffixed(text, _path(match), ".npy"), _scale(text, match["scale"]))


def _scale(text: str, number: str | None) -> float:
    """The factor before a source of values, 1 without one."""
    scale = 1.0 if number is None else _number(text, float(number)).value
    if np.isinf(scale):
        raise UsageError(f"{_shown(text)}: a vector cannot be scaled by infinity")
    return scale


def _python_value(text: str, value: object) -> Value:
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError
    except (TypeError, ValueError):
        raise UsageError(f"{_shown(text)}: {one_line(repr(value), 40)} is neither a number nor an array") from None
    if array.ndim == 0:
        return _number(text, float(array))
    with np.errstate(over="ignore"):
        values = np.array(array, np.float32)
    values.flags.writeable = False
    return Array(values)


def _number(text: str, value: float) -> Number:
    """A number that float32 can express, or an infinity."""
    if np.isnan(value):
        raise UsageError(f"{_shown(text)}: the value is NaN; give a number")
    if np.isfinite(value) and abs(value) > float(np.finfo(np.float32).max):
        raise UsageError(f"{_shown(text)}: {value:g} is out of the range of float32")
    return Number(value)


def _path(match: re.Match[str]) -> str:
    return next(path for path in match.group("double", "single", "bare") if path is not None)


def _suffixed(text: str, path: str, suffix: str) -> str:
    if os.path.splitext(path)[1].lower() != suffix:
        raise UsageError(f"{_shown(text)}: {one_line(path, 40) or 'an empty path'} is not a {suffix} file; {_VALUES}")
    return path


def _shown(text: str) -> str:
    return f"edit {one_line(' '.join(text.split()), _LONGEST)}"
