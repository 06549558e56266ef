"""Checks layout text that imgui wrote, because imgui crashes on damaged text.

The text is parsed and written again from the parsed values, so imgui reads only what this module has understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field

DOCK_SPACE = 0x0966DF3F  # id of the dock space that fills the window; saved layouts contain it
_MOST = 250  # limit on sections, dock nodes and columns of a table
_SIDE = 32_767  # pixels: imgui stores sizes and positions in 16 bits
_NAME = re.compile(r"[^\x00-\x1f\[\]]{1,200}")
_ID = re.compile(r"0x[0-9A-F]{8}")
# Exactly as imgui writes it: imgui parses numbers with %i, which reads 010 as 8, and 08 as 0 followed by garbage.
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,9}")
_WORD = re.compile(r"[A-Za-z]{1,30}=\S{1,40}")


def checked(text: str) -> str:
    """`text` in a form that is safe for imgui, without the parts that this program does not use; empty if empty.

    Raises a `ValueError` that describes what is wrong with it.
    """
    if not text.strip():
        return ""
    sections: dict[str, list[str]] = {}
    for head, lines in _sections(text):
        if head in sections:
            raise ValueError(f"contains {head} twice")
        sections[head] = lines
    if "[Docking][Data]" not in sections:
        raise ValueError("has no docked panels")
    nodes = _docking(sections["[Docking][Data]"])
    docks = {name for name, node in nodes.items() if not node.children}
    kept: list[str] = []
    for head, lines in sections.items():
        kind, _, name = head[1:-1].partition("][")
        if kind == "Window":
            kept += [head, *_window(lines, docks), ""]
        elif kind == "Table":
            kept += [head, *_table(name, lines), ""]
        elif head == "[Docking][Data]":
            kept += [head, *map(_node_line, nodes.values()), ""]
    return "\n".join([*kept, ""])


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each section: its heading `[kind][name]`, and the lines after it."""
    lines: list[str] = []
    head, count = "", 0
    for line in text.split("\n"):
        if line.startswith("["):
            if head:
                yield head, lines
            parts = line.removeprefix("[").removesuffix("]").split("][", 1)
            if not line.endswith("]") or len(parts) != 2 or not all(map(_NAME.fullmatch, parts)):
                raise ValueError(f"has an invalid heading, {line[:40]!r}")
            head, lines, count = line, [], count + 1
            if count > _MOST:
                raise ValueError("has too many sections")
        elif line.strip():
            if not head:
                raise ValueError("does not begin with a heading")
            lines.append(line)
    if head:
        yield head, lines


def _whole(low: int, high: int) -> Callable[[str], bool]:
    return lambda value: _NUMBER.fullmatch(value) is not None and low <= int(value) <= high


def _pair(low: int) -> Callable[[str], bool]:
    part = _whole(low, _SIDE)
    return lambda value: value.count(",") == 1 and all(map(part, value.split(",")))


def _id(value: str) -> bool:
    return _ID.fullmatch(value) is not None


def _id_of_something(value: str) -> bool:
    """An id other than 0, for entries that imgui drops when the id is 0."""
    return _id(value) and int(value, 16) != 0


def _decimal(low: float, high: float) -> Callable[[str], bool]:
    return lambda value: re.fullmatch(r"-?[0-9]{1,6}(\.[0-9]{1,6})?", value) is not None and low <= float(value) <= high


_POSITION, _SIZE, _SWITCH = _pair(-_SIDE), _pair(0), _whole(0, 1)
_WINDOW_WORDS: dict[str, Callable[[str], bool]] = {
    "Pos": _POSITION,
    "Size": _SIZE,
    "Collapsed": _SWITCH,
    "IsChild": _SWITCH,
    "DockId": lambda value: _id(value.split(",")[0]) and (value.count(",") == 0 or _whole(-1, _MOST)(value[11:])),
    "LastUsed": _whole(0, 99_999_999),
}
_COLUMN_WORDS: dict[str, Callable[[str], bool]] = {
    "UserID": lambda value: re.fullmatch(r"[0-9A-F]{8}", value) is not None,
    "Width": _whole(-1, _SIDE),  # -1: not known yet
    "Weight": _decimal(-1, 1e4),
    "Visible": _SWITCH,
    "Order": _whole(0, _MOST),
    "Sort": lambda value: re.fullmatch(r"[0-9]{1,2}[v^]", value) is not None,
    "ID": _id,
}
_NODE_WORDS: dict[str, Callable[[str], bool]] = {
    "ID": _id_of_something,
    "Parent": _id_of_something,
    "Window": _id_of_something,
    "Pos": _POSITION,
    "Size": _SIZE,
    "SizeRef": _SIZE,
    "Split": lambda value: value in ("X", "Y"),
    **dict.fromkeys(
        ("NoResize", "CentralNode", "NoTabBar", "HiddenTabBar", "NoWindowMenuButton", "NoCloseButton"), _SWITCH
    ),
    "Selected": _id,
}


