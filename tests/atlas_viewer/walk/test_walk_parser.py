"""Walk files: what they may contain, and what is reported about those that are wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_viewer.walk.built_in import GUIDED, MINUTE, NAMES, built_in
from atlas_viewer.walk.check import Checker
from atlas_viewer.walk.pages import Walk
from atlas_viewer.walk.parser import MOST_WORDS, parse_walk, read_walk
from atlas_viewer.walk.subject import LAST, Kind, parse_subject
from compute.errors import WalkError
from compute.io.escape import escaped
from compute.models.architectures import describe
from compute.models.config import GPT2_SIZES, ModelConfig
from compute.selftest.small_models import SMALL_MODELS

STORIES = ModelConfig(layers=6, heads=6, channels=192, positions=256, vocabulary=50257, padded_vocabulary=50304)
PANELS = {name: name for name in ("Logits", "Sampling", "Generated tokens", "Attention")} | {"Recording": "Session"}

PAGE = "# Tokens\nlook: embed.tokens\nSome words about [a row](embed.tokens row last) of {last token}.\n"


def checked(text: str, config: ModelConfig = STORIES) -> Walk:
    return Checker(describe(config), PANELS).walk(parse_walk(text, "walk.txt"))


def test_a_page_has_a_title_a_subject_text_and_links() -> None:
    walk = checked(f"walk: Mine\n// a remark\n{PAGE}\nAnother paragraph,\nin two lines.\n")
    (page,) = walk.pages
    assert (walk.title, page.title, page.subject.kind, page.subject.name) == (
        "Mine", "Tokens", Kind.TENSOR, "embed.tokens",
    )  # fmt: skip
    assert ["".join(piece.text for piece in paragraph) for paragraph in page.paragraphs] == [
        "Some words about a row of {last token}.",
        "Another paragraph, in two lines.",
    ]
    (link,) = page.links
    assert link.target is not None
    assert (link.text, link.line, link.target.kind, link.target.row) == ("a row", 5, Kind.ROW, LAST)


def test_settings_of_a_page() -> None:
    (page,) = checked("# A\nlook: strip\npanel: Recording\nrun: 8\nhold: 12\nText\n").pages
    assert (page.subject.kind, page.panel, page.run, page.hold) == (Kind.STRIP, "Session", 8, 12)


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("block last", (Kind.PART, "h.5")),
        ("h.middle", (Kind.PART, "h.3")),
        ("embedding", (Kind.PART, "embedding")),
        ("block 2", (Kind.PART, "h.2")),
        ("h.last.attn.out", (Kind.TENSOR, "h.5.attn.out")),
        ("h.1.resid_pre", (Kind.TENSOR, "h.0.resid_post")),  # another name of the same memory
        ("h.middle.attn.pattern head last", (Kind.HEAD, "h.3.attn.pattern")),
        ("wte[12, last]", (Kind.ELEMENT, "wte")),
    ],
)
def test_subjects_get_the_names_of_the_model(text: str, resolved: tuple[Kind, str]) -> None:
    subject = Checker(describe(STORIES), PANELS).subject(parse_subject(text))
    assert (subject.kind, subject.name) == resolved


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", ":1: no page"),
        ("Text\n", ":1: only one line, such as"),
        ("walk: A\nwalk: B\n# P\nlook: whole\nx", ":2: only one line, such as"),
        ("# \nlook: whole\nText", ":1: a page begins with one # and its title"),
        ("## A\nlook: whole\nText", ":1: a page begins with one # and its title"),
        (f"# {'long ' * 20}\n", ":1: the title has 99 characters; at most 60"),
        ("# A\nText", ':1: page "A" has no subject'),
        ("# A\nlook: whole\n\n", ':1: page "A" has no text'),
        ("# A\nlook: whole\nlook: strip\nText", ":3: look: is given twice"),
        ("# A\nlook: whole\nwatch: 3\nText", ':3: unknown setting "watch"'),
        ("# A\nlook: whole\nrun: 0\nText", ":3: run: must be a number from 1 to 1000"),
        ("# A\nlook: whole\nhold: ²\nText", ":3: hold: must be a number from 1 to 600"),
        ("# A\nlook: whole\nhold: -1\nText", ":3: hold: must be a number from 1 to 600"),
        ("# A\nlook: panel Logits\nText", ":2: look: is for the picture; write `panel: Logits`"),
        ("# A\nlook: whole\npanel:\nText", ":3: panel: names no panel"),
        ("# A\nlook:\nText", ":2: names nothing"),
        ("# A\nlook: h.3.attn.pattern head -1\nText", ":2: \"h.3.attn.pattern head -1\" is not a subject"),
        ("# A\nlook: wte[1, x]\nText", ':2: "wte[1, x]": an index must consist of numbers or last'),
        ("# A\nlook: wte row 3 [1, 2]\nText", ":2: \"wte row 3 [1, 2]\": write either an index"),
        ("# A\nlook: whole\nA [link](wte", ":3: a link that does not end on its line"),
        ("# A\nlook: whole\nA [](wte)", ":3: a link to wte without words"),
        ("# A\nlook: whole\nA [link]()", ":3: names nothing"),
        ("# A\nlook: whole\n{lost token}", ":3: unknown placeholder {lost token} (nearest: {last token})"),
        ("# A\nlook: whole\n{last token", ":3: a brace without its counterpart"),
        ("# A\nlook: whole\nbell \x07", r":3: a character that is not text: bell \x07"),
        ("# A\nlook: whole\n{token 0}", ":3: unknown placeholder {token 0} (nearest: {token 1})"),
        (f"# A\nlook: whole\n{'w' * 500}\n{'w' * 501}", ':4: page "A" has more than 1000 characters; shorten it'),
        (f"# A\nlook: whole\n{'word ' * 30}\n{'word ' * 31}", ':4: page "A" has more than 60 words'),
    ],
)  # fmt: skip
def test_errors_name_the_line(text: str, error: str) -> None:
    with pytest.raises(WalkError) as raised:
        parse_walk(text, "walk.txt")
    assert str(raised.value).startswith(f"walk.txt{error}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("subject", "error"),
    [
        ("h.9.mlp", 'unknown tensor "h.9.mlp" (nearest: h.5.mlp.c_fc)'),
        ("h.9.attn.patern", 'unknown tensor "h.9.attn.patern" (nearest: h.5.attn.pattern)'),
        ("logit", 'unknown tensor "logit" (nearest: logits)'),
        ("block 6", '"block 6": the model has blocks 0 to 5'),
        ("h.3.attn.pattern head 6", '"h.3.attn.pattern head 6": h.3.attn.pattern has heads 0 to 5'),
        ("h.3.attn.out head 0", "h.3.attn.out has no heads"),
        ("h.3.attn.pattern row 2", '"h.3.attn.pattern row 2": a row of a pattern needs its head'),
        ("wte[12]", '"wte[12]": wte is 50304 x 192, so its index has 2 numbers'),
        ("h.0.ln_1[0, 192]", '"h.0.ln_1[0, 192]" does not exist; h.0.ln_1 is 256 x 192'),
        ("h.0.ln_1 row 256", '"h.0.ln_1 row 256" does not exist'),
        ("panel Logit", 'unknown panel "Logit" (nearest: Logits)'),
    ],
)
def test_dead_links_name_their_line(subject: str, error: str) -> None:
    with pytest.raises(WalkError) as raised:
        checked(f"# A\nlook: whole\nSome words\nand [a link]({subject}).\n")
    assert str(raised.value).startswith(f"walk.txt:4: {error}")


def test_links_and_placeholders_count_as_the_words_that_are_shown() -> None:
    words = " ".join(["[two words](h.3.attn.pattern head 2 row last)", "{last token}"] * (MOST_WORDS // 3))
    assert len(checked(f"# A\nlook: whole\n{words}\n").pages) == 1
    with pytest.raises(WalkError, match="more than 60 words"):
        parse_walk(f"# A\nlook: whole\n{words} more\n", "walk.txt")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([
    "# A", "look: whole", "look: h.3.attn.pattern head 2", "look:", "run: 3", "walk: W", "", "Some text", "[a](wte)",
    "[a](", "{last token}", "{", "}", "[", "](", "look: h.99999.x", "//", "\x00", "\u202e", "# " + "x" * 99,
    "h.3[5, 12]", "\r",
]), max_size=12) | st.text(max_size=200).map(lambda text: [text]))  # fmt: skip
def test_any_text_is_a_walk_or_an_error_with_a_line(lines: list[str]) -> None:
    try:
        walk = checked("\n".join(lines))
    except WalkError as error:
        message = str(error)
        assert message.startswith("walk.txt:")
        line = int(message.split(":")[1])
        assert 1 <= line <= "\n".join(lines).count("\n") + 1
        assert escaped(message) == message
        assert len(message) < 400
    else:
        assert walk.pages


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"# A\nlook: whole\n\xff\n", ":3: not UTF-8 text"), (b"#" * (1 << 20) + b"#", ": larger than 1 MB")],
)
def test_files_that_are_no_text(tmp_path: Path, data: bytes, error: str) -> None:
    file = tmp_path / "walk.txt"
    file.write_bytes(data)
    with pytest.raises(WalkError) as raised:
        read_walk(file)
    assert str(raised.value).startswith(f"{file}{error}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WalkError, match="no such file"):
        read_walk(tmp_path / "none.walk")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("config", [STORIES, *GPT2_SIZES.values()], ids=lambda config: f"{config.layers} blocks")
def test_built_in_walks_fit_every_model(name: str, config: ModelConfig) -> None:
    Checker(describe(config), PANELS).walk(built_in(name))


@pytest.mark.parametrize("name", SMALL_MODELS)
def test_built_in_walks_fit_every_architecture(name: str) -> None:
    checker = Checker(describe(SMALL_MODELS[name]), PANELS)
    assert len(checker.walk(built_in(MINUTE)).pages) == 4
    titles = [page.title for page in checker.walk(built_in(GUIDED)).pages]
    assert 20 <= len(titles) <= 24
    assert len(set(titles)) == len(titles)
    assert {"Position", "Query, key, value", "MLP", "A block"} <= set(titles)


def test_alternatives_and_needs() -> None:
    text = "# A\nneeds: {}\nlook: h.0.mlp.gated | h.0.mlp.gelu\nSee [it](h.9.mlp.c_fc | h.last.mlp.c_fc)\n"
    text += "# B\nlook: whole\nx"
    checker = Checker(describe(STORIES), PANELS)
    both = checker.walk(parse_walk(text.format("wpe"), "walk.txt")).pages
    assert [page.title for page in both] == ["A", "B"]
    assert both[0].subject.name == "h.0.mlp.gelu"
    assert [link.target.name for link in both[0].links if link.target] == ["h.5.mlp.c_fc"]
    assert [page.title for page in checker.walk(parse_walk(text.format("h.0.attn.q_rot"), "walk.txt")).pages] == ["B"]
    with pytest.raises(WalkError, match=re.escape('walk.txt:2: unknown tensor "h.0.mlp.gated" (nearest: h.0.mlp.')):
        checker.walk(parse_walk("# A\nlook: h.0.mlp.gated | h.0.mlp.up\nx", "walk.txt"))
    with pytest.raises(WalkError, match=re.escape("walk.txt:1: every page needs something that the model lacks")):
        checker.walk(parse_walk("# A\nneeds: h.0.mlp.up\nlook: whole\nx", "walk.txt"))


def test_the_guided_walk_names_what_it_must_explain() -> None:
    walk = built_in(GUIDED)
    assert 18 <= len(walk.pages) <= 30
    text = " ".join(piece.text for page in walk.pages for paragraph in page.paragraphs for piece in paragraph).lower()
    for term in (
        "token", "embedding", "residual stream", "layer norm", "query", "key", "value", "attention", "head", "mlp",
        "weights", "activations", "logits", "softmax", "temperature", "sampling", "runs again",
    ):  # fmt: skip
        assert term in text, term


def test_the_first_minute_lasts_a_minute() -> None:
    walk = built_in(MINUTE)
    assert len(walk.pages) == 4
    assert sum(page.hold for page in walk.pages) == 60
