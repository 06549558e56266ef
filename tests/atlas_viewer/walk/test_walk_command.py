"""`--walk` on the command line, and what docs/walks.md says about the format."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from atlas_viewer.app.open_walk import open_walk
from atlas_viewer.walk.parser import MOST_CHARACTERS, MOST_PAGES, MOST_WORDS
from atlas_viewer.walk.placeholders import KNOWN
from atlas_viewer.walk.subject import parse_subject
from compute.weights.checkpoint import open_model

from helpers.command_line import assert_one_line, runner
from helpers.paths import ROOT

PAGE = (ROOT / "docs" / "walks.md").read_text("utf-8")
STORIES = open_model("stories").config


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("# A\nlook: whole\n\nSome [dead link](h.9.mlp).\n", ':4: unknown tensor "h.9.mlp" (nearest: h.7.mlp.c_fc)'),
        (f"# A\nlook: whole\n{'word ' * 61}\n", ':3: page "A" has more than 60 words'),
        ("# A\nlook: whole\npanel: Logit\nText\n", ':3: unknown panel "Logit" (nearest: Logits)'),
        ("", ":1: no page"),
    ],
)
def test_a_bad_walk_is_reported_in_one_line_before_a_window_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str, error: str
) -> None:
    file = tmp_path / "walk.txt"
    file.write_text(text)
    monkeypatch.setattr("atlas_viewer.cli.view.view", pytest.fail)
    assert_one_line(runner(capsys)("view", "The cat", "--walk", file), 1, f"{file}{error}")


def test_a_walk_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_line(runner(capsys)("--walk", tmp_path / "none.walk"), 1, "none.walk: there is no such file")


def test_the_walk_in_the_manual_fits_the_model(tmp_path: Path) -> None:
    (shown,) = (text for text in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) if text.startswith("walk:"))
    file = tmp_path / "walk.txt"
    file.write_text(shown)
    assert [page.title for page in open_walk(file, STORIES).pages] == ["The prompt", "A head"]


def test_the_manual_lists_every_placeholder_and_subject() -> None:
    shown = {
        name for row in re.findall(r"^\| (`\{.*?) \|", PAGE, re.MULTILINE) for name in re.findall(r"\{(.*?)\}", row)
    }
    assert shown == set(KNOWN) | {"token 1", "token 2"}
    subjects = PAGE.partition("## Subjects")[2].partition("## Links")[0]
    examples = [
        text for row in re.findall(r"^\|.*\| (`.*) \|$", subjects, re.MULTILINE) for text in row.split("`")[1::2]
    ]
    assert len(examples) >= 12
    for text in examples:
        parse_subject(text)
    assert f"at most {MOST_WORDS} words and {MOST_CHARACTERS} characters" in PAGE
    assert f"at most {MOST_PAGES} pages" in PAGE
