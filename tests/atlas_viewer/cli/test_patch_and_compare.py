"""`patch` and `compare`: the numbers of the API as text, as JSON, as arrays and as pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av as pyav
import numpy as np
import pytest

import atlas_viewer as av
from atlas_viewer.recording.reader import Recording

from helpers.command_line import PROMPT, Run, assert_one_line, no_constants
from helpers.json_schemas import errors
from helpers.small_model import small_checkpoint

pytestmark = pytest.mark.gpu

CLEAN, CORRUPT = "One day, Tom had a red ball", "One day, Ben had a red ball"
PATCH = ("patch", CLEAN, CORRUPT, "--target", " Tom", "--against", " Ben", "--over")
EDIT = "h.3.attn.out[head=0] = 0"


@pytest.fixture(scope="module")
def model() -> av.Model:
    return av.load("stories", context=64)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs from one prompt whose tokens differ from some step on."""
    from atlas_viewer.cli.main import main

    folder = tmp_path_factory.mktemp("recordings")
    paths = folder / "a.atlas", folder / "b.atlas"
    for seed, path in enumerate(paths):
        assert (
            main(["session", "record", "Once upon a time", "-n", "8", "--seed", str(4 * seed), "--out", str(path)]) == 0
        )
    return paths


def printed(run: Run, *command: object, notes: int = 0) -> Any:
    """The output of a command with `--json`, which must be what its schema describes."""
    result = run(*command, "--json")
    assert (result.status, result.err.count("\n"), result.out.count("\n")) == (0, notes, 1), result.err
    value = json.loads(result.out, parse_constant=no_constants)
    assert errors(str(command[0]), value) == []
    return value


def pixels(path: Path) -> np.ndarray:
    with pyav.open(str(path)) as file:
        return next(file.decode(video=0)).to_ndarray(format="rgb24")


def test_patch_prints_the_numbers_of_the_api(run: Run, model: av.Model, tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    record = printed(run, *PATCH, "heads", "--control", "--direction", "noise", "--out", path)
    found = model.patch(CLEAN, CORRUPT, target=" Tom", against=" Ben", over="heads", direction="noise", control=True)
    assert (record["clean"], record["corrupt"], record["over"], record["direction"]) == (
        CLEAN,
        CORRUPT,
        "heads",
        "noise",
    )
    assert (record["clean_tokens"], record["corrupt_tokens"]) == (found.clean, found.corrupt)
    assert (record["target"], record["against"]) == (4186, 3932)
    assert record["clean_difference"] == pytest.approx(found.clean_difference, abs=1e-3)
    assert record["corrupt_difference"] == pytest.approx(found.corrupt_difference, abs=1e-3)
    np.testing.assert_allclose(record["values"], found.values, atol=2e-3)
    assert found.control is not None
    np.testing.assert_allclose(record["control"], found.control, atol=2e-3)
    assert record["changed"] == found.changed.tolist()
    assert [check["ok"] for check in record["checks"]] == [True]
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays["values"], record["values"])
        np.testing.assert_array_equal(arrays["control"], record["control"])


def test_patch_without_a_difference_is_null(run: Run) -> None:
    record = printed(run, "patch", CLEAN, CLEAN, "--target", "id:1", "--against", "id:2", "--over", "attn", notes=1)
    assert record["values"] == [[None] * 8] * 8
    assert (record["error"], record["control"]) == (None, None)


def test_patch_as_text_and_as_a_picture(run: Run, tmp_path: Path) -> None:
    lines = run(*PATCH, "resid_pre", "--edit", EDIT).out.splitlines()
    assert lines[0].startswith('logit of " Tom" minus logit of " Ben": clean ')
    assert lines[2] == f"edit {EDIT}"
    assert lines[3].split()[:2] == ["0", '"One"']
    assert any(line.startswith("layer 0 +0.000") for line in lines)
    assert "no effect: 28 of 64 patches changed no value" in lines
    assert lines[-1].startswith("check: patching the run with itself changes nothing: ok")
    path = tmp_path / "map.png"
    assert run(*PATCH, "heads", "--out", path).out == ""
    image = pixels(path)
    orange = (np.abs(image.astype(int) - (255, 150, 40)).sum(axis=2) < 90).any(axis=1)
    assert orange.any()  # head 3 of layer 6 takes the name to the end


