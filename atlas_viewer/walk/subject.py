"""What a page or a link of a walk is about: all of Map, a part of the model, a tensor, a row, a value, or a panel."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace

LAST = -1  # a row, column or block counted from the end
MIDDLE = -2  # the block in the middle of the model

_WORD = r"last|middle|\d{1,9}"
_TENSOR = re.compile(
    r"(?P<name>[A-Za-z_][\w.]*)"
    rf"(?:\s+head\s+(?P<head>{_WORD}))?"
    r"(?:\s+row\s+(?P<row>last|\d{1,9}))?"
    r"(?:\s*\[(?P<index>[^\[\]]*)\])?"
)
_BLOCK = re.compile(rf"(?:block\s+|h\.)({_WORD})")
_PANEL = re.compile(r"panel\s+(\S.*)")
_PART = re.compile(r"last|\d{1,9}")


class Kind(enum.Enum):
    """The kinds of subjects."""

    WHOLE = "whole"  # everything, on Map
    STRIP = "strip"  # everything, on Strip
    PART = "part"  # the embedding, a block or the head, by its title
    TENSOR = "tensor"
    HEAD = "head"  # one head of an attention pattern
    ROW = "row"  # one row of a tensor, or of a head's pattern
    ELEMENT = "element"  # one value
    PANEL = "panel"


@dataclass(frozen=True)
class Subject:
    """A subject. `LAST` as a row or part of an index is the newest token, or the last row or column of a weight.

    name: of the tensor, the part of the model or the panel; empty for `WHOLE` and `STRIP`. In a tensor's name, `last`
    and `middle` stand for the number of a block.
    """

    kind: Kind
    name: str = ""
    head: int | None = None
    row: int | None = None
    index: tuple[int, ...] = ()
    block: int | None = None  # of a part: its number, `LAST` or `MIDDLE`
    text: str = ""  # as it is written in the file
    others: tuple[Subject, ...] = ()  # alternatives, for models that do not have this one


def parse_subject(text: str) -> Subject:
    """The subject that `text` writes, with alternatives after bars. Raises a `ValueError` that says what is wrong."""
    first, *others = (_one_subject(part) for part in text.split("|"))
    return replace(first, others=tuple(others))


def _one_subject(text: str) -> Subject:
    text = " ".join(text.split())
    if not text:
        raise ValueError("names nothing; write a tensor, `block 3` or `whole`")
    if text in (Kind.WHOLE.value, Kind.STRIP.value):
        return Subject(Kind(text), text=text)
    panel = _PANEL.fullmatch(text)
    if panel:
        return Subject(Kind.PANEL, panel[1], text=text)
    block = _BLOCK.fullmatch(text)
    if block:
        return Subject(Kind.PART, block=_number(block[1]), text=text)
    match = _TENSOR.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a subject; write for example h.3.attn.pattern head 2, wte[12, 3] or block 3')
    return _of_tensor(match, text)


def _of_tensor(match: re.Match[str], text: str) -> Subject:
    name, head, row = match["name"], _number(match["head"]), _number(match["row"])
    if head == MIDDLE:
        raise ValueError(f'"{text}": the head must be a number or last')
    if match["index"] is not None:
        if head is not None or row is not None:
            raise ValueError(f'"{text}": write either an index in brackets, or a head and a row')
        parts = [part.strip() for part in match["index"].split(",")]
        if not all(_PART.fullmatch(part) for part in parts):
            raise ValueError(f'"{text}": an index must consist of numbers or last, separated by commas')
        return Subject(Kind.ELEMENT, name, index=tuple(_number(part) or 0 for part in parts), text=text)
    kind = Kind.ROW if row is not None else Kind.HEAD if head is not None else Kind.TENSOR
    return Subject(kind, name, head, row, text=text)


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    return {"last": LAST, "middle": MIDDLE}[text] if text.isalpha() else int(text)
