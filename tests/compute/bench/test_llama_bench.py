"""The comparison with llama.cpp: what `llama-bench` is asked for, what it answers, and errors in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from atlas_viewer.cli import bench_table
from atlas_viewer.cli.main import main
from compute.bench import engine_bench, llama_bench
from compute.bench.measuring import Budget
from compute.errors import AtlasError
from compute.models.config import ModelConfig

from helpers.json_schemas import errors
from helpers.make_gguf import gpt2_metadata, gpt2_tensors, write_gguf
from helpers.make_models import tiny_model

ANSWERS = """
def tests(prompts, tokens, depth):
    for n_prompt, n_gen in [*((n, 0) for n in prompts if n), *((0, n) for n in [tokens] if n)]:
        yield {
            "build_commit": "abc1234", "build_number": 6123, "backends": "CUDA", "cpu_info": "a CPU",
            "gpu_info": "a GPU", "n_threads": 4, "n_gpu_layers": int(given["-ngl"]), "n_prompt": n_prompt,
            "n_gen": n_gen, "n_depth": depth, "avg_ts": 1.5, "samples_ns": [2_000_000, 1_000_000, 9_000_000],
        }
prompts = [int(n) for n in given["-p"].split(",")]
print(json.dumps(list(tests(prompts, int(given["-n"]), int(given.get("-d", 0))))))
"""
DECODE = {16: {"first": 1, "tokens": 30}, 256: {"first": 128, "tokens": 256}}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a `llama-bench` with this body on the PATH; it logs its arguments to the returned file."""
    log = tmp_path / "log"

    def put(body: str) -> Path:
        script = tmp_path / "llama-bench"
        script.write_text(
            f"#!{sys.executable}\nimport json, sys\nopen({str(log)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
            f"given = dict(zip(sys.argv[1::2], sys.argv[2::2]))\n{body}"
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return log

    return put


def test_it_measures_the_same_sizes(program: Any) -> None:
    log = program(ANSWERS)
    llama = llama_bench.compare(Path("m.gguf"), [16, 64], DECODE, quick=False, software=False)
    assert log.read_text().splitlines() == [
        "-m m.gguf -r 5 -ngl 99 -p 16,64 -n 0 -o json",
        "-m m.gguf -r 5 -ngl 99 -p 0 -n 30 -d 1 -o json",
        "-m m.gguf -r 5 -ngl 99 -p 0 -n 256 -d 128 -o json",
    ]
    assert llama == {
        "version": "6123 (abc1234)", "device": "a GPU", "backends": "CUDA", "threads": 4,
        "prefill": {"16": 2.0, "64": 2.0}, "decode": {"16": pytest.approx(15000), "256": pytest.approx(128000)},
        "counts": {
            "prefill": {"16": {"repeats": 3, "tokens": 16}, "64": {"repeats": 3, "tokens": 64}},
            "decode": {"16": {"repeats": 3, "tokens": 30}, "256": {"repeats": 3, "tokens": 256}},
        },
    }  # fmt: skip


def test_software_is_compared_with_the_processor(program: Any) -> None:
    log = program(ANSWERS)
    llama = llama_bench.compare(Path("m.gguf"), [], DECODE, quick=True, software=True)
    assert llama["device"] == "a CPU"
    assert llama["prefill"] == {}
    assert log.read_text().startswith("-m m.gguf -r 2 -ngl 0 -p 0 -n 30 -d 1 ")


def test_ratios_are_of_speeds() -> None:
    llama = {"prefill": {"16": 3.0, "64": 8.0}, "decode": {"16": 50.0}}
    ratios = llama_bench.ratios({"16": 2.0, "64": None, "256": 1.0}, {"16": 100.0}, llama)
    assert ratios == {"prefill": {"16": 1.5}, "decode": {"16": 2.0}}
    assert list(
        bench_table.llama_rows({"llama": llama | {"version": "1 (a)", "device": "a GPU", "ratios": ratios}})
    ) == [
        ("llama.cpp", "1 (a) on a GPU"),
        ("  prefill", "       16       64  tokens"),
        ("", "        3        8  ms"),
        ("", "      1.5        -  times as fast: ours"),
        ("  decode", "       16  tokens of context"),
        ("", "       50  tokens/s"),
        ("", "        2  times as fast: ours"),
    ]
    assert list(bench_table.llama_rows({})) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("sys.exit('error: invalid parameter for argument: -d\\nusage')", "exit status 1: error: invalid parameter"),
        ("sys.exit(3)", "exit status 3: no message"),
        ("print('nonsense')", "its output is not as expected: Expecting value"),
        ("print('{}')", "its output is not as expected: Expected `array`, got `object`"),
        ('print(\'[{"n_prompt": 16, "n_gen": 0, "samples_ns": []}]\')', "its output is not as expected: "),
        ('print(\'[{"n_prompt": 16, "n_gen": 0, "samples_ns": [-1]}]\')', "its output is not as expected: "),
        ('print(\'[{"n_prompt": 16, "n_gen": 0, "samples_ns": [NaN]}]\')', "is not a finite number"),
        ("print('[]')", "it did not measure a prompt of 16"),
        (ANSWERS.replace('"n_depth": depth', '"n_depth": 0'), "it did not measure 30 tokens after 1"),
    ],
)
def test_what_fails_is_reported_in_one_line(program: Any, body: str, problem: str) -> None:
    program(body)
    with pytest.raises(AtlasError) as caught:
        llama_bench.compare(Path("m.gguf"), [16], DECODE, quick=True, software=True)
    message = str(caught.value)
    assert message.startswith("--compare llama: llama-bench failed (")
    assert problem in message
    assert "\n" not in message


