"""The self-test of lens and attribution fails when one of its kernels is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import wgpu

from compute.selftest import check, lens
from compute.selftest import run as module
from compute.selftest.check import Check
from compute.selftest.gpu import Gpu
from compute.selftest.models import SMALL, loud_model
from compute.selftest.run import prove

from helpers.mutants import Mutate, mutate

__all__ = ["mutate"]

pytestmark = pytest.mark.gpu


def lens_group(_: Gpu) -> Iterator[Check]:
    yield lens.small_runner(lens.twins(SMALL), "f32").lens_errors(5, 97).check("lens", "", check.PASS)


def lens_of_file(_: Gpu) -> Iterator[Check]:
    runner = lens.small_runner(loud_model(SMALL), "f32")
    file = lens.random_lens(runner.lens.points, SMALL.channels)
    yield runner.lens_errors(5, 8, file).check("lens", "", check.PASS)


def attribution_group(_: Gpu) -> Iterator[Check]:
    yield lens.small_runner(loud_model(SMALL), "f32").attribution_errors(5, 9, 7).check("parts", "", check.PASS)


MUTANTS = (
    ("lens/gather", "aim.first + group.x", "aim.first", lens_group),
    ("lens/translate", "total + bias", "1.001 * total + bias", lens_of_file),
    ("lens/norms", "dot(added, added)", "dot(added, x)", lens_group),
    ("lens/scan", "* (mine.highest - logit2)", "* (mine.highest - logit1)", lens_group),
    ("lens/scan", "key3 > wanted_key", "key3 >= 1u", lens_group),
    ("lens/top", "candidate > last_token", "candidate < last_token", lens_group),
    ("lens/top", "next = max(next, key)", "next = key", lens_group),
    ("lens/unembed", "value -= weight_quad", "value += weight_quad", attribution_group),
    ("lens/direction", "- center) * inverse", ") * inverse", attribution_group),
    ("lens/pull", "row += LANES", "row += 2u * LANES", attribution_group),
    ("lens/heads", "c < SIZE;", "c < SIZE - 1u;", attribution_group),
    ("lens/terms", "aim.row * term.stride", "term.stride", attribution_group),
    ("lens/neurons", "value * direction[i]", "value * direction[0]", attribution_group),
    ("lens/sources", "value_of(key, head / GROUP", "value_of(key, 0u", attribution_group),
)


@pytest.mark.parametrize(("shader", "text", "other", "group"), MUTANTS, ids=[f"{m[0]}-{m[1]}" for m in MUTANTS])
def test_a_wrong_kernel_fails_its_check(
    monkeypatch: pytest.MonkeyPatch,
    mutate: Mutate,
    device: wgpu.GPUDevice,
    shader: str,
    text: str,
    other: str,
    group: Callable[[Gpu], Iterator[Check]],
) -> None:
    monkeypatch.setitem(module.GROUPS, "one", group)
    changes = mutate(shader, text, other)
    found = prove(device, groups=["one"])
    assert sum(changes) > 0, f"{shader} does not contain {text!r}"
    assert not found.ok
