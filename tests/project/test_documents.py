"""Links in the documents lead somewhere, and the commands they show exist."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from atlas_viewer import __version__
from atlas_viewer.cli import parser
from atlas_viewer.cli.parser import parse
from atlas_viewer.tour.player import read_tour
from compute.errors import UsageError

from helpers.documents import PAGES, anchors, blocks, commands, links, prose
from helpers.paths import ROOT

COMMANDS = [(str(block), words) for page in PAGES for block in blocks(page) for words in commands(block)]


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.is_relative_to(ROOT), f"{target} leaves the project"
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            targets = [
                (page.parent / target.partition("#")[0]).resolve() for target in links(page) if ":" not in target
            ]
            waiting += [target for target in targets if target.suffix == ".md"]
    assert {path for path in PAGES if path not in reached} == set()


@pytest.mark.parametrize(("place", "words"), COMMANDS, ids=[f"{place}-{' '.join(w[:2])}" for place, w in COMMANDS])
def test_every_command_is_one_of_the_program(place: str, words: list[str]) -> None:
    try:
        parse(words)
    except UsageError as error:
        pytest.fail(f"{place}: {error}")
    except SystemExit:
        pass  # --help and --version


def test_commands_are_found() -> None:
    """Were none found, the test above could not fail."""
    assert len(COMMANDS) >= 15
    assert {"README.md", "models.md", "performance.md"} <= {place.split(":")[0] for place, _ in COMMANDS}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_in_the_text_exist(page: Path) -> None:
    known = set(re.findall(r"^## (\w+)", (ROOT / "docs" / "commands.md").read_text("utf-8"), re.MULTILINE))
    for command in re.findall(r"`(?:atlas-viewer|\./dev run) ([a-z][^`]*)`", prose(page)):
        assert command.split()[0] in known, command


def test_the_command_reference_is_up_to_date() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "reference.py"))["page"]()
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert page == made, "run ./dev reference"
    assert all(f"\n## {name}" in page for name in parser._COMMANDS)
    assert "|  |" not in page, "an argument has no help text"


def test_the_page_about_json_is_up_to_date() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "json_page.py"))
    assert (ROOT / "docs" / "json.md").read_text("utf-8") == made["page"](), "run ./dev reference"
    titles = {schema["title"] for schema in made["schemas"]().values()}
    assert {"generate --json", "session export --json"} <= titles
    assert titles <= set(re.findall(r"^## (.*)$", made["page"](), re.MULTILINE))


def test_the_changelog_names_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## \[(.*?)\]", text, re.MULTILINE)
    assert versions[0] in ("Unreleased", __version__)
    assert set(re.findall(r"^### (\w+)", text, re.MULTILINE)) <= {
        "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security",
    }  # fmt: skip


def test_the_readme_is_short() -> None:
    """Two screens, pictures not counted."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 90


def test_every_picture_is_shown_and_made_by_the_script() -> None:
    shown = {
        (page.parent / target).resolve().relative_to(ROOT / "docs").as_posix()
        for page in PAGES
        for target in links(page)
        if target.endswith(".png")
    }
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.png")}
    script = runpy.run_path(str(ROOT / "docs" / "pictures.py"))
    played = {
        f"{tour.stem}/{step['picture']}.png"
        for tour in script["TOURS"]
        for step in read_tour(tour)
        if "picture" in step
    }
    assert shown == there == {*script["RENDERED"], *script["PATCHED"], *played}
