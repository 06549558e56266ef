"""The text of an edit: what it means, its canonical form, and the message for each mistake."""

from __future__ import annotations

import numpy as np
import pytest

from compute.edits.grammar import Edit, Range, edit_of, edits_of, parse_edit
from compute.edits.values import Array, ArrayFile, FileMean, FromRun, Mean, Number
from compute.errors import UsageError

CANONICAL = (
    "h.2.attn.out[head=4] = 0",
    "h.3.resid_post[:, 100:200] *= 2.5",
    "h.3.resid_post[3, 700] += -1e-05",
    "h.0.attn.scores[head=4, pos=5, key=2] = -inf",
    "h.0.attn.pattern[pos=-1, key=2:8:3] = 0.25",
    "blocks.3.hook_resid_pre += 2.5 * steer.npy",
    'wte[12] = "a folder/vector.npy"',
    "wte[12] = 'a \"quoted\" name.npy'",
    "h.1.mlp.gelu[::2, -5:] = mean",
    "h.1.mlp.gelu[7] = mean(C:\\data\\pile.npz)",
    "h.0.resid_post[:5] = run(../runs/first.atlas, 12)",
    'h.0.resid_post = run("my, run (2).atlas", 0)',
)


@pytest.mark.parametrize("text", CANONICAL)
def test_the_canonical_text_reads_back(text: str) -> None:
    edit = parse_edit(text)
    assert str(edit) == text
    assert parse_edit(str(edit)) == edit


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  h.2.attn.out [ head = 4 ]=0.0 ", "h.2.attn.out[head=4] = 0"),
        ("wpe[0:2:1,:]*=1E2", "wpe[0:2, :] *= 100"),
        ("wpe+='v.npy'", "wpe += v.npy"),
        ("wpe = 1*v.npy", "wpe = v.npy"),
        ("wpe = mean ( 'f.npz' )", "wpe = mean(f.npz)"),
        ("wpe = run( f.atlas ,3 )", "wpe = run(f.atlas, 3)"),
    ],
)
def test_other_spellings_have_one_canonical_text(text: str, canonical: str) -> None:
    assert str(parse_edit(text)) == canonical


def test_the_parts_of_an_edit() -> None:
    edit = parse_edit("h.3.attn.pattern[head=-1, pos=2:, key=::2] *= 0.5")
    assert edit.target == "h.3.attn.pattern"
    assert edit.index == (
        Range(-1, single=True, name="head"),
        Range(2, name="pos"),
        Range(step=2, name="key"),
    )
    assert (edit.op, edit.value) == ("*=", Number(0.5))
    values = [parse_edit(f"wpe = {text}").value for text in ("mean", "mean(F.npz)", "run(F.atlas, 3)", "2 * F.npy")]
    assert values == [Mean(), FileMean("F.npz"), FromRun("F.atlas", 3), ArrayFile("F.npy", 2.0)]


def test_arrays_and_numbers_given_in_python() -> None:
    vector = np.arange(4.0)
    edit = edit_of(("h.0.resid_post[3] +=", vector))
    assert isinstance(edit.value, Array)
    assert edit.value.values.dtype == np.float32
    assert str(edit) == "h.0.resid_post[3] += array of 4"
    assert edit_of(("h.0.resid_post", "+=", vector)).target == "h.0.resid_post"
    assert edit_of(("wpe =", 2)) == parse_edit("wpe = 2")
    assert edit_of(("wpe", "=", "mean(F.npz)")) == parse_edit("wpe = mean(F.npz)")
    assert edits_of("wpe = 1") == edits_of(["wpe = 1"]) == (parse_edit("wpe = 1"),)
    assert edits_of([edit, "wpe = 1"]) == (edit, parse_edit("wpe = 1"))
    assert edits_of(()) == ()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "TARGET OP VALUE"),
        ("wpe", "no operator"),
        ("wpe[1", "no operator"),
        ("wpe - 3", "no operator"),
        ("wpe =", "has no value"),
        ("wpe = three", "is not a .npy file"),
        ("wpe = 1 2", "is not a value"),
        ("wpe = x * v.npy", "is not a value"),
        ("wpe = inf * v.npy", "by infinity"),
        ("wpe = nan", "is NaN"),
        ("wpe = 1e39", "range of float32"),
        ("wpe = v.npz", "is not a .npy file"),
        ("wpe = mean(v.npy)", "is not a .npz file"),
        ("wpe = run(f.atlas)", "is not a value"),
        ("wpe[] = 0", "an empty part"),
        ("wpe[1,] = 0", "an empty part"),
        ("wpe[1.5] = 0", "1.5 is not an index"),
        ("wpe[9999999999] = 0", "out of range"),
        ("wpe[::0] = 0", "at least 1"),
        ("wpe[::-1] = 0", "at least 1"),
        ("wpe[pos=1, 2] = 0", "mixes"),
        ("wpe[layer=1] = 0", "the names are pos, head and key"),
        ("wpe[pos=1, pos=2] = 0", "twice"),
        ("wpe = 0\nwpe = 1", "not a value"),
    ],
)
def test_mistakes_are_explained_in_one_line(text: str, part: str) -> None:
    with pytest.raises(UsageError, match=r"^edit ") as error:
        parse_edit(text)
    assert part in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", [3, [3], [("wpe =", object())], [("wpe = 3", 4)], [("wpe",)], [{"wpe": 1}]])
def test_other_objects_are_not_edits(given: object) -> None:
    with pytest.raises(UsageError):
        edits_of(given)  # type: ignore[arg-type]


def test_edits_with_equal_arrays_are_equal() -> None:
    one, other = edit_of(("wpe =", np.ones(3))), edit_of(("wpe =", [1, 1, 1]))
    assert one == other
    assert hash(one) == hash(other)
    assert one != edit_of(("wpe =", np.zeros(3)))
    assert isinstance(one, Edit)