def _words(words: Iterable[str], known: dict[str, Callable[[str], bool]]) -> dict[str, str]:
    """The values of all `Name=value` entries with a known name; a newer imgui may write others."""
    values: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not _WORD.fullmatch(word) or name in values or (name in known and not known[name](value)):
            raise ValueError(f"has an invalid entry {word[:40]!r}")
        if name in known:
            values[name] = value
    return values


def _written(words: dict[str, str], order: Iterable[str]) -> list[str]:
    return [f"{name}={words[name]}" for name in order if name in words]


def _window(lines: list[str], docks: Container[str]) -> list[str]:
    """A window. It floats if its dock is not in `docks`, because imgui crashes when it cannot find a dock."""
    words = _words(lines, _WINDOW_WORDS)
    if words.get("DockId", "").split(",")[0] not in docks:
        words.pop("DockId", None)
    return _written(words, _WINDOW_WORDS)


def _table(name: str, lines: list[str]) -> list[str]:
    """A table's columns: each at most once, and each at its own position."""
    match = re.fullmatch(r"0x[0-9A-F]{8},([1-9][0-9]{0,2})", name)
    columns = int(match[1]) if match else 0
    if not 1 <= columns <= _MOST:
        raise ValueError(f"has an invalid table, {name[:40]!r}")
    own = _words((line for line in lines if not line.startswith("Column ")), _TABLE_WORDS)
    written, numbers, orders = _written(own, ("RefScale",)), [-1], []
    for line in lines:
        if line.startswith("Column "):
            _, number, *rest = [*line.split(), ""]
            if not _NUMBER.fullmatch(number) or not numbers[-1] < int(number) < columns:
                raise ValueError(f"has an invalid column, {line[:40]!r}")
            words = _words(rest[:-1], _COLUMN_WORDS)
            numbers.append(int(number))
            orders += [int(words["Order"])] if "Order" in words else []
            written.append(" ".join([f"Column {number:<2}", *_written(words, _COLUMN_WORDS)]))
    if len(set(orders)) < len(orders) or max(orders, default=0) >= columns:
        raise ValueError("has a table with two columns at one position")
    return [*written, *_written(own, ("LastUsed",))]


_TABLE_WORDS: dict[str, Callable[[str], bool]] = {"RefScale": _decimal(1, 1000), "LastUsed": _whole(0, 99_999_999)}


@dataclass
class _Node:
    words: dict[str, str]
    is_space: bool
    parent: _Node | None
    children: list[str] = field(default_factory=list)

    @property
    def depth(self) -> int:
        return self.parent.depth + 1 if self.parent else 0

    @property
    def root(self) -> _Node:
        return self.parent.root if self.parent else self


def _docking(lines: list[str]) -> dict[str, _Node]:
    """The dock nodes as trees. A parent comes before its children: none, or two and the direction of the split."""
    nodes: dict[str, _Node] = {}
    for line in lines:
        kind, *rest = line.split()
        words = _words(rest, _NODE_WORDS)
        name = words.get("ID", "")
        if kind not in ("DockSpace", "DockNode") or not name or name in nodes or len(nodes) >= _MOST:
            raise ValueError(f"has an invalid dock node, {line.strip()[:60]!r}")
        parent = nodes.get(words["Parent"]) if "Parent" in words else None
        if "Parent" in words:
            if parent is None or kind == "DockSpace" or "SizeRef" not in words:
                raise ValueError(f"has a dock node {name} without a valid parent")
            parent.children.append(name)
        elif not {"Pos", "Size"} <= words.keys():
            raise ValueError(f"has a dock node {name} without a position")
        nodes[name] = _Node(words, kind == "DockSpace", parent)
    for name, node in nodes.items():
        if len(node.children) != (2 if "Split" in node.words else 0):
            raise ValueError(f"has a dock node {name} with {len(node.children)} children")
    spaces = [name for name, node in nodes.items() if node.is_space]
    centers = [node for node in nodes.values() if node.words.get("CentralNode") == "1"]
    # Panels in another dock space would be lost, and imgui cannot start a dock space inside part of another.
    space = f"0x{DOCK_SPACE:08X}"
    if spaces != [space] or len(centers) != 1 or centers[0].root is not nodes[space] or centers[0].children:
        raise ValueError("does not have exactly one central dock node")
    return nodes


def _node_line(node: _Node) -> str:
    order = [name for name in _NODE_WORDS if name not in (("Pos", "Size", "Window") if node.depth else ("SizeRef",))]
    return " ".join(["  " * node.depth + ("DockSpace" if node.is_space else "DockNode"), *_written(node.words, order)])
