"""The command line: its output, the files it writes, and one line for every error."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from atlas_viewer.cli.parser import parse
from compute.forward.engine import Engine
from compute.models.architectures import parameter_count
from compute.models.config import ModelConfig
from compute.weights.checkpoint import open_model

from helpers.command_line import PROMPT, TEXT, Run, assert_one_line, no_constants
from helpers.make_models import broken_checkpoint, tiny_checkpoint
from helpers.paths import DATA, ROOT

pytestmark = pytest.mark.gpu

SMALL = ("--context", "16", "--temperature", "0")


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def put(data: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


# -- generate


def test_generated_text(run: Run) -> None:
    result = run("generate", PROMPT, "-n", 18, "--temperature", 0, "--context", 64)
    assert (result.status, result.out, result.err) == (0, TEXT + "\n", "")


def test_json_is_complete(run: Run) -> None:
    result = run("generate", PROMPT, "-n", 24, "--temperature", 0, "--context", 64, "--json", "--top", 5)
    record = json.loads(result.out, parse_constant=no_constants)
    assert (result.status, result.err) == (0, "")
    assert result.out.count("\n") == 1
    with np.load(DATA / "stories_greedy.npz") as greedy:
        tokens, prompt = greedy["once.tokens"].tolist(), int(greedy["once.n_prompt"])
    assert record.keys() == {
        "model", "adapter", "program", "prompt", "prompt_tokens", "options", "edits", "steps", "text", "stop_reason",
        "nonfinite_logits", "tokens_per_second",
    }  # fmt: skip
    config = open_model("stories").config
    assert record["model"] == {
        "name": "stories", "layers": config.layers, "heads": config.heads, "channels": config.channels,
        "positions": config.positions, "vocabulary": 50257, "parameters": parameter_count(config), "weights": "bf16",
    }  # fmt: skip
    assert record["prompt_tokens"] == tokens[:prompt]
    assert [step["token"] for step in record["steps"]] == tokens[prompt:]
    assert (record["prompt"], record["stop_reason"], record["nonfinite_logits"]) == (PROMPT, "length", 0)
    assert record["text"] == PROMPT + "".join(step["text"] for step in record["steps"])
    assert record["text"].startswith(TEXT)
    assert record["tokens_per_second"] > 0
    assert isinstance(record["adapter"], str)
    assert record["options"]["temperature"] == 0
    assert record["options"]["max_new_tokens"] == 24
    for index, step in enumerate(record["steps"]):
        assert step.keys() == {
            "index", "context_start", "context_length", "token", "text", "logit", "probability", "model_probability",
            "rank", "forward_ms", "top", "entropy", "nonfinite_logits",
        }  # fmt: skip
        assert (step["index"], step["context_start"], step["context_length"]) == (index, 0, prompt + index)
        assert (step["rank"], step["probability"]) == (1, 1)
        assert step["forward_ms"] > 0
        assert len(step["top"]) == 5
        first = step["top"][0]
        assert first.keys() == {"token", "text", "logit", "scaled_delta", "probability", "model_probability"}
        assert first == {key: step[key] for key in first.keys() - {"scaled_delta"}} | {"scaled_delta": 0}
        logits = [candidate["logit"] for candidate in step["top"]]
        assert logits == sorted(logits, reverse=True)


def test_logits_are_those_of_the_steps(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "logits.npy"
    result = run("generate", PROMPT, "-n", 3, "--temperature", 0, "--context", 64, "--logits", path)
    logits = np.load(path)
    assert result.status == 0
    assert (logits.shape, logits.dtype) == ((3, 50257), np.float32)
    with np.load(DATA / "stories_greedy.npz") as greedy:
        index, wanted = greedy["once.index"][:3], greedy["once.logit"][:3]
    assert np.abs(np.take_along_axis(logits, index, axis=1) - wanted).max() <= 2e-3
    assert [path.name for path in tmp_path.iterdir()] == ["logits.npy"]


def test_prompt_from_standard_input(run: Run, stdin: Callable[[bytes], None]) -> None:
    stdin(PROMPT.encode())
    result = run("generate", "-", "-n", 3, *SMALL)
    assert (result.status, result.out) == (0, PROMPT + " little girl named\n")


def test_every_script_is_printed_unchanged(run: Run, stdin: Callable[[bytes], None]) -> None:
    prompt = "a\tc\r\n é 猫 🐈"
    stdin(prompt.encode())
    result = run("generate", "-", "-n", 1, "--json", *SMALL)
    record = json.loads(result.out, parse_constant=no_constants)
    assert (result.status, record["prompt"]) == (0, prompt)
    assert record["text"].startswith(prompt)
    assert result.out.count("\n") == 1


@pytest.mark.parametrize(("prompt", "code"), [("a\x00b", "U+0000"), ("a\x1b[31m", "U+001B"), ("a\x7f", "U+007F")])
def test_control_characters_in_the_prompt(run: Run, stdin: Callable[[bytes], None], prompt: str, code: str) -> None:
    stdin(prompt.encode())
    result = run("generate", "-", "-n", 1, *SMALL)
    assert (result.status, result.out) == (1, "")
    assert result.err == f"atlas-viewer: standard input: character 2 ({code}) is a control character; remove it\n"


def test_a_program_that_the_adapter_cannot_run(run: Run, stories: Engine) -> None:
    if stories.layout != "texture":
        pytest.skip("the adapter is a GPU")
    result = run("generate", PROMPT, "-n", 1, "--program", "chain", *SMALL)
    assert result.status == 2
    assert re.fullmatch(r"atlas-viewer: --program chain: .*; use --program rows\n", result.err)
    record = json.loads(run("generate", PROMPT, "-n", 1, "--json", "--program", "rows", *SMALL).out)
    assert record["program"] == "rows"


def test_a_full_disk_behind_standard_output() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "atlas_viewer", "generate", PROMPT, "-n", "1", *map(str, SMALL)]
        result = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("atlas-viewer: standard output: cannot be written to")
    assert result.stderr.count("\n") == 1


def test_a_prompt_longer_than_the_context(run: Run) -> None:
    result = run("generate", PROMPT, "-n", 1, "--context", 3, "--temperature", 0, "--json")
    record = json.loads(result.out)
    assert result.status == 0
    assert re.fullmatch(r"note: the prompt has 8 tokens; the context keeps the last 3 of them\n", result.err)
    assert (record["steps"][0]["context_start"], record["steps"][0]["context_length"]) == (5, 3)
    assert record["text"].startswith(PROMPT)


def test_an_empty_prompt(run: Run) -> None:
    record = json.loads(run("generate", "", "-n", 1, "--json", *SMALL).out)
    assert (record["prompt"], record["prompt_tokens"]) == ("", [50256])


def test_a_seed_repeats(run: Run) -> None:
    texts = [run("generate", "The", "-n", 6, "--context", 16, "--seed", seed).out for seed in (7, 7, 8)]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("position", ["before", "after"])
def test_global_options_before_and_after_the_command(run: Run, tmp_path: Path, position: str) -> None:
    missing = tmp_path / "missing.bin"
    given = ["--model", missing, "generate", "x"] if position == "before" else ["generate", "x", "--model", missing]
    assert_one_line(run(*given), 1, str(missing), "no such file")


def test_devices_need_no_suffix(run: Run) -> None:
    assert run("atlas", "x", "--out", "/dev/null", "--context", 16).status == 0


def test_values_may_be_negative() -> None:
    assert parse(["render", "x", "--out", "f.png", "--center", "-5,-.5"]).center == (-5.0, -0.5)
    assert parse(["render", "-5", "--out", "f.png", "--center=-5,3"]).center == (-5.0, 3.0)
    assert parse(["a prompt", "-n", "3"]).command == "view"


def test_no_more_candidates_than_tokens(run: Run, tmp_path: Path) -> None:
    sizes = ModelConfig(layers=1, heads=1, channels=16, positions=8, vocabulary=1, padded_vocabulary=1)
    path = tiny_checkpoint(tmp_path / "one.bin", sizes)
    result = run("generate", "x", "--model", path)
    assert_one_line(result, 1, "the model has 1;")
    assert "--top" not in result.err
    assert_one_line(run("generate", "x", "--model", path, "--top", 2), 2, "--top 2")


# -- atlas


def test_atlas(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "atlas.npz"
    result = run("atlas", PROMPT, "--out", path, "--temperature", 0, "--context", 64)
    assert (result.status, result.out, result.err) == (0, "", "")
    with np.load(path) as saved, np.load(DATA / "strip_once.npz") as wanted:
        assert sorted(saved.files) == ["rgba", "spans"]
        assert (saved["rgba"].shape, saved["rgba"].dtype) == ((360, 640, 4), np.uint8)
        assert json.loads(str(saved["spans"])) == json.loads(str(wanted["spans"]))
        assert np.abs(saved["rgba"].astype(int) - wanted["rgba"].astype(int)).max() <= 1
    assert [path.name for path in tmp_path.iterdir()] == ["atlas.npz"]


# -- bad input


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("generate",), ("PROMPT",)),
        (("generate", "x", "-n", "0"), ("-n 0", "from 1")),
        (("generate", "x", "-n", "-3"), ("-n -3", "from 1")),
        (("generate", "x", "-n", "many"), ("-n", "many")),
        (("generate", "x", "--context", "0"), ("--context 0", "from 1")),
        (("generate", "x", "--context", "100000"), ("--context 100000", "from 1 to")),
        (("generate", "x", "--temperature", "-1"), ("--temperature -1", "from 0")),
        (("generate", "x", "--temperature", "nan"), ("--temperature nan",)),
        (("generate", "x", "--temperature", "inf"), ("--temperature inf",)),
        (("generate", "x", "--seed", "-1"), ("--seed -1",)),
        (("generate", "x", "--seed", "4294967296"), ("--seed 4294967296",)),
        (("generate", "x", "--top", "-1"), ("--top -1",)),
        (("generate", "x", "--top", "201"), ("--top 201", "to 200")),
        (("generate", "x", "--weights", "f8"), ("--weights", "f8")),
        (("generate", "x", "--nonsense"), ("--nonsense",)),
        (("generate", "x", "y"), ("y",)),
        (("view", "x", "-n", "0"), ("-n 0",)),
        (("atlas", "x"), ("--out",)),
        (("render", "x", "--out", "f.png", "--size", "0x5"), ("--size", "0x5")),
        (("render", "x", "--out", "f.png", "--size", "wide"), ("--size", "wide")),
        (("render", "x", "--out", "f.png", "--zoom", "close"), ("--zoom", "close")),
        (("render", "x", "--out", "f.png", "--center", "1"), ("--center", "1")),
        (("render", "x", "--out", "f.png", "--size", "-5x5"), ("-5x5", "from 1 to 16384")),
        (("render", "x", "--out", "f.png", "--center", "-5,y"), ("'-5,y' is not a point",)),
        (("render", "x", "--out", "f.jpg"), ("f.jpg", "ends in .png")),
        (("render", "x", "--out", "f"), ("f:", "ends in .png")),
        (("atlas", "x", "--out", "f.txt"), ("f.txt", "ends in .npz")),
        (("generate", "x", "--logits", "f.txt"), ("f.txt", "ends in .npy")),
        (("models", "convert", "stories", ""), ("OUT", "is empty")),
        (("session", "record", "x", "--out", ""), ("--out", "is empty")),
        (("genrate", "x"), ('"genrate": unknown command; did you mean generate?',)),
        (("genrate", "x", "--json"), ("did you mean generate?",)),
        (("--weights", "f32", "rendr", "x", "--out", "f.png"), ("did you mean render?",)),
        (("Once", "upon", "a", "time"), ('"Once": unknown command', "put quotes around")),
        (("Once upon", "--nonsense"), ("unrecognized arguments: --nonsense",)),
    ],
)  # fmt: skip
def test_wrong_usage(run: Run, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    assert_one_line(run(*arguments), 2, *parts)


def test_prompts_that_are_not_text(run: Run, stdin: Callable[[bytes], None]) -> None:
    assert_one_line(run("generate", os.fsdecode(b"caf\xe9"), "-n", 1), 1, "prompt", "UTF-8")
    assert_one_line(run("view", os.fsdecode(b"caf\xe9")), 1)
    stdin(b"caf\xe9 au lait")
    assert_one_line(run("generate", "-", "-n", 1), 1, "standard input", "byte 3", "UTF-8")


def test_files_that_are_not_models(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"

    def assert_refused(*parts: str) -> None:
        result = run("generate", "x", "-n", 1, "--model", path)
        assert_one_line(result, 1, str(path), *parts)

    assert_refused("no such file")
    path.write_bytes(b"")
    assert_refused("empty")
    for header, part in (
        ({"magic": 1}, "magic 1"),
        ({"version": 4}, "version 4"),
        ({"layers": 0}, "layers 0"),
        ({"heads": -2}, "heads -2"),
        ({"heads": 5}, "channels 12 are not divisible by heads 5"),
        ({"vocabulary": 2**31 - 1, "padded_vocabulary": 2**31 - 1, "channels": 2**31 - 4, "heads": 2**29 - 1}, "bytes"),
        ({"positions": 10}, "truncated"),
        ({"positions": 8}, "extra bytes"),
    ):
        broken_checkpoint(path, **header)
        assert_refused(part)
    tiny_checkpoint(path)
    result = run("generate", "x", "-n", 1, "--context", 4, "--top", 8, "--model", path)
    assert_one_line(result, 1, "50257 tokens", "the model has 21;")
    with path.open("ab") as file:
        file.write(b"\0")
    assert_refused("1 extra bytes")
    path.unlink()
    path.mkdir()
    assert_refused("a directory")
    assert_one_line(run("generate", "x", "--model", "gpt2"), 1, "--model gpt2")
    assert_one_line(run("generate", "x", "--model", "random:tiny"), 1, "random:tiny", "random:gpt2")
    assert_one_line(run("generate", "x", "--model", "no\nsuch"), 1, "no\\nsuch")


def test_targets_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    for command, option in (("generate", "--logits"), ("atlas", "--out"), ("render", "--out")):
        assert_one_line(run(command, "x", "-n", 1, option, tmp_path), 1, str(tmp_path), "folder")
        nowhere = tmp_path / "missing" / "file"
        assert_one_line(run(command, "x", "-n", 1, option, nowhere), 1, str(nowhere), "no folder")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_adapter(run: Run) -> None:
    assert_one_line(run("generate", "x", "-n", 1, "--adapter", "Voodoo"), 1, "--adapter Voodoo", "llvmpipe")
