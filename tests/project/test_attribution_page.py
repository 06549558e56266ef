"""The numbers in docs/attribution.md, from `attribute` and a pass."""

from __future__ import annotations

import re

import numpy as np
import pytest

import atlas_viewer
from compute.api.attribution import Attribution
from compute.api.model import Model

from helpers.paths import ROOT

pytestmark = pytest.mark.gpu
PAGE = (ROOT / "docs" / "attribution.md").read_text("utf-8")
TEXT = " ".join(PAGE.split())  # without line breaks
PROMPT = "Once upon a time, there was a little girl named"


@pytest.fixture(scope="module")
def model() -> Model:
    return atlas_viewer.load("stories", context=64)


@pytest.fixture(scope="module")
def found(model: Model) -> Attribution:
    return model.attribute(PROMPT, target=" Lily", against=" Tim")


def test_the_difference_and_its_largest_part(found: Attribution) -> None:
    assert f'after `" named"` is {found.logit:.4f} above that of `" Tim"`' in TEXT
    best = max(found.parts, key=lambda part: abs(part.value))
    assert (best.name, best.head) == ("h.5.attn", 4)
    assert f"head 4 of layer 5 adds {best.value:.4f}, more than any other part" in TEXT
    assert best.sources is not None
    assert int(np.abs(best.sources).argmax()) == 9
    assert f'took {best.sources[9]:.4f} of its {best.value:.4f} from `" girl"`' in TEXT
    assert abs(found.sum - found.logit) < 2e-6, "a remainder of about a millionth"


def test_the_weight_of_the_key(model: Model) -> None:
    pattern = model.run(PROMPT, keep=["h.5.attn.pattern"])["h.5.attn.pattern"]
    assert f'takes {pattern[4, 10, 9]:.4f} of its information from `" girl"`' in TEXT


def test_the_pictures_are_those_of_the_tour() -> None:
    tour = (ROOT / "docs" / "attribution.jsonl").read_text("utf-8")
    wanted = {line.split('"')[3] for line in tour.splitlines() if '"picture"' in line}
    shown = set(re.findall(r"\(attribution/(\w+)\.png\)", PAGE))
    assert shown == wanted == {path.stem for path in (ROOT / "docs" / "attribution").glob("*.png")}
