"""Memory budgets: estimates match what is allocated, and refusals say what would fit."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import wgpu

from atlas_viewer.cli.option_names import command_line_option
from atlas_viewer.scene.glyphs import digit_glyphs
from compute.errors import MemoryBudgetError, options_spelled
from compute.forward import memory_budget
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.gpu.vulkan_memory import device_memory
from compute.models.architectures import describe
from compute.models.config import GPT2_SIZES, ModelConfig
from compute.views.map_layout import map_layout
from compute.views.map_pass import MapPass, map_bytes
from compute.weights.random_model import RandomModel

pytestmark = pytest.mark.gpu

CONFIG = ModelConfig(layers=2, heads=2, channels=64, positions=64, vocabulary=500, padded_vocabulary=512)
GB = 10**9


def types_of(config: ModelConfig, dtype: str) -> dict[str, str]:
    return dict.fromkeys(describe(config).weights, dtype)


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("dtype", ["f32", "bf16"])
@pytest.mark.parametrize("layout", ["texture", "buffer"])
def test_the_estimate_matches_the_memory_of_an_engine(
    device: wgpu.GPUDevice, layout: str, dtype: str, trace: bool
) -> None:
    engine = Engine.load(
        RandomModel(CONFIG), LoadOptions(context=64, layout=layout, weights=dtype, trace=trace, program="rows")
    )
    types = types_of(CONFIG, dtype)
    estimate = memory_budget.needed_bytes(describe(CONFIG), types=types, context=64, trace=trace)
    estimate -= memory_budget._OTHERS
    assert engine.gpu_bytes == pytest.approx(estimate, rel=0.02)


def test_a_model_that_fits_is_accepted() -> None:
    model = describe(GPT2_SIZES["gpt2"])
    types = types_of(GPT2_SIZES["gpt2"], "f32")
    needed = memory_budget.needed_bytes(model, types=types, context=256, trace=True)
    for available in (needed, None):
        memory_budget.check_budget("m", model, dtype="f32", types=types, context=256, trace=True, available=available)


@pytest.mark.parametrize(
    ("available", "says"),
    [
        (10 * GB, ["12.62 GB", "10.00 GB", 'weights="f16" (9.51 GB)', 'weights="bf16"', "context=512"]),
        (8 * GB, ["8.00 GB", "context=256"]),
        (2 * GB, ["2.00 GB", "a smaller model"]),
    ],
)
def test_a_refusal_says_what_would_fit(available: int, says: list[str]) -> None:
    with pytest.raises(MemoryBudgetError) as error:
        memory_budget.check_budget(
            "gpt2-xl", describe(GPT2_SIZES["gpt2-xl"]), dtype="f32", types=types_of(GPT2_SIZES["gpt2-xl"], "f32"),
            context=1024, trace=True, available=available
        )  # fmt: skip
    message = str(error.value)
    assert "\n" not in message
    assert all(part in message for part in ["gpt2-xl", "f32", "1024", *says])


def test_an_engine_that_does_not_fit_reads_no_weights(device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compute.forward.model_memory.available_bytes", lambda adapter: 1 << 20)

    class Untouchable(RandomModel):
        def tensor(self, name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
            raise AssertionError("a tensor was read")

    with pytest.raises(MemoryBudgetError):
        Engine.load(Untouchable(CONFIG), LoadOptions(context=64))


@pytest.mark.parametrize("context", [16, 64])
def test_the_estimate_matches_the_memory_of_a_map(
    stories: Engine, monkeypatch: pytest.MonkeyPatch, context: int
) -> None:
    allocated = []
    for kind in ("buffer", "texture"):
        create = getattr(type(stories.device), f"create_{kind}")

        def counted(self: wgpu.GPUDevice, *, create: Any = create, **named: Any) -> Any:
            made = create(self, **named)
            words = {"rgba16uint": 8, "r32uint": 4, "r8unorm": 1}
            size = named["size"]
            allocated.append(size if isinstance(size, int) else size[0] * size[1] * words[named["format"]])
            return made

        monkeypatch.setattr(type(stories.device), f"create_{kind}", counted)
    layout = map_layout(stories.registry, context)
    made = MapPass.load(stories, digit_glyphs(), layout)
    assert made.nbytes == map_bytes(stories, layout)
    assert sum(allocated) == pytest.approx(made.nbytes, rel=0.02)


def test_a_map_that_does_not_fit_allocates_nothing(stories: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = map_layout(stories.registry, 64)
    needed = map_bytes(stories, layout)
    monkeypatch.setattr("compute.views.map_pass.free_bytes", lambda _adapter, used: needed if used else 0)
    assert MapPass.load(stories, digit_glyphs(), layout).nbytes == needed
    monkeypatch.setattr("compute.views.map_pass.free_bytes", lambda _adapter, _used: needed - 1)
    monkeypatch.setattr("compute.views.map_pass.PatternStore", None)  # nothing may be allocated
    with pytest.raises(MemoryBudgetError, match=r"^the map needs \d+\.\d MB .*, \d+\.\d MB are available: use [^\n]*$"):
        MapPass.load(stories, digit_glyphs(), layout)


def test_free_memory_of_a_gpu_excludes_the_engine(device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_budget, "available_bytes", lambda _: 10 * GB)
    monkeypatch.setattr(memory_budget, "is_software", lambda _: False)
    assert memory_budget.free_bytes(device.adapter, 4 * GB) == 6 * GB - memory_budget._OTHERS
    assert memory_budget.free_bytes(device.adapter, 11 * GB) == 0
    monkeypatch.setattr(memory_budget, "is_software", lambda _: True)
    assert memory_budget.free_bytes(device.adapter, 4 * GB) == 10 * GB
    monkeypatch.setattr(memory_budget, "available_bytes", lambda _: None)
    assert memory_budget.free_bytes(device.adapter, 4 * GB) is None


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_a_software_adapter_has_the_memory_of_the_host(device: wgpu.GPUDevice) -> None:
    if device.adapter.info["adapter_type"] != "CPU":
        pytest.skip("the adapter is a GPU")
    available = memory_budget.available_bytes(device.adapter)
    assert available is not None
    assert 10**8 < available < 10**14


def test_the_vulkan_library_reports_the_memory_of_the_adapter(device: wgpu.GPUDevice) -> None:
    info = device.adapter.info
    if info["backend_type"] != "Vulkan":
        pytest.skip("not a Vulkan adapter")
    size = device_memory(int(info["vendor_id"]), int(info["device_id"]))
    assert size is not None
    assert 10**8 < size < 10**14
    assert device_memory(1, 2) is None


def test_a_refusal_names_options_as_the_caller_writes_them() -> None:
    def refusal() -> str:
        with pytest.raises(MemoryBudgetError) as error:
            memory_budget.check_budget(
                "gpt2-xl", describe(GPT2_SIZES["gpt2-xl"]), dtype="f32", types=types_of(GPT2_SIZES["gpt2-xl"], "f32"),
                context=1024, trace=True, available=10 * GB
            )  # fmt: skip
        return str(error.value)

    python = refusal()
    assert "context=1024 needs 12.62 GB" in python
    assert "--" not in python
    with options_spelled(command_line_option):
        typed = refusal()
    assert "--weights f16 (9.51 GB)" in typed
    assert "--context 1024 needs 12.62 GB" in typed
    assert "=" not in typed
    assert refusal() == python
