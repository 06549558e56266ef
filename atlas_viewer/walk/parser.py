"""Reads walk files. docs/walks.md describes the format; every error names the file and the line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from compute.errors import WalkError
from compute.io.escape import escaped, one_line
from compute.io.system_errors import read_errors_as

from .pages import Page, Piece, Walk
from .placeholders import check
from .subject import Kind, Subject, parse_subject

MOST_WORDS, MOST_CHARACTERS = 60, 1000  # on a page
MOST_PAGES = 200
_MOST_BYTES = 1 << 20
_TITLE = 60  # characters
_MOST_TOKENS, _MOST_HOLD = 1000, 600
_QUOTED = 40  # characters of a line that a message repeats
_SETTING = re.compile(r"(\w+):\s*(.*)")
_LINK = re.compile(r"\[([^\[\]]*)\]\(([^()]*)\)")
_OPENED = re.compile(r"\[[^\[\]]*\]\(")
_SETTINGS = ("look", "panel", "run", "hold", "needs")


def read_walk(path: Path) -> Walk:
    """The walk in a file. Raises a `WalkError` that names the file, the line and what is wrong."""
    shown = one_line(path)
    with read_errors_as(WalkError, shown, "give a walk file"), path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise WalkError(f"{shown}: larger than 1 MB; a walk is a short text file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise WalkError(f"{shown}:{line}: not UTF-8 text; save it as UTF-8") from None
    return parse_walk(text, shown)


def parse_walk(text: str, file: str) -> Walk:
    """The walk that `text` writes. file: its name in messages. Raises a `WalkError` that names the line."""
    return _Parser(file).walk(text)


@dataclass
class _Draft:
    """A page while it is read."""

    title: str
    line: int
    settings: dict[str, tuple[str, int]] = field(default_factory=dict)
    paragraphs: list[list[Piece]] = field(default_factory=list)
    open: bool = False  # the next line continues the last paragraph
    words: int = 0
    characters: int = 0


class _Parser:
    """Reads one file line by line."""

    def __init__(self, file: str) -> None:
        self._file, self._line = file, 0

    def walk(self, text: str) -> Walk:
        """The whole walk."""
        title, drafts = "", list[_Draft]()
        for self._line, raw in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
            line = raw.replace("\t", " ").strip()
            if escaped(line) != line:
                self._fail(f"a character that is not text: {escaped(line)[:_QUOTED]}")
            if line.startswith("//"):
                continue
            if line.startswith("#"):
                drafts.append(self._titled(line))
                if len(drafts) > MOST_PAGES:
                    self._fail(f"more than {MOST_PAGES} pages; write two walks")
            elif drafts:
                self._into(drafts[-1], line)
            elif line:
                title = self._heading(line, title)
        if not drafts:
            self._fail("no page; a page begins with a line such as `# Tokens`")
        return Walk(title or drafts[0].title, tuple(self._page(draft) for draft in drafts), self._file)

    def _heading(self, line: str, title: str) -> str:
        """The title of the walk, from a line before the first page."""
        match = _SETTING.fullmatch(line)
        if match is None or match[1] != "walk" or not match[2] or title:
            self._fail("only one line, such as `walk: How attention works`, may come before the first page")
        return match[2]

    def _titled(self, line: str) -> _Draft:
        title = line.removeprefix("#").strip()
        if not title or title.startswith("#"):
            self._fail("a page begins with one # and its title")
        if len(title) > _TITLE:
            self._fail(f"the title has {len(title)} characters; at most {_TITLE} are allowed")
        return _Draft(title, self._line)

    def _into(self, draft: _Draft, line: str) -> None:
        """Add a line to a page: a setting before the text, or text."""
        if not line:
            draft.open = False
            return
        match = _SETTING.fullmatch(line)
        if match and not draft.paragraphs and (match[1] in _SETTINGS or match[1].islower()):
            if match[1] not in _SETTINGS:
                self._fail(f'unknown setting "{match[1]}"; the settings are {", ".join(_SETTINGS)}')
            if match[1] in draft.settings:
                self._fail(f"{match[1]}: is given twice")
            draft.settings[match[1]] = (match[2], self._line)
            return
        if not draft.open:
            draft.paragraphs.append([])
        elif draft.paragraphs[-1]:
            draft.paragraphs[-1].append(Piece(" "))
        draft.open = True
        draft.paragraphs[-1] += self._pieces(line)
        shown = _LINK.sub(r"\1", re.sub(r"\{[^{}]*\}", "x", line))
        draft.words, draft.characters = draft.words + len(shown.split()), draft.characters + len(shown)
        if draft.words > MOST_WORDS:
            self._fail(f'page "{draft.title}" has more than {MOST_WORDS} words; shorten it or begin another page')
        if draft.characters > MOST_CHARACTERS:
            self._fail(f'page "{draft.title}" has more than {MOST_CHARACTERS} characters; shorten it')

    def _pieces(self, line: str) -> list[Piece]:
        """The text and links of a line."""
        try:
            check(line)
        except ValueError as error:
            self._fail(str(error))
        pieces, end = list[Piece](), 0
        for match in _LINK.finditer(line):
            if match.start() > end:
                pieces.append(Piece(self._plain(line[end : match.start()])))
            if not match[1].strip():
                self._fail(f"a link to {match[2].strip()} without words")
            pieces.append(Piece(match[1].strip(), self._subject(match[2]), self._line))
            end = match.end()
        if end < len(line):
            pieces.append(Piece(self._plain(line[end:])))
        return pieces

    def _plain(self, text: str) -> str:
        if _OPENED.search(text):
            self._fail(f"a link that does not end on its line: {text.strip()[:_QUOTED]}")
        return text

    def _subject(self, text: str) -> Subject:
        try:
            return parse_subject(text)
        except ValueError as error:
            self._fail(str(error))

    def _page(self, draft: _Draft) -> Page:
        """A page whose last line has been read."""
        self._line = draft.line
        if "look" not in draft.settings:
            self._fail(f'page "{draft.title}" has no subject; write a line such as `look: whole` below its title')
        if not draft.paragraphs:
            self._fail(f'page "{draft.title}" has no text')
        look, subject_line = draft.settings["look"]
        panel, panel_line = draft.settings.get("panel", ("", 0))
        self._line = subject_line
        subject = self._subject(look)
        if subject.kind is Kind.PANEL:
            self._fail(f"look: is for the picture; write `panel: {subject.name}`")
        self._line = panel_line
        if panel_line and not panel:
            self._fail("panel: names no panel")
        run, hold = (self._number(draft, name, most) for name, most in (("run", _MOST_TOKENS), ("hold", _MOST_HOLD)))
        paragraphs = tuple(tuple(paragraph) for paragraph in draft.paragraphs)
        needs, self._line = draft.settings.get("needs", ("", 0))
        needed = self._subject(needs) if self._line else None
        return Page(draft.title, subject, paragraphs, draft.line, subject_line, panel, panel_line, run, hold, needed)

    def _number(self, draft: _Draft, name: str, most: int) -> int:
        text, self._line = draft.settings.get(name, ("0", 0))
        if not self._line:
            return 0
        if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or not 1 <= int(text) <= most:
            self._fail(f"{name}: must be a number from 1 to {most}")
        return int(text)

    def _fail(self, what: str) -> NoReturn:
        raise WalkError(f"{self._file}:{self._line}: {what}")
