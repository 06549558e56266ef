"""The edits of the window: a list that the user changes, with undo. The model gets what of it is in force."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from compute.edits.grammar import Edit, EditLike, edit_of
from compute.edits.strength import with_strength

from .requests import ApplyEdits

if TYPE_CHECKING:
    from .state import State

_MOST_UNDO = 200
OFF, SOLO = "off", "solo"


@dataclass(frozen=True)
class Entry:
    """One line of the list. number: stays the same while the entry changes.

    strength: see `with_strength`. note: where values come from that have no text of their own, such as an array.
    """

    number: int
    edit: Edit
    on: bool = True
    strength: float = 1.0
    note: str = ""

    @property
    def text(self) -> str:
        """The edit at full strength, on one line."""
        return str(self.edit)

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What the entry does at its strength, whether it is on or not. Raises `UsageError`."""
        return with_strength(self.edit, self.strength)


@dataclass
class EditList:
    """The entries in order, what is held down, and what is known of their effects.

    chosen: number of the entry that "solo" leaves alone. held: `OFF` or `SOLO` while its key is held. reruns: whether a
    change runs the text again from the first token that it affects, instead of applying from the next token on.
    problems, effects, measures: of entries by number.
    """

    entries: tuple[Entry, ...] = ()
    chosen: int | None = None
    held: str = ""
    reruns: bool = True
    problems: dict[int, str] = field(default_factory=dict)
    effects: dict[int, str] = field(default_factory=dict)
    measures: dict[int, str] = field(default_factory=dict)
    _undo: list[tuple[Entry, ...]] = field(default_factory=list)
    _redo: list[tuple[Entry, ...]] = field(default_factory=list)
    _gesture: object = None  # a slider being dragged: all its changes are one step of undo
    _next: int = 1

    def __len__(self) -> int:
        """The number of entries."""
        return len(self.entries)

    @property
    def can_undo(self) -> bool:
        """True when there is a change to undo."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """True when there is a change to redo."""
        return bool(self._redo)

    @property
    def in_force(self) -> tuple[Entry, ...]:
        """The entries that change the model now."""
        if self.held == OFF:
            return ()
        alone = self.chosen if self.held == SOLO else None
        shown = [one for one in self.entries if (one.on if alone is None else one.number == alone)]
        return tuple(one for one in shown if one.number not in self.problems)

    @property
    def active(self) -> tuple[Edit, ...]:
        """What the entries in force do at their strengths, in order."""
        return tuple(edit for one in self.in_force for edit in one.edits)

    def find(self, number: int | None) -> Entry | None:
        """The entry of that number."""
        return next((one for one in self.entries if one.number == number), None)

    def made(self, edit: Edit, note: str = "", *, on: bool = True, strength: float = 1.0) -> Entry:
        """A new entry, which is not in the list yet."""
        self._next += 1
        return Entry(self._next - 1, edit, on, strength, note)

    def change(self, entries: Iterable[Entry], gesture: object = None) -> None:
        """Replace the entries. gesture: several changes with the same one are undone together."""
        new = tuple(entries)
        if new == self.entries:
            return
        if gesture is None or gesture != self._gesture:
            self._undo = [*self._undo[1 - _MOST_UNDO :], self.entries]
        self._gesture = gesture
        self._redo.clear()
        self._show(new)

    def end_gesture(self) -> None:
        """Let the next change be undone by itself."""
        self._gesture = None

    def undo(self) -> None:
        """Take back the latest change."""
        if self._undo:
            self._redo.append(self.entries)
            self._show(self._undo.pop())
            self._gesture = None

    def redo(self) -> None:
        """Make the change again that was undone last."""
        if self._redo:
            self._undo.append(self.entries)
            self._show(self._redo.pop())
            self._gesture = None

    def _show(self, entries: tuple[Entry, ...]) -> None:
        before = {one.number: one for one in self.entries}
        self.entries, self.measures = entries, {}
        same = {one.number for one in entries if before.get(one.number) == one}
        self.problems = {number: text for number, text in self.problems.items() if number in same}
        self.effects = {number: text for number, text in self.effects.items() if number in same}
        if self.find(self.chosen) is None:
            self.chosen = entries[-1].number if entries else None


def add(state: State, spec: EditLike, note: str = "") -> Entry:
    """Append an edit and apply it; returns its entry. Raises `UsageError` with a message of one line.

    spec: a text, or `("h.3.resid_post +=", array)`; note: where the array comes from.
    """
    edits = state.edits
    entry = edits.made(edit_of(spec), note)
    edits.change((*edits.entries, entry))
    edits.chosen = entry.number
    apply(state)
    return entry


def apply(state: State) -> None:
    """Request that the model take the list as it is now."""
    edits = state.edits
    texts = tuple(text if one.strength == 1 else f"{one.strength:g} of {text}"
                  for one in edits.in_force for text in (one.text,))  # fmt: skip
    state.requests.append(ApplyEdits(texts, edits.reruns))


def update(state: State, number: int, how: Callable[[Entry], Entry], gesture: object = None) -> None:
    """Change the entry of that number by `how`, and apply the list."""
    edits = state.edits
    edits.change((how(one) if one.number == number else one for one in edits.entries), gesture)
    apply(state)


def switch(state: State, number: int, on: bool | None = None) -> None:
    """Switch an entry on or off, by default to the other."""
    update(state, number, lambda one: replace(one, on=not one.on if on is None else on))


def set_strength(state: State, number: int, strength: float, gesture: object = None) -> None:
    """Change the strength of an entry. Raises `UsageError` when it can only be on or off."""
    entry = state.edits.find(number)
    if entry is not None:
        with_strength(entry.edit, strength)
        update(state, number, lambda one: replace(one, strength=strength), gesture)


def rewrite(state: State, number: int, spec: EditLike, gesture: object = None) -> None:
    """Give an entry another edit. Raises `UsageError`."""
    edit = edit_of(spec)
    update(state, number, lambda one: replace(one, edit=edit, note=""), gesture)


def remove(state: State, number: int) -> None:
    """Remove an entry."""
    edits = state.edits
    edits.change(one for one in edits.entries if one.number != number)
    apply(state)


def reorder(state: State, number: int, by: int) -> None:
    """Move an entry down the list by `by`, up by a negative number."""
    entries = list(state.edits.entries)
    at = next((index for index, one in enumerate(entries) if one.number == number), None)
    if at is None:
        return
    entry = entries.pop(at)
    entries.insert(min(max(at + by, 0), len(entries)), entry)
    state.edits.change(entries)
    apply(state)


def clear(state: State) -> None:
    """Remove every entry."""
    state.edits.change(())
    apply(state)


def undo(state: State) -> None:
    """Undo the latest change to the list."""
    state.edits.undo()
    apply(state)


def redo(state: State) -> None:
    """Redo the change to the list that was undone last."""
    state.edits.redo()
    apply(state)


def hold(state: State, what: str) -> None:
    """Switch all edits off (`OFF`), all but the chosen one (`SOLO`), or neither (empty), while a key is held."""
    if state.edits.held != what:
        state.edits.held = what
        apply(state)


def adopt(edits: EditList, given: Sequence[tuple[Edit, str]]) -> None:
    """Replace the list by edits that are in force already, each with its note; they begin a new history."""
    edits.entries = tuple(edits.made(edit, note) for edit, note in given)
    edits.problems, edits.effects, edits.measures = {}, {}, {}
    edits._undo, edits._redo, edits._gesture = [], [], None
    edits.chosen = edits.entries[-1].number if edits.entries else None