def test_nothing_to_compare(program: Any) -> None:
    program(ANSWERS)
    with pytest.raises(AtlasError, match="too slow to compare"):
        llama_bench.compare(Path("m.gguf"), [], {}, quick=True, software=True)


def test_what_is_needed_is_reported_at_once(
    program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.gguf"
    model.touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["bench", "--compare", "llama", "--model", str(model)]) == 1
    assert capsys.readouterr() == (
        "",
        "atlas-viewer: --compare llama: llama-bench is not on the PATH; install llama.cpp or add its folder to PATH\n",
    )
    program(ANSWERS)
    for spec in ("random:gpt2", "stories"):
        assert main(["bench", "--compare", "llama", "--model", spec]) == 1
        assert capsys.readouterr() == (
            "",
            "atlas-viewer: --compare llama: llama.cpp reads GGUF files only; give one, as in --model F.gguf\n",
        )


def test_the_answer_of_a_real_llama_bench_is_read(program: Any) -> None:
    """Fields as version b6123 prints them, also those that are not used."""
    test = {
        "build_commit": "abc", "build_number": 6123, "cpu_info": "a CPU", "gpu_info": "", "backends": "CPU",
        "model_filename": "m.gguf", "model_type": "llama 1B F16", "model_size": 1, "model_n_params": 1, "n_batch": 2048,
        "n_threads": 2, "cpu_mask": "0x0", "type_k": "f16", "n_gpu_layers": 99, "split_mode": "layer", "main_gpu": 0,
        "flash_attn": False, "tensor_split": "0.00", "use_mmap": True, "n_prompt": 16, "n_gen": 0, "n_depth": 0,
        "test_time": "2026-11-28T00:00:00Z", "avg_ns": 5, "stddev_ns": 0, "avg_ts": 1.5, "stddev_ts": 0.0,
        "samples_ns": [5], "samples_ts": [1.5],
    }  # fmt: skip
    program(f"print({json.dumps([test])!r})")
    llama = llama_bench.compare(Path("m.gguf"), [16], {}, quick=True, software=False)
    assert (llama["device"], llama["prefill"]) == ("a CPU", {"16": pytest.approx(5e-6)})


@pytest.mark.gpu
def test_the_command_shows_both(
    program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ModelConfig(layers=1, heads=2, channels=32, positions=32, vocabulary=50257, padded_vocabulary=50257)
    path, out = tmp_path / "small.gguf", tmp_path / "speed.svg"
    write_gguf(path, gpt2_metadata(config), gpt2_tensors(tiny_model(config), ("q4_0", "q8_0", "q5_1")))
    log = program(ANSWERS)
    monkeypatch.setattr(engine_bench, "QUICK", Budget(seconds=0.05, longest=10.0, warm_up=0.01))
    command = ["bench", "--quick", "--json", "--compare", "llama", "--model", str(path), "--out", str(out)]
    assert main([*command, "--size", "64x64"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert errors("bench", result) == []
    assert log.read_text().startswith(f"-m {path} -r 2 -ngl ")
    llama = result["llama"]
    assert list(llama["prefill"]) == list(llama["decode"]) == ["16", "32"]
    for n, ratio in llama["ratios"]["prefill"].items():
        assert ratio == pytest.approx(llama["prefill"][n] / result["prefill"][n], rel=1e-5)
    for n, ratio in llama["ratios"]["decode"].items():
        assert ratio == pytest.approx(result["decode"][n] / llama["decode"][n], rel=1e-5)
    assert b"llama.cpp 6123 (abc1234)" in out.read_bytes()
