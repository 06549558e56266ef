"""The self-test passes on this adapter, runs every kernel, and fails when a kernel is wrong."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import wgpu

import wgsl
from atlas_viewer.state import proof
from compute.errors import DeviceError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.gpu.device import is_software
from compute.gpu.kernels import Kernel, Kernels, shared_kernels
from compute.models.operations import Heads
from compute.selftest import (
    attention_views,
    check,
    differences,
    draws,
    edits,
    elementwise,
    formulas,
    lookups,
    norm,
    passes,
    rotary,
    transpose,
)
from compute.selftest import map as map_checks
from compute.selftest import run as module
from compute.selftest import statistics as statistics_checks
from compute.selftest import strip as strip_checks
from compute.selftest.check import Check, Skipped
from compute.selftest.gpu import Gpu
from compute.selftest.models import SMALL, loud_model
from compute.selftest.run import Proof, prove

from helpers.command_line import Run, runner
from helpers.mutants import Mutate, mutate
from helpers.product_mutants import PRODUCTS_AND_ATTENTION

__all__ = ["mutate"]

pytestmark = pytest.mark.gpu

# -- the whole self-test


@pytest.fixture(scope="module")
def proved(device: wgpu.GPUDevice) -> Iterator[tuple[Proof, set[str]]]:
    """The result of a whole self-test, and the names of the kernels that it ran."""
    names: set[str] = set()
    get = Kernels.get

    def recorded(self: Kernels, name: str, **values: str | int | float | bool) -> Kernel:
        names.add(name)
        return get(self, name, **values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kernels, "get", recorded)
        patch.setattr(shared_kernels(device), "team", None)  # determined once per device
        yield prove(device), names


def test_every_check_is_within_its_tolerance(proved: tuple[Proof, set[str]]) -> None:
    found, _ = proved
    assert [result for result in found.results if not result.ok] == []
    assert found.ok
    assert 0 < found.largest_error < check.PASS


def test_every_kernel_runs(proved: tuple[Proof, set[str]], device: wgpu.GPUDevice) -> None:
    found, names = proved
    never = {"decode/layers"} if is_software(device.adapter) else set()  # the chain, which test_chain.py runs
    assert set(wgsl.names()) - names == never
    assert {skipped.name for skipped in found.skipped} == ({"passes: tiled, chain"} if never else set())


# -- wrong kernels


def of_edits(layout: str, kind: str) -> Callable[[Gpu], Iterator[Check]]:
    return lambda _: iter([edits.edited(layout, kind)])


def engine_of(dtype: str = "f32") -> Engine:
    return Engine.load(loud_model(SMALL), LoadOptions(context=SMALL.positions, weights=dtype, program="rows"))


def attention_group(_: Gpu) -> Iterator[Check]:
    config = dataclasses.replace(SMALL, positions=70)
    yield from attention_views.checks(Engine.load(loud_model(config), LoadOptions(context=70, program="rows")))


def fused(_: Gpu) -> Iterator[Check | Skipped]:
    return passes.prove_pairs(SMALL, "bf16", [pair for pair in passes.PROGRAM_PAIRS if pair.name == "tiled, fused"])


def viewed(mapping: Callable[..., Check]) -> Callable[[Gpu], Iterator[Check | Skipped]]:
    return lambda _: iter([mapping(engine_of(), loud_model(SMALL))])


CORRUPTED = statistics_checks.corrupted_model(SMALL)


def corrupted_engine() -> Engine:
    return Engine.load(CORRUPTED, LoadOptions(context=14))


# Shader, text in it, replacement, and the checks that must fail.
MUTANTS = (
    *PRODUCTS_AND_ATTENTION,
    ("forward/layer_norm", "1e-05", "2e-4", lambda gpu: iter([norm.layer_norm(gpu, 36, 16, 5, head=False)])),
    ("forward/layer_norm", "1e-05", "-1e9", lambda gpu: iter([norm.layer_norm(gpu, 36, 16, 5, head=False)])),
    ("forward/layer_norm", "0.01", "0.0101",
     lambda gpu: iter([norm.layer_norm(gpu, 36, 16, 5, shifted=False, epsilon=0.01)])),
    ("forward/layer_norm", "* scale[c]", "* scale[c] + 0.001",
     lambda gpu: iter([norm.layer_norm(gpu, 36, 16, 5, shifted=False)])),
    ("forward/gather", "state.context_start", "1u + state.context_start",
     lambda gpu: iter([elementwise.gather(gpu, "token", 20, 16, 5, "buffer", "f16")])),
    ("forward/gather", "state.position", "1u + state.position",
     lambda gpu: iter([elementwise.gather(gpu, "position", 20, 16, 5, "buffer", "f32")])),
    ("forward/gather", ">= params.rows", "> params.rows",
     lambda gpu: iter([elementwise.gather(gpu, "token", 20, 16, 16, "buffer", "bf16")])),
    ("forward/gather", "r >= state.rows", "r > state.rows",
     lambda gpu: iter([elementwise.gather(gpu, "token", 20, 16, 5, "texture", "f32")])),
    ("compare/difference", "difference_of(a[at], b[at]", "difference_of(b[at], a[at]",
     lambda gpu: iter([differences.differences("buffer", relative=False)])),
    ("compare/weight", "before[i], value[i]", "value[i], before[i]",
     lambda gpu: iter([differences.differences("buffer", relative=True)])),
    ("forward/add", "+= term2", "+= 1.001 * term2", lambda gpu: iter([elementwise.add(gpu, 3, 36, 16, 5)])),
    ("forward/add", "id.y >= state.rows", "id.y > state.rows", lambda gpu: iter([elementwise.add(gpu, 2, 36, 16, 5)])),
    ("forward/add", "state.first_row + id.y", "id.y", lambda gpu: iter([elementwise.add(gpu, 2, 36, 16, 5)])),
    ("forward/activation", "0.044715", "0.0449",
     lambda gpu: iter([elementwise.activation(gpu, "gelu", 36, 16, 5)])),
    ("forward/activation", "select(v, 0.0,", "select(v, -0.01 * v,",
     lambda gpu: iter([elementwise.activation(gpu, "relu", 36, 16, 5)])),
    ("forward/activation", " && bits <= 0xff800000u", "",
     lambda gpu: iter([elementwise.activation(gpu, "relu", 36, 16, 5)])),  # a negative NaN becomes 0
    ("forward/activation", "id.y >= state.rows", "id.y > state.rows",
     lambda gpu: iter([elementwise.activation(gpu, "relu", 36, 16, 5)])),
    ("forward/embed", "state.position", "1u + state.position",
     lambda gpu: iter([norm.embed(gpu, 20, 16, 5, "buffer", "f16")])),
    ("forward/rms_norm", "+ EPSILON", "",
     lambda gpu: iter([rotary.rms_norm(gpu, 36, 36, 16, 5, head=True)])),
    ("forward/rms_norm", "scale[c] +", "scale[c] -",
     lambda gpu: iter([rotary.rms_norm(gpu, 36, 12, 16, 5, offset=1.0, head=False)])),
    ("forward/rope", "position / FINE)", "0u)", lambda gpu: iter(
        [rotary.rope(gpu, Heads("x", 3, 12), 36, 6, 16, 5, position=700, interleaved=False)])),
    ("forward/gated", "* factor[i]", "", lambda gpu: iter([rotary.gated(gpu, "silu", 36, 16, 5)])),
    ("forward/scale", "* x[at]", "+ x[at]", lambda gpu: iter([rotary.scale(gpu, 36, 16, 5)])),
    ("forward/soft_cap", "CAP)", "1.01 * CAP)", lambda gpu: iter([rotary.soft_cap(gpu, 100, 3, 30.0)])),
    ("weights/transpose", "params.first_input + input) / PER_WORD", "input) / PER_WORD",
     lambda gpu: iter([transpose.transpose(gpu, "buffer", "f32", 20, 60, 1)])),
    ("sample/race", "15u, 26u", "15u, 27u", lambda gpu: iter([draws.draws(gpu, 97, (), draws.OPTIONS[-1:])])),
    ("sample/digit", "u - 8u", "u - 7u", lambda gpu: iter([draws.draws(gpu, 97, (), draws.OPTIONS[-1:])])),
    ("sample/scan", "penalty", "penalty * 1.01", lambda gpu: iter([draws.draws(gpu, 97, (), draws.OPTIONS[:1])])),
    ("forward/attention_pattern", "= score_of(score)", "= score_of(1.01 * score)", viewed(lookups.patterns)),
    ("probe/range", "b.y < a.y", "b.y > a.y", lambda _: iter([lookups.probes(corrupted_engine(), CORRUPTED)])),
    ("formula/operand", "id.x * params.stride", "id.x", viewed(formulas.formulas)),
    ("formula/products", "* params.scale", "* 1.001 * params.scale", viewed(formulas.formulas)),
    ("formula/norm", "+ params.epsilon", "+ 1.01 * params.epsilon + 0.001", viewed(formulas.formulas)),
    ("formula/softmax", "score = score_of(score)", "score = score_of(1.001 * score)", viewed(formulas.formulas)),
    ("formula/activation", "results[params.to + 1u] = gelu(x)", "results[params.to + 1u] = 1.001 * gelu(x)",
     viewed(formulas.formulas)),
    ("formula/token_row", "+ params.row]", "]", viewed(formulas.formulas)),
    ("statistics/rows", "- 107", "- 106", viewed(statistics_checks.statistics)),
    ("attention/rows", "t + 2u", "t + 1u", attention_group),
    ("attention/rows", "f32(row - t)", "f32(row)", attention_group),
    ("attention/rows", "min((block + 1u) * params.pool, keys)", "block * params.pool + 1u", attention_group),
    ("attention/clear", "first.x + group.y", "group.y", attention_group),
    ("attention/totals", "1u + thread", "thread", attention_group),
    ("attention/wall", "first.y * TILE + first.x", "first.x * TILE + first.y", attention_group),
    ("attention/scores", "key <= row", "key < row", attention_group),
    ("attention/weights", "t <= row)", "t < row)", attention_group),
    ("attention/line", "t * CONTEXT + params.y", "params.y * CONTEXT + t", attention_group),
    ("attention/matrix", "row + 1)", "row)", attention_group),
    ("strip/paint", "0.08", "0.16", viewed(strip_checks.strip)),
    ("map/paint", "sqrt(share)", "share", lambda _: map_checks.maps(engine_of(), loud_model(SMALL), 2)),
    ("map/center", "if (is_finite(value))", "if (true)", lambda gpu: iter([map_checks.center(gpu, 257)])),
    ("map/center", "i < COUNT", "i < COUNT + 1u", lambda gpu: iter([map_checks.center(gpu, 257)])),
    ("map/live_blocks", "extreme_key(relative(four[k]))", "extreme_key(four[k])",
     lambda _: map_checks.maps(engine_of(), loud_model(SMALL), 2)),
    ("map/cells", "extreme_key(relative(four[k]))", "extreme_key(four[k])",
     lambda _: map_checks.maps(engine_of(), loud_model(SMALL), 2)),
    ("map/cells", "- min(size.y, high)) / 2u", "- min(size.y, high)) / 2u + 1u",
     lambda _: map_checks.maps(engine_of(), loud_model(SMALL), 2)),
    ("edit/apply", "edits[0] + state", "1u + edits[0] + state", of_edits("texture", "activations")),
    ("edit/apply", "atomicAdd(&counts[1u + e], 1u)", "atomicAdd(&counts[e], 1u)", of_edits("texture", "activations")),
    ("forward/attention_rows", "{ e = 0.0; }", "{ e = 1.0; }", of_edits("texture", "attention")),
    ("forward/attention_rows", "first_key + t", "t", of_edits("texture", "attention")),
    ("forward/attention_pattern", "scores[t] * inverse", "1.01 * scores[t] * inverse",
     of_edits("texture", "attention")),
    ("edit/weight", "params.first + row", "1u + params.first + row", of_edits("texture", "weights")),
    ("decode/qkv", "edited(params.value_point", "0.5 + edited(params.value_point", of_edits("buffer", "activations")),
    ("decode/attention", "sum * SCALE", "sum * 1.001 * SCALE", fused),
    ("forward/matmul_few", "sum + bias", "sum + 1.001 * bias", fused),
)  # fmt: skip


@pytest.mark.parametrize(
    ("shader", "text", "other", "group"), MUTANTS, ids=lambda value: value[:24] if isinstance(value, str) else ""
)
def test_a_wrong_kernel_fails_its_check(
    monkeypatch: pytest.MonkeyPatch,
    mutate: Mutate,
    device: wgpu.GPUDevice,
    shader: str,
    text: str,
    other: str,
    group: Callable[[Gpu], Iterator[Check | Skipped]],
) -> None:
    monkeypatch.setitem(module.GROUPS, "one", group)
    changes = mutate(shader, text, other)
    found = prove(device, groups=["one"])
    assert sum(changes) > 0, f"{shader} does not contain {text!r}"
    assert not found.ok


def test_a_nan_error_is_kept(monkeypatch: pytest.MonkeyPatch, mutate: Mutate, device: wgpu.GPUDevice) -> None:
    mutate("forward/layer_norm", "1e-05", "-1e9")
    monkeypatch.setitem(
        module.GROUPS, "one", lambda gpu: iter([norm.layer_norm(gpu, c, 16, 5, head=False) for c in (36, 20)])
    )
    found = prove(device, groups=["one"])
    assert not found.ok
    assert math.isnan(found.largest_error)


# -- errors


def test_a_driver_error_is_a_failure(monkeypatch: pytest.MonkeyPatch, device: wgpu.GPUDevice) -> None:
    def broken(gpu: Gpu) -> Iterator[Check]:
        yield norm.layer_norm(gpu, 20, 1, 1, head=False)
        raise DeviceError("the driver is gone")

    monkeypatch.setitem(module.GROUPS, "one", broken)
    first, second = prove(device, groups=["one"]).results
    assert (first.ok, second.ok, second.worst) == (True, False, "the driver is gone")


# -- the command


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`doctor --prove` with one check, a skipped one and a separate cache."""
    some = [Skipped("chain", "not here")]
    group = {"one": lambda gpu: iter([norm.layer_norm(gpu, 36, 16, 5, head=False), *some])}
    monkeypatch.setattr(module, "GROUPS", group)
    monkeypatch.setenv("ATLAS_VIEWER_CACHE", str(tmp_path))
    return runner(capsys, "doctor", "--prove")


