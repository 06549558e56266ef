"""The page on the lens: what it says about its example is what the program computes."""

from __future__ import annotations

import re

import numpy as np
import pytest

import atlas_viewer as av

from helpers.documents import blocks
from helpers.paths import ROOT

PAGE = ROOT / "docs" / "lens.md"
TEXT = "Once upon a time, there was a little girl named"


@pytest.fixture(scope="module")
def model() -> av.Model:
    return av.load("stories", context=64)


def said(words: str) -> str:
    """The words, which must be on the page, with any white space."""
    assert re.search(r"\s+".join(map(re.escape, words.split())), PAGE.read_text("utf-8")), words
    return words


@pytest.mark.gpu
def test_the_lens_says_what_the_page_says(model: av.Model) -> None:
    lens = model.lens(TEXT, target=" Lily", top=3)
    assert lens.target_rank is not None
    said('" Lily" rises from rank 14,151 to rank 1')
    assert lens.target_rank[[0, -1], -1].tolist() == [14151, 1]
    said("Here it falls from 6.7 to 3.4")
    assert lens.entropy[[1, -1], -1] == pytest.approx([6.67, 3.44], abs=0.01)
    said("the lens finds the token itself")
    assert lens.top_tokens[0, -1, 0] == lens.tokens[-1]
    said("The model has decided on a name in block 5")
    assert lens.points[lens.decided[-1]] == "h.5.resid_post"
    said("Blocks 0 to 4 replace that")
    assert model.tokenizer.token_text(int(lens.top_tokens[6, -1, 0])) == " El"
    assert " El" not in [model.tokenizer.token_text(int(token)) for token in lens.top_tokens[1:6, -1, 0]]
    said("(one name, two tokens)")
    assert [model.tokenizer.token_text(token) for token in model.tokenizer.encode(" Elara")] == [" El", "ara"]


@pytest.mark.gpu
def test_the_attribution_is_what_the_page_says(model: av.Model) -> None:
    found = model.attribute(TEXT, target=" Lily", against=" Tim")
    said("Head 4 of block 5 adds 1.22 of the 2.72, and takes nearly all of it (1.20) from one token")
    best = max(found.parts, key=lambda part: abs(part.value))
    assert (best.name, best.head) == ("h.5.attn", 4)
    assert best.sources is not None
    assert (best.value, found.logit, float(best.sources[9])) == pytest.approx((1.22, 2.72, 1.20), abs=0.006)
    assert model.tokenizer.token_text(found.tokens[9]) == " girl"


@pytest.mark.gpu
def test_the_python_of_the_page_runs() -> None:
    (block,) = (block for block in blocks(PAGE) if block.language == "python")
    names: dict[str, object] = {}
    exec(block.text, names)
    best, lens = names["best"], names["lens"]
    assert (best.name, best.head) == ("h.5.attn", 4)  # type: ignore[attr-defined]
    assert np.shape(lens.decided) == (11,)  # type: ignore[attr-defined]


def test_the_pictures_are_those_of_the_tour() -> None:
    tour = ROOT / "docs" / "lens.jsonl"
    wanted = {line.split('"')[3] for line in tour.read_text("utf-8").splitlines() if '"picture"' in line}
    shown = set(re.findall(r"\(lens/(\w+)\.png\)", PAGE.read_text("utf-8")))
    assert shown == wanted == {path.stem for path in (ROOT / "docs" / "lens").glob("*.png")}


@pytest.mark.gpu
def test_the_pictures_show_what_the_page_says(model: av.Model) -> None:
    text = model.generate(TEXT, max_new_tokens=3, temperature=0).text
    lens = model.lens(text, target=" Lily", top=2)
    points = lens.points

    def likeliest(point: str, position: int) -> tuple[str, float]:
        row = points.index(point)
        token = int(lens.top_tokens[row, position, 0])
        return model.tokenizer.token_text(token), float(lens.top_probabilities[row, position, 0])

    said('it predicts " be" with 12.3 %')
    token, share = likeliest("h.3.resid_post", 10)
    assert token == " be"
    assert share == pytest.approx(0.123, abs=6e-4)
    said('after " girl", the model expects " named" from block 4 on')
    assert points[lens.decided[9]] == "h.4.resid_post"
    assert likeliest("h.7.resid_post", 9)[0] == " named"
    said('After " named" that is block 5')
    assert points[lens.decided[10]] == "h.5.resid_post"
    assert lens.target_rank is not None
    said('After " named", " Lily" rises as in the table above, to rank 1')
    assert lens.target_rank[-1, 10] == 1
