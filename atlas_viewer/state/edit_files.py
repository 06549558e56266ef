"""Lists of edits as text: one edit per line, with a switch and a strength before it. Files and presets contain it.

# a comment
h.2.attn.out[head=4] = 0
off h.1.mlp.gelu[:, 7] *= 0.5
strength 2.5 h.3.resid_post += glad.npy
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from compute.edits.grammar import Edit, parse_edit
from compute.edits.values import Array, ArrayFile
from compute.errors import UsageError
from compute.io.escape import one_line
from compute.io.output_files import write_output

from .edit_list import EditList, Entry

SUFFIX = ".edits"
_HEADING = "# Edits of Tensor Atlas: TARGET OP VALUE, one per line; `off` and `strength NUMBER` may come first."
_LINE = re.compile(r"(?P<off>off\s+)?(?:strength\s+(?P<strength>\S+)\s+)?(?P<edit>.+)", re.DOTALL)
_LONGEST = 1 << 20  # bytes of a file


def line_of(entry: Entry, edit: Edit | None = None) -> str:
    """An entry as a line of text. edit: what stands for an edit whose values have no text."""
    strength = "" if entry.strength == 1 else f"strength {entry.strength:.9g} "
    return f"{'' if entry.on else 'off '}{strength}{entry.edit if edit is None else edit}"


def parse_lines(lines: Sequence[str], edits: EditList, where: str = "") -> list[Entry]:
    """The entries that lines describe, for `edits`. where: begins messages. Raises `UsageError` naming the line."""
    found: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        assert match is not None  # any text is at least an edit
        try:
            found.append(
                edits.made(parse_edit(match["edit"]), on=not match["off"], strength=_strength(match["strength"]))
            )
        except UsageError as error:
            raise UsageError(f"{where}line {number}: {error}") from None
    return found


def _strength(text: str | None) -> float:
    if text is None:
        return 1.0
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= 1e6:
        raise UsageError(f"{one_line(text, 20)} is not a strength; give a number such as 0.5")
    return value


def load(path: str, edits: EditList) -> list[Entry]:
    """The entries of a file. Raises `UsageError`."""
    shown = one_line(path)
    try:
        data = Path(path).expanduser().read_bytes()[: _LONGEST + 1]
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read ({error.strerror})") from None
    if len(data) > _LONGEST:
        raise UsageError(f"{shown}: larger than 1 MB, so it is not a list of edits")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{shown}: not text in UTF-8, so it is not a list of edits") from None
    return parse_lines(text.splitlines(), edits, f"{shown}, ")


def save(path: str, edits: EditList) -> str:
    """Write the list to a file, replacing one, and arrays beside it; returns what was written, in words.

    Raises `OutputError`.
    """
    file = Path(path).expanduser()
    if not file.suffix:
        file = file.with_suffix(SUFFIX)
    lines, arrays = [_HEADING], 0
    for entry in edits.entries:
        edit = entry.edit
        if isinstance(edit.value, Array):
            arrays += 1
            beside = file.with_name(f"{file.stem}.{arrays}.npy")
            _save_array(beside, edit.value.values)
            edit = Edit(edit.target, edit.index, edit.op, ArrayFile(str(beside)))
        lines.append(line_of(entry, edit))
    write_output(file, "".join(f"{line}\n" for line in lines).encode())
    count = "1 edit" if len(edits.entries) == 1 else f"{len(edits.entries)} edits"
    return f"saved {count} in {one_line(str(file))}" + (f", {arrays} arrays beside it" if arrays else "")


def _save_array(path: Path, values: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    write_output(path, buffer.getvalue())


def preset_lines(edits: EditList) -> list[str]:
    """The list as lines for a preset. Raises `UsageError` when an edit has values without a text."""
    for entry in edits.entries:
        if isinstance(entry.edit.value, Array):
            raise UsageError(f"edit {entry.edit.shown}: a preset is text only; save the list as a file instead")
    return [line_of(entry) for entry in edits.entries]
