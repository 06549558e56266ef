"""How lanes of a subgroup exchange their sums in forward/matmul_few, for sizes of subgroups that this adapter lacks."""

from __future__ import annotations

import re

import numpy as np
import pytest

import wgsl
from compute.forward.tiling import FewRows


def exchange(tiling: FewRows, lanes: int) -> list[str]:
    """The statements that exchange sums, in Python, and those that store them."""
    source = wgsl.load(
        FewRows.kernel, inputs=64, outputs=32, dtype="f32", bias=False, epilogue="none", trace=False, norm="",
        stored="", **tiling.values((lanes, True)),
    )  # fmt: skip
    found = re.search(r"var owns = true;(.*?)workgroupBarrier", source, re.S)
    assert found is not None
    code = re.sub(r"\n\s+\+ ", " + ", found[1]).replace("}", "").replace("if (owns) {", "")
    code = re.sub(r"\b(\d+)u\b", r"\1", re.sub(r"\blet ", "", code))
    code = code.replace("&&", "&").replace("!upper", "~upper")
    return [line.strip().rstrip(";") for line in code.splitlines() if line.strip()]


@pytest.mark.parametrize("lanes", [8, 16, 32, 64])
@pytest.mark.parametrize(("rows", "each"), [(16, 6), (16, 4), (8, 8), (16, 3), (4, 2), (16, 1), (3, 1)])
def test_every_sum_is_complete_and_stored_once(rows: int, each: int, lanes: int) -> None:
    tiling, lane = FewRows(rows, each, 64), np.arange(lanes)
    values = np.random.default_rng(0).integers(0, 1000, (rows * each, lanes))
    names: dict[str, object] = {f"sum{i}": values[i] for i in range(rows * each)}
    names |= {
        "lane": lane, "mine": np.zeros(lanes, int), "owns": np.ones(lanes, bool), "team": 0, "RESULTS": rows * each,
        "select": lambda no, yes, which: np.where(which, yes, no),
        "subgroupShuffleXor": lambda value, mask: np.broadcast_to(value, lanes)[lane ^ mask],
    }  # fmt: skip
    stored = np.zeros(rows * each, int)
    times = np.zeros(rows * each, int)
    for line in exchange(tiling, lanes):
        if line.startswith("partial"):
            at, value = re.fullmatch(r"partial\[(.*)\] = (\w+)", line).groups()  # type: ignore[union-attr]
            owners = np.flatnonzero(np.asarray(names["owns"]))
            index, total = np.broadcast_to(eval(at, {}, names), lanes), np.asarray(names[value])
            stored[index[owners]] = total[owners]
            np.add.at(times, index[owners], 1)
        else:
            exec(line, {}, names)
    assert (stored == values.sum(axis=1)).all()
    assert (times == 1).all()
