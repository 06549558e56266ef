"""The comparison with PyTorch: the same sizes for every architecture, the right ratios, and errors in one line."""

from __future__ import annotations

import inspect
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from atlas_viewer.cli import bench_table
from atlas_viewer.cli.main import main
from compute.bench import torch_bench, torch_models
from compute.bench.measuring import Budget
from compute.errors import AtlasError
from compute.models.architectures import architecture_of, known_shapes
from compute.models.config import ModelConfig

SHORT = Budget(seconds=0.05, longest=10.0, warm_up=0.01)
GPT2 = ModelConfig(layers=1, heads=2, channels=8, positions=48, vocabulary=50257, padded_vocabulary=50304)


def small(name: str) -> ModelConfig:
    """A known shape with small sizes."""
    config = known_shapes()[name]
    kv_heads = 2 if config.own_kv_heads else 0
    rope = None if config.rope is None else replace(config.rope, channels=4 if config.rope.channels else 0)
    return replace(
        config, layers=2, heads=4, channels=32, vocabulary=60, padded_vocabulary=64, positions=48, rope=rope,
        own_kv_heads=kv_heads, own_neurons=64, own_head_size=8,
    )  # fmt: skip


ONE_OF_EACH = ("smollm2-135m", "qwen2.5-0.5b", "qwen3-0.6b", "gemma-2-2b", "gemma-3-270m", "pythia-70m")