def test_compare_prints_the_numbers_of_two_runs(run: Run, model: av.Model) -> None:
    record = printed(run, "compare", "stories", "stories", "--prompt", PROMPT, "--edit-b", EDIT, notes=1)
    names = [tensor["name"] for tensor in record["tensors"]]
    a, b = model.run(PROMPT, keep=names[:-1]), model.run(PROMPT, keep=names[:-1], edits=EDIT)
    assert (record["a"], record["b"], record["edits_a"], record["edits_b"]) == ("stories", "stories", [], [EDIT])
    assert record["tokens_a"] == record["tokens_b"] == a.tokens
    assert record["positions"] == [0, len(a.tokens)]
    assert names[-1] == "logits"
    assert "h.3.attn.pattern" in names
    for tensor in record["tensors"]:
        x, y = a[tensor["name"]].astype(float), b[tensor["name"]].astype(float)
        apart = np.abs(x - y)
        assert tensor["shape"] == list(x.shape)
        assert tensor["max_abs"] == pytest.approx(apart.max(), abs=1e-4)
        assert tensor["mean_abs"] == pytest.approx(apart.mean(), abs=1e-5)
        assert tensor["relative"] == pytest.approx(apart.max() / np.abs(x).max(), abs=1e-4)
        first = np.unravel_index(int((apart > 0).argmax()), x.shape) if apart.any() else None
        assert tensor["first"] == (None if first is None else list(first))
    before = names.index("h.3.attn.out")
    assert [tensor["first"] for tensor in record["tensors"][:before]] == [None] * before
    assert record["tensors"][before]["first"] == [0, 0]


def test_compare_measures_the_prediction(run: Run, model: av.Model) -> None:
    record = printed(run, "compare", "stories", "stories", "--prompt", PROMPT, "--edit-b", EDIT, notes=1)
    p, q = (_softmax(model.run(PROMPT, rows="last", edits=edits).logits[0]) for edits in ((), EDIT))
    assert record["logits"]["kl"] == pytest.approx(float((p * np.log(p / q)).sum()), abs=1e-5)
    top = record["logits"]["top"]
    assert [one["token"] for one in top[:3]] == np.argsort(-np.abs(p - q))[:3].tolist()
    for one in top:
        assert (one["a"], one["b"]) == pytest.approx((p[one["token"]], q[one["token"]]), abs=1e-5)
        assert one["text"] == model.tokenizer.token_text(one["token"])


def _softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits.astype(np.float64) - logits.max())
    share: np.ndarray = e / e.sum()
    return share


