"""The page on edits: what it says about its examples is what the program computes."""

from __future__ import annotations

import re

import numpy as np
import pytest

import atlas_viewer as av

from helpers.documents import blocks
from helpers.paths import ROOT

pytestmark = pytest.mark.gpu

PAGE = ROOT / "docs" / "edits.md"
CLEAN = "One day, Tom had a red ball and a very big cat. Then"
CORRUPT = CLEAN.replace("Tom", "Ben")


@pytest.fixture(scope="module")
def model() -> av.Model:
    return av.load("stories", context=512)


def said(words: str) -> None:
    """The words must be on the page, with any white space."""
    assert re.search(r"\s+".join(map(re.escape, words.split())), PAGE.read_text("utf-8")), words


def python_of_the_page(number: int) -> dict[str, object]:
    """The names that a block of Python on the page makes."""
    names: dict[str, object] = {}
    exec([block for block in blocks(PAGE) if block.language == "python"][number].text, names)
    return names


def test_the_previous_token_head_feeds_the_induction_head() -> None:
    names = python_of_the_page(0)
    before, after, others = (np.array(names[name]) for name in ("before", "after", "others"))
    said("head 0 of layer 5 gives 0.326 of its weight to the word that followed the last time")
    assert before[0] == pytest.approx(0.326, abs=6e-4)
    said("Without head 0 of layer 3 it is 0.201")
    assert after[0] == pytest.approx(0.201, abs=6e-4)
    said("falls from -5.74 to -6.83")
    assert (before[1], after[1]) == pytest.approx((-5.74, -6.83), abs=6e-3)
    said("which is a third of the probability for each word")
    assert np.exp(after[1] - before[1]) == pytest.approx(1 / 3, abs=0.01)
    said("move the mean by at most 0.11")
    assert np.abs(others[:, 1] - before[1]).max() == pytest.approx(0.11, abs=6e-3)


def test_the_maps_are_what_the_page_says(model: av.Model) -> None:
    stream = model.patch(CLEAN, CORRUPT, target=" Tom", against=" Ben")
    said('is 3.43 above that of " Ben" in the clean run, and 7.46 below it in the corrupt run')
    assert (stream.clean_difference, stream.corrupt_difference) == pytest.approx((3.43, -7.46), abs=6e-3)
    said("Up to layer 6 the name is stored at one position only, that of its own token")
    assert (stream.values[:7, 3] > 0.97).all()
    assert (np.delete(stream.values[:7], 3, axis=1) < 0.05).all()
    said("Before layer 7 most of it, 0.76, is at the last token")
    assert stream.values[7, -1] == pytest.approx(0.76, abs=6e-3)
    heads = model.patch(CLEAN, CORRUPT, target=" Tom", against=" Ben", over="heads")
    said("Head 3 of layer 6 alone brings back 0.74")
    assert heads.values[6, 3] == pytest.approx(0.74, abs=6e-3)
    assert np.abs(np.delete(heads.values, 6 * 6 + 3)).max() < 0.1
    said('" Then" takes 0.92 of its weight from " Tom"')
    pattern = model.run(CLEAN, keep="h.6.attn.pattern")["h.6.attn.pattern"]
    assert pattern[3, -1, 3] == pytest.approx(0.92, abs=6e-3)


def test_ablation_and_attribution_are_what_the_page_says(model: av.Model) -> None:
    said("ablation gives -5.27 and attribution 4.15")
    ablation = model.ablate(CLEAN, target=" Tom", against=" Ben")
    attribution = model.attribute(CLEAN, target=" Tom", against=" Ben")
    (part,) = (part for part in attribution.parts if (part.name, part.head) == ("h.6.attn", 3))
    assert (ablation.heads[6, 3], part.value) == pytest.approx((-5.27, 4.145), abs=6e-3)


def test_ablation_of_the_last_layer_is_attribution_without_the_two_detours(model: av.Model) -> None:
    ablation = model.ablate(CLEAN, target=" Tom", against=" Ben")
    attribution = model.attribute(CLEAN, target=" Tom", against=" Ben")
    bias = sum(part.value for part in attribution.parts if part.name == "ln_f.bias")
    tom, ben = (model.tokenizer.encode(name)[0] for name in (" Tom", " Ben"))
    keep = ["h.7.mlp.c_proj", "ln_final.hook_scale"]
    run = model.run(CLEAN, keep=keep)
    for head in range(6):
        (part,) = (part for part in attribution.parts if (part.name, part.head) == ("h.7.attn", head))
        edits = [f"h.7.attn.out[head={head}] = 0", ("h.7.mlp.c_proj =", run["h.7.mlp.c_proj"])]
        edited = model.run(CLEAN, keep=keep, edits=edits)
        left = float(edited.logits[-1, tom] - edited.logits[-1, ben])
        scale = edited["ln_final.hook_scale"][-1, 0] / run["ln_final.hook_scale"][-1, 0]
        both = (left - bias) * scale + bias - attribution.logit
        assert both == pytest.approx(-part.value, abs=1e-4)
        numbers = (part.value, ablation.heads[7, head], left - attribution.logit, both)
        (row,) = re.findall(rf"^\| {head} \|(.*)\|$", PAGE.read_text("utf-8"), re.MULTILINE)
        assert [float(number) for number in row.split("|")] == pytest.approx(numbers, abs=1e-3)
    mean = model.ablate(CLEAN, target=" Tom", against=" Ben", to="mean")
    said("the difference then falls by 3.49")
    assert mean.heads[6, 3] == pytest.approx(-3.49, abs=6e-3)


def test_the_steering_vector_steers() -> None:
    names = python_of_the_page(1)
    said('`up` begins with " happy with his own special kind of smile", `down` with " scared"')
    assert str(names["up"]).startswith(" happy with his own special kind of smile")
    assert str(names["down"]).startswith(" scared")


def test_the_pictures_of_the_window_are_those_of_the_tour() -> None:
    tour = (PAGE.parent / "edits.jsonl").read_text("utf-8")
    wanted = {line.split('"')[3] for line in tour.splitlines() if '"picture"' in line}
    shown = set(re.findall(r"\(edits/(\w+)\.png\)", PAGE.read_text("utf-8")))
    assert shown == wanted | {"stream", "heads"} == {path.stem for path in (PAGE.parent / "edits").glob("*.png")}