def test_missing_torch_is_reported_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert main(["bench", "--compare", "torch", "--model", "no such file.bin"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "--compare torch: torch cannot be imported" in err
    assert "pip install torch" in err


def test_broken_torch_is_reported_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libcudart is missing\\nand more')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with pytest.raises(AtlasError, match=r"^--compare torch: torch .*\(libcudart is missing\); pip install [^\n]*$"):
        torch_bench.compare(GPT2, "f32", 16, SHORT, software=True)


def test_ratios() -> None:
    torch = {
        "fp16": {"generate_tokens_per_second": 10.0, "static_tokens_per_second": 20.0},
        "fp32": {"generate_tokens_per_second": 40.0, "static_tokens_per_second": 80.0},
    }
    assert torch_bench.ratios(40.0, torch) == {
        "fp16": {"generate": 4.0, "static": 2.0}, "fp32": {"generate": 1.0, "static": 0.5}
    }  # fmt: skip
    assert torch_bench.ratios(None, torch) == {}


def test_bf16_is_compared_when_it_was_measured() -> None:
    rates = {"generate_tokens_per_second": 10.0, "static_tokens_per_second": 20.0}
    torch = dict.fromkeys(("fp32", "fp16", "bf16"), rates)
    assert torch_bench.ratios(40.0, torch)["bf16"] == {"generate": 4.0, "static": 2.0}


def test_the_table_has_ours_theirs_and_the_ratio() -> None:
    rates = {"generate_tokens_per_second": 100.0, "static_tokens_per_second": 500.0}
    torch = {
        "version": "2.11", "transformers": "5.17", "device": "a GPU", "context": 256, "bf16": rates,
        "static_kind": "torch.compile and CUDA graphs",
    }  # fmt: skip
    ratios = torch_bench.ratios(600.0, torch)
    rows = list(bench_table.torch_rows({"decode_tokens_per_second": 600.0, "torch": torch, "ratios": ratios}))
    assert rows == [
        ("PyTorch", "2.11, transformers 5.17 on a GPU, greedy, at 256; tokens/s:"),
        ("  bf16", "      100  Hugging Face generate; ours 600, 6 times that"),
        ("  bf16", "      500  static cache, torch.compile and CUDA graphs; ours 600, 1.2 times that"),
    ]
    assert list(bench_table.torch_rows({"decode_tokens_per_second": 600.0})) == []


@pytest.mark.parametrize("name", ["gpt2", *ONE_OF_EACH])
def test_the_sizes_are_those_of_the_model(name: str) -> None:
    config = replace(known_shapes()[name], padded_vocabulary=300000)
    given: dict[str, Any] = {}

    class Model:
        generation_config = SimpleNamespace(eos_token_id=2)
        dtype = ""

        def to(self, dtype: str) -> Model:
            self.dtype = dtype
            return self

        def eval(self) -> Model:
            return self

    class AutoConfig:
        @staticmethod
        def for_model(kind: str, **values: Any) -> dict[str, Any]:
            given.update(values, model_type=kind)
            return given

    model = Model()
    auto = SimpleNamespace(from_config=lambda _config: model)
    transformers = SimpleNamespace(AutoConfig=AutoConfig, AutoModelForCausalLM=auto)
    torch = SimpleNamespace(device=lambda _device: open("/dev/null"))  # noqa: SIM115  # a context manager
    made = torch_models.transformers_model(torch, transformers, config, "cpu", "half")
    assert (made.dtype, made.generation_config.eos_token_id) == ("half", None)
    fields = architecture_of(config).fields
    assert given["model_type"] == architecture_of(config).model_types[0]
    assert given["vocab_size"] == 300000
    assert (given[fields.layers], given[fields.heads]) == (config.layers, config.heads)
    assert (given[fields.channels], given[fields.positions]) == (config.channels, config.positions)
    assert given["eos_token_id"] is None
    if config.own_kv_heads:
        assert given["num_key_value_heads"] == config.kv_heads


@pytest.mark.parametrize("names", [{"cache"}, {"past_key_values"}, {"past_key_values", "cache_position"}])
def test_every_version_gets_cache_and_positions(names: set[str]) -> None:
    calls: list[dict[str, Any]] = []

    class Forward:
        __signature__ = inspect.Signature([inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names])

        def __call__(self, **given: Any) -> SimpleNamespace:
            calls.append(given)
            return SimpleNamespace(logits=Logits())

    cache = SimpleNamespace(reset=lambda: calls.append({"reset": True}))
    transformers = SimpleNamespace(StaticCache=lambda config, max_cache_len: cache)

    class Model:
        config = None
        device = "cpu"
        forward = Forward()

        def __call__(self, **given: Any) -> SimpleNamespace:
            return self.forward(**given)

    torch = SimpleNamespace(
        long=np.int64,
        zeros=lambda shape, dtype, device: np.zeros(shape, dtype),
        arange=lambda count, device: np.arange(count),
    )
    decoder = torch_models.StaticDecoder(torch, transformers, Model(), 8, lambda function: function)
    decoder.begin(3)
    token = decoder.step(np.array([[1]]), np.array([3]))
    assert token.tolist() == [[2]]
    reset, prompt, step = calls
    assert reset == {"reset": True}
    for call, positions in ((prompt, [0, 1, 2]), (step, [3])):
        assert call["position_ids"].tolist() == [positions]
        assert call["input_ids"].shape == (1, len(positions))
        assert call["cache" if "cache" in names else "past_key_values"] is cache
        if "cache_position" in names:
            assert call["cache_position"].tolist() == positions


class Logits:
    """Logits whose last row is largest at token 2."""

    def __getitem__(self, _index: object) -> Logits:
        return self

    def argmax(self, _axis: int, *, keepdim: bool) -> np.ndarray:
        """The likeliest token."""
        return np.full((1, 1) if keepdim else (1,), 2)


@pytest.mark.parametrize("name", ["gpt2", *ONE_OF_EACH])
def test_torch_runs_the_same_sizes(name: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    config = GPT2 if name == "gpt2" else small(name)
    result = torch_bench.compare(config, "bf16", 256, SHORT, software=True)
    assert (result["device"], result["context"], result["static_kind"]) == ("cpu", 48, "eager")
    for precision in torch_bench.PRECISIONS:
        for kind in torch_bench.KINDS:
            assert result[precision][f"{kind}_tokens_per_second"] > 0
            assert result[precision]["counts"][kind]["repeats"] >= 1


def test_what_torch_raises_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")

    def fails(*_: object) -> None:
        raise RuntimeError("CUDA out of memory\nand more")

    monkeypatch.setattr(torch_models, "transformers_model", fails)
    with pytest.raises(AtlasError, match=r"^--compare torch: fp16 cannot be measured \(CUDA out of memory\); [^\n]*$"):
        torch_bench.compare(GPT2, "f16", 16, SHORT, software=True)