def test_equal_passes_differ_nowhere(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "same.png"
    record = printed(run, "compare", "stories", "stories", "--prompt", PROMPT, "--out", path)
    assert {(t["max_abs"], t["mean_abs"], t["relative"], t["first"]) for t in record["tensors"]} == {(0, 0, 0, None)}
    assert record["logits"] == {"kl": 0, "top": []}
    assert record["first_diverging_step"] is None
    assert pixels(path).shape[0] > 20 * len(record["tensors"])
    assert "93 of 93 tensors are the same" in run("compare", "stories", "stories", "--prompt", PROMPT).out


def test_texts_of_different_length_are_compared_where_both_have_tokens(run: Run) -> None:
    texts = ("--prompt", "Once upon a time", "--prompt-b", "Once upon a hill there was")
    record = printed(run, "compare", "stories", "stories", *texts)
    assert record["positions"] == [0, 4]
    assert (len(record["tokens_a"]), len(record["tokens_b"])) == (4, 6)
    first = record["tensors"][0]
    assert (first["name"], first["shape"], first["first"]) == ("embed.tokens", [4, 192], [3, 0])
    assert "only positions 0 to 3 are compared" in run("compare", "stories", "stories", *texts).out


def test_other_weights_of_the_same_shape(run: Run, tmp_path: Path) -> None:
    one, other = small_checkpoint(tmp_path / "a.bin"), tmp_path / "b.bin"
    data = bytearray(one.read_bytes())
    data[-4:] = np.float32(3).tobytes()  # the last parameter: ln_f.bias
    other.write_bytes(data)
    record = printed(run, "compare", one, other, "--prompt", "Once upon a time")
    assert [tensor["name"] for tensor in record["tensors"] if tensor["first"] is not None] == ["ln_f", "logits"]
    assert record["logits"]["kl"] > 0


def test_recorded_steps(run: Run, recordings: tuple[Path, Path], model: av.Model) -> None:
    tokens = []
    for path in recordings:
        with Recording(path) as recording:
            tokens.append([step.record.token for step in recording.steps(recording.run())])
    record = printed(run, "compare", f"{recordings[0]}:7", f"{recordings[1]}:7")
    prompt = model.tokenizer.encode("Once upon a time")
    continued = record["tokens_a"][len(prompt) :], record["tokens_b"][len(prompt) :]
    assert continued == (tokens[0][:7], tokens[1][:7])
    first = record["first_diverging_step"]
    assert first is not None
    assert tokens[0][:first] == tokens[1][:first]
    assert tokens[0][first] != tokens[1][first]
    embedded = record["tensors"][0]
    assert embedded["first"] == (None if first >= 7 else [len(prompt) + first, 0])
    same = printed(run, "compare", f"{recordings[0]}:2", "stories")
    assert same["tokens_a"] == same["tokens_b"]
    assert {tensor["first"] for tensor in same["tensors"]} == {None}


def test_recorded_edits_belong_to_the_step(run: Run, recordings: tuple[Path, Path], tmp_path: Path) -> None:
    path, prompt = tmp_path / "edited.atlas", "Once upon a time"
    assert run("session", "record", prompt, "-n", 2, "--out", path, "--edit", EDIT).status == 0
    record = printed(run, "compare", f"{recordings[0]}:0", f"{path}:0", notes=1)
    assert (record["edits_a"], record["edits_b"]) == ([], [EDIT])
    assert next(tensor["name"] for tensor in record["tensors"] if tensor["first"] is not None) == "h.3.attn.out"
    same = printed(run, "compare", f"{path}:0", "stories", "--prompt-b", prompt, "--edit-b", EDIT, notes=2)
    assert {tensor["first"] for tensor in same["tensors"]} == {None}
    taken = f"h.3.attn.out = run({path}, 0)"
    same = printed(run, "compare", "stories", "stories", "--prompt", prompt, "--edit", EDIT, "--edit-b", taken, notes=2)
    assert {tensor["first"] for tensor in same["tensors"]} == {None}
    both = printed(run, "compare", f"{path}:0", "stories", "--edit", "h.5.attn.out = mean", notes=2)
    assert both["edits_a"] == [EDIT, "h.5.attn.out = mean"]


def test_contexts_that_slid_are_compared_at_positions_of_the_text(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "slid.atlas"
    assert run("session", "record", PROMPT, "-n", 6, "--context", 8, "--out", path).status == 0
    record = printed(run, "compare", f"{path}:3", f"{path}:5")
    assert (record["start_a"], record["start_b"], record["positions"]) == (3, 5, [5, 11])
    tensors = {tensor["name"]: tensor for tensor in record["tensors"]}
    assert (tensors["embed.sum"]["shape"], tensors["embed.sum"]["first"]) == ([6, 192], None)
    # A sees two tokens more than B, so the first query that both have differs.
    assert (tensors["h.0.attn.pattern"]["shape"], tensors["h.0.attn.pattern"]["first"]) == ([6, 6, 6], [0, 5, 5])
    assert tensors["h.0.resid_mid"]["first"] == [5, 0]
    assert "only positions 5 to 10 are compared" in run("compare", f"{path}:3", f"{path}:5").out
    assert_one_line(run("compare", f"{path}:5", "stories", "--context", 4), 2, "the pass has 8 tokens, the context 4")


def test_bad_input_is_refused_in_one_line(run: Run, recordings: tuple[Path, Path], tmp_path: Path) -> None:
    recording = recordings[0]
    small = small_checkpoint(tmp_path / "small.bin")
    for status, part, arguments in (
        (2, "have different shapes: gpt2, 8 layers", ("compare", "stories", small, "--prompt", "a")),
        (2, "is a model, which needs a text; give --prompt", ("compare", "stories", "stories")),
        (2, "is a recording; name a step of it, as in", ("compare", recording, "stories")),
        (1, "has no step 8; run 1 has steps 0 to 7", ("compare", f"{recording}:8", "stories")),
        (1, ": A nothing: neither a known model nor a file", ("compare", "nothing", "stories", "--prompt", "a")),
        (1, ": B random:x: there is no such size", ("compare", "stories", "random:x", "--prompt", "a")),
        (1, ": B: is empty", ("compare", "stories", "", "--prompt", "a", "--out", tmp_path / "a.png")),
        (2, "--prompt: A is a recording", ("compare", f"{recording}:1", f"{recording}:2", "--prompt", "a")),
        (2, "--prompt-b: B is a recording", ("compare", "stories", f"{recording}:2", "--prompt-b", "a")),
        (2, "the context 4", ("compare", "stories", "stories", "--prompt", PROMPT, "--context", 4)),
        (2, "no tensor has this name", ("compare", "stories", "stories", "--prompt", "a", "--edit", "h.9.ln_1 = 0")),
        (2, "ends in .png", ("compare", "stories", "stories", "--prompt", "a", "--out", tmp_path / "a.npz")),
        (2, "of the same number of tokens", ("patch", "One", CORRUPT, *PATCH[3:], "attn")),
        (2, "ends in .png or .npz", (*PATCH, "attn", "--out", tmp_path / "a.jpg")),
        (2, "is 2 tokens", ("patch", CLEAN, CORRUPT, "--target", " Tom Tom", "--against", "id:3", "--over", "mlp")),
        (2, "only one of them", ("compare", "stories", "stories", "--prompt", "-", "--prompt-b", "-")),
        (2, "only one of them", ("patch", "-", "-", *PATCH[3:], "attn")),
    ):
        assert_one_line(run(*arguments), status, part)