def test_the_command_prints_a_table(doctor: Run, device: wgpu.GPUDevice) -> None:
    result = doctor()
    assert (result.status, result.err) == (0, "")
    assert "ok     forward/layer_norm" in result.out
    assert "-      chain " in result.out
    assert "not run: not here" in result.out
    assert "\nproved: the largest numeric error is " in result.out
    assert wgsl.digest()[:12] in result.out
    known = proof.known(device.adapter)
    assert known is not None
    assert known.ok
    assert known.error == pytest.approx(1e-7, abs=1e-6)


def test_the_command_prints_json(doctor: Run, device: wgpu.GPUDevice) -> None:
    result = doctor("--json")
    record = json.loads(result.out)
    assert result.status == 0
    assert record.keys() == {
        "adapter", "driver", "shader_hash", "versions", "checks", "skipped", "ok", "largest_error", "seconds", "date"
    }  # fmt: skip
    (only,) = record["checks"]
    assert {"name", "error", "tolerance", "ok", "shapes"} <= only.keys()
    assert (only["name"], only["ok"], only["shapes"]) == ("forward/layer_norm", True, ["[16, 36]"])
    assert (record["ok"], record["largest_error"]) == (True, only["error"])
    assert record["skipped"] == [{"name": "chain", "why": "not here"}]
    assert record["shader_hash"] == wgsl.digest()
    assert record["adapter"] in proof.Subject.of(device.adapter).adapter


@pytest.mark.parametrize(("other", "null"), [("2e-4", False), ("-1e9", True)])
def test_the_command_fails_for_a_wrong_kernel(
    doctor: Run, mutate: Mutate, device: wgpu.GPUDevice, other: str, null: bool
) -> None:
    mutate("forward/layer_norm", "1e-05", other)
    result = doctor("--json")
    record = json.loads(result.out)
    assert result.status == 1
    assert (record["ok"], record["checks"][0]["ok"]) == (False, False)
    assert (record["checks"][0]["error"] is None) == (record["largest_error"] is None) == null
    known = proof.known(device.adapter)
    assert known is not None
    assert (known.ok, known.error is None) == (False, null)
    text = doctor()
    assert text.status == 1
    assert "WRONG  forward/layer_norm" in text.out
    assert "FAILED: 1 of 1 checks" in text.out


def test_an_unwritable_cache_does_not_change_the_result(
    doctor: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = f"{tmp_path}/file"
    open(blocked, "w").close()
    monkeypatch.setenv("ATLAS_VIEWER_CACHE", blocked)
    result = doctor()
    assert result.status == 0
    assert result.err.startswith("atlas-viewer: the result was not saved: ")
    assert result.err.count("\n") == 1
