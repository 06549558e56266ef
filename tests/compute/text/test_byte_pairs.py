"""Token ids of any text, of any length, are those of plain byte pair encoding."""

from __future__ import annotations

import itertools
import re
import time

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compute.text import byte_pairs
from compute.text.tokenizer import END_OF_TEXT, load_tokenizer

GPT2 = load_tokenizer()
RANKS = {GPT2.token_bytes(id): id for id in range(GPT2.vocabulary - 1)}
# As OpenAI published it with GPT-2.
PATTERN = regex.compile(r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")
CHARACTERS = "".join(map(chr, range(0x110000)))
WHITE = regex.findall(r"\s", CHARACTERS)
TIME_LIMIT_S = 60  # processor time; quadratic code takes far longer, linear code a second or two


def plain(text: str) -> list[int]:
    """Byte pair encoding by its definition: in each piece, merge the pair of lowest rank everywhere, and repeat."""
    ids: list[int] = []
    for number, part in enumerate(text.split(END_OF_TEXT)):
        ids += [GPT2.end_of_text] * (number > 0)
        for piece in PATTERN.findall(part):
            ids += merged(piece.encode())
    return ids or [GPT2.end_of_text]


def merged(piece: bytes) -> list[int]:
    """The ids of one piece."""
    parts = [bytes([byte]) for byte in piece]
    while True:
        pairs = {a + b for a, b in itertools.pairwise(parts)}
        pair = min(pairs, key=lambda pair: RANKS.get(pair, len(RANKS)), default=b"")
        if pair not in RANKS:
            return [RANKS[part] for part in parts]
        joined: list[bytes] = []
        at = 0
        while at < len(parts):
            both = at + 1 < len(parts) and parts[at] + parts[at + 1] == pair
            joined.append(pair if both else parts[at])
            at += 1 + both
        parts = joined


MIXED = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.text(st.sampled_from(WHITE), max_size=8),
        st.text(" \n\t", max_size=12),
        st.sampled_from(["'ll", " word", " 12", "!?", END_OF_TEXT, "\x1c\x1d\x1e\x1f", "\u180e", "\u200b", "\ufeff"]),
    ),
    max_size=12,
).map("".join)


@given(MIXED)
@example("   x   ")
@example("a  \n" + END_OF_TEXT + "   b")
@example("  \x1c  \x85  \u3000  ")
@settings(max_examples=300, deadline=None)
def test_any_text(text: str) -> None:
    assert GPT2.encode(text) == plain(text)


@given(MIXED)
@example("a     b")
@example("a     \n")
@example("     " + END_OF_TEXT + "     .")
@example("\x1c\x1c\x1c\x1c\x1c\u2003\u2003\u2003\u2003a")
@settings(max_examples=300, deadline=None)
def test_long_runs(text: str) -> None:
    """With a limit of three characters, so that hypothesis finds errors in how runs are split."""
    with pytest.MonkeyPatch.context() as patch:
        pattern = byte_pairs._LONG_RUN.pattern.replace(f"{{{byte_pairs._LONG},}}", "{3,}")
        assert "{3,}" in pattern
        patch.setattr(byte_pairs, "_LONG_RUN", re.compile(pattern))
        assert GPT2.encode(text) == plain(text)


def test_white_space_is_that_of_the_pattern() -> None:
    assert re.findall(f"[{byte_pairs._WHITE}]", CHARACTERS) == WHITE
    assert len(WHITE) == 25
    for character in WHITE:  # in tiktoken too, a word keeps a space before it, but no other character
        assert GPT2.encode(f"a{character * 3}a") == plain(f"a{character * 3}a")


@pytest.mark.parametrize("unit", [" ", "\n", "\t", " \n", "\u3000", "a", "7", "!", "é", "\0", "日本", "ab3"])
def test_twenty_thousand_of_any_character(unit: str) -> None:
    for before, after in ("", ""), ("once", " upon"), ("  ", "\t."):
        text = before + unit * (20_000 // len(unit)) + after
        assert GPT2.encode(text) == plain(text)


@pytest.mark.parametrize(
    ("unit", "count"), [(" ", 1_200_000), (" ", 3_000_000), ("\n", 1_200_000), ("\t", 1_200_000), ("a", 3_000_000)]
)
def test_millions_of_one_character(unit: str, count: int) -> None:
    start = time.thread_time()
    text = unit * count
    ids = GPT2.encode(text)
    assert GPT2.decode(ids) == text
    # A long run of one character is the same token repeated, except at its end.
    assert set(ids[:-8]) == set(plain(unit * 12_000)[:-8])
    assert time.thread_time() - start < TIME_LIMIT_S


def test_many_runs_take_linear_time() -> None:
    """Runs just below the limit, and pairs of special tokens: nothing is scanned repeatedly."""
    start = time.thread_time()
    for text in (" " * (byte_pairs._LONG - 1) + "x") * 200, END_OF_TEXT * 100_000, "a b " * 500_000:
        assert GPT2.decode(GPT2.encode(text)) == text
    assert time.thread_time() - start < TIME_LIMIT_S
