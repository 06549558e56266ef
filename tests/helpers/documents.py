"""Parses the documents: fenced blocks, links, and the commands shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.paths import ROOT

PAGES = tuple(
    sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md"), ROOT / "assets" / "README.md"])
)

_FENCE = re.compile(r"^```(?P<language>\w*) ?(?P<about>.*)$")
_LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\((?P<target>[^)\s]+)\)")
_PROGRAM = re.compile(r"^(?:atlas-viewer|\./dev run|python -m atlas_viewer)(?: |$)")
_OPERATORS = {"|", ">", ">>", "<", "&&", "||", ";", "&"}


@dataclass(frozen=True)
class Block:
    """A fenced block. `about` is the text after the language on its first line; `text` ends with a line break."""

    page: Path
    line: int
    language: str
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    inside: tuple[int, re.Match[str]] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text("utf-8").splitlines(keepends=True), start=1):
        fence = _FENCE.match(line.rstrip("\n"))
        if inside is None and fence:
            inside, lines = (number, fence), []
        elif inside is not None and line.rstrip() == "```":
            start, opening = inside
            found.append(Block(page, start, opening["language"], opening["about"], "".join(lines)))
            inside = None
        else:
            lines.append(line)
    assert inside is None, f"{page}: a fence is not closed"
    return found


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    """Targets of all links and pictures outside code."""
    return [match["target"] for match in _LINK.finditer(re.sub(r"`[^`]*`", "", prose(page)))]


def anchors(page: Path) -> set[str]:
    """The anchors that a link can name after `#`: GitHub's, one per heading."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(block: Block) -> Iterator[list[str]]:
    """The arguments of every line that runs the program; a remark two spaces behind a command is left out."""
    for line in block.text.splitlines():
        shown = re.sub(r"^(?:\$ )?(?:[A-Z_]+=\S* )*", "", line)
        program = _PROGRAM.match(shown)
        if not program:
            continue
        given = re.split(r"\s{2,}", shown[program.end() :])[0]
        lexer = shlex.shlex(given, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words = list(lexer)
        end = next((i for i, word in enumerate(words) if word in _OPERATORS), len(words))
        yield words[:end]
