"""`--edit` on every command that runs a model: it changes the result, is named in the output, and fails in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import atlas_viewer
from atlas_viewer.recording.reader import Recording
from compute.io.array_files import write_arrays

from helpers.command_line import PROMPT, Run, assert_one_line
from helpers.small_model import small_checkpoint

pytestmark = pytest.mark.gpu

EDIT = "h.2.attn.out[head=4] = 0"
OTHER = "h.2.attn.out[head=4] *= 1"
NO_EFFECT = f"atlas-viewer: no effect: {OTHER}\n"


def test_generate_names_edits_and_what_they_changed(run: Run) -> None:
    plain = json.loads(run("generate", PROMPT, "-n", 3, "--json").out)
    result = run("generate", PROMPT, "-n", 3, "--json", "--edit", "h.2.attn.out[ head=4 ]=0", "--edit", OTHER)
    edited = json.loads(result.out)
    assert (plain["edits"], edited["edits"]) == ([], [EDIT, OTHER])
    assert plain["steps"][0]["logit"] != edited["steps"][0]["logit"]
    # 8 tokens of the prompt and 2 of the 3 new ones, 32 channels each.
    assert result.err == f"note: edit {EDIT}: changed 320 values\n{NO_EFFECT}"
    model = atlas_viewer.load("stories", context=64)
    wanted = model.run(PROMPT, edits=[EDIT]).logits[-1].max()
    assert edited["steps"][0]["top"][0]["logit"] == pytest.approx(float(wanted), abs=1e-3)


def test_generate_prints_the_text_alone(run: Run) -> None:
    result = run("generate", PROMPT, "-n", 2, "--temperature", 0, "--edit", "logits[:, 1310] = 100")
    assert result.out == f"{PROMPT} little little\n"
    assert result.err == "note: edit logits[:, 1310] = 100: changed 2 values\n"


def test_trace_names_edits_with_their_tensors(run: Run) -> None:
    records = json.loads(run("trace", PROMPT, "--json", "--edit", EDIT, "--edit", "h.0.attn.scores[0] += 1").out)
    named = {record["name"]: record["edits"] for record in records if record["edits"]}
    assert named == {"h.2.attn.out": [EDIT], "h.0.attn.pattern": ["h.0.attn.scores[0] += 1"]}
    assert run("trace", PROMPT, "--edit", EDIT).out.startswith(f"edit {EDIT}\n")


def test_score_names_edits(run: Run) -> None:
    plain, edited = (json.loads(run("score", PROMPT, "--json", *more).out) for more in ((), ("--edit", EDIT)))
    assert (plain["edits"], edited["edits"]) == ([], [EDIT])
    assert plain["perplexity"] != edited["perplexity"]
    assert run("score", PROMPT, "--edit", EDIT).out.startswith(f"edit {EDIT}\n")


def test_capture_saves_edited_arrays_and_names_the_edits(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run.npz"
    names = ("--names", "h.2.attn.out", "--names", "h.0.attn.scores")
    knockout = "h.0.attn.scores[head=1, pos=-1, key=2] = -inf"
    result = run("capture", PROMPT, "--out", out, *names, "--edit", EDIT, "--edit", knockout, "-n", 2)
    assert result.status == 0, result.err
    arrays = np.load(out)
    assert json.loads(json.loads(str(arrays["metadata"]))["edits"]) == [EDIT, knockout]
    assert arrays["h.2.attn.out"].shape == (10, 192)
    assert not arrays["h.2.attn.out"][:, 128:160].any()
    scores = arrays["h.0.attn.scores"]
    # The position counts from the end of the prompt, not of the text.
    assert np.argwhere(np.isneginf(scores[1]) & np.tril(np.ones((10, 10), bool))).tolist() == [[7, 2]]


def test_atlas_and_render_name_edits(run: Run, tmp_path: Path) -> None:
    arrays, picture = tmp_path / "strip.npz", tmp_path / "strip.png"
    assert run("atlas", PROMPT, "--out", arrays, "--edit", EDIT).status == 0
    assert np.load(arrays)["edits"].tolist() == [EDIT]
    for view in ("strip", "map"):
        assert run("render", PROMPT, "-n", 1, "--out", picture, "--view", view, "--edit", EDIT).status == 0
        assert f"iTXtEdits\0\0\0\0\0{EDIT}".encode() in picture.read_bytes()


def test_render_shows_edited_weights(run: Run, tmp_path: Path) -> None:
    pictures = []
    for number, value in enumerate((0, 3)):
        path = tmp_path / f"{number}.png"
        edit = f"h.0.attn.c_attn.weight[:, :] = {value}"
        assert run("render", PROMPT, "-n", 1, "--out", path, "--edit", edit, "--edit", "h.0.attn.out = 0").status == 0
        pictures.append(path.read_bytes().partition(b"IDAT")[2])
    assert pictures[0] != pictures[1]


def test_a_recorded_run_is_a_source_of_values(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "my run.atlas"
    assert run("session", "record", PROMPT, "-n", 3, "--out", path, "--edit", EDIT).status == 0
    with Recording(path) as recording:
        drawn = [step.record.token for step in recording.steps(recording.run())]
    assert len(drawn) == 3
    plain = tmp_path / "plain.atlas"
    assert run("session", "record", PROMPT, "-n", 3, "--out", plain).status == 0
    # The run patched into itself changes nothing.
    same = f'h.3.resid_post[:10] = run("{plain}", 2)'
    result = run("generate", PROMPT, "-n", 3, "--edit", same)
    assert result.err == f"atlas-viewer: no effect: {same.replace(chr(34), '')}\n"
    other = "Once upon a time, there was the"
    assert "changed" in run("generate", other, "-n", 3, "--edit", same).err
    for bad, part in (
        (f"h.3.resid_post = run({plain}, 2)", "has rows 0 to 9"),
        (f"h.3.resid_post[:4] = run({plain}, 3)", "has no step 3"),
        (f"h.3.resid_post[:4] = run({tmp_path / 'none.atlas'}, 3)", "none.atlas"),
        (f"wte = run({plain}, 1)", "a run has no weights"),
    ):
        result = run("generate", PROMPT, "-n", 4, "--edit", bad)
        assert_one_line(result, result.status or 1, part)
    small = small_checkpoint(tmp_path / "small.bin")
    patch = f"h.0.resid_post[:4] = run({plain}, 1)"
    result = run("generate", PROMPT, "-n", 1, "--model", small, "--context", 16, "--edit", patch)
    assert_one_line(result, 2, "is of a model of 8 layers")


def test_means_of_the_prompt_and_of_a_file(run: Run, tmp_path: Path) -> None:
    arrays = tmp_path / "run.npz"
    assert run("capture", PROMPT, "--out", arrays, "--names", "h.*.mlp.gelu").status == 0
    mean = np.load(arrays)["h.3.mlp.gelu"].mean(axis=0)
    np.save(tmp_path / "mean.npy", mean)
    results = [
        json.loads(run("generate", PROMPT, "-n", 2, "--json", "--edit", f"h.3.mlp.gelu = {value}").out)["steps"]
        for value in ("mean", f"mean({arrays})", tmp_path / "mean.npy", f"1 * {tmp_path / 'mean.npy'}")
    ]
    theirs = f"blocks.3.mlp.hook_post = mean({arrays})"
    results.append(json.loads(run("generate", PROMPT, "-n", 2, "--json", "--edit", theirs).out)["steps"])
    logits = [[step["logit"] for step in steps] for steps in results]
    for other in logits[1:]:
        assert other == pytest.approx(logits[0], abs=1e-4)


@pytest.mark.parametrize(
    ("edit", "status", "part"),
    [
        ("h.3.atn.out = 0", 2, "the nearest are h.3.attn.out (tokens x 192)"),
        ("h.3.attn.out[head=6] = 0", 2, "there is no head 6; h.3.attn.out has 6 heads"),
        ("h.3.attn.qkv[head=1] = 0", 2, "no heads of its own"),
        ("h.3.attn.out[:, 192] = 0", 2, "there is no index 192; h.3.attn.out is tokens x 192"),
        ("h.3.attn.out[99] = 0", 2, "there is no pos 99"),
        ("h.3.attn.out[pos=-9] = 0", 2, "there is no pos -9; the prompt has 8 tokens"),
        ("wte[60000] = 0", 2, "there is no index 60000; wte is 50304 x 192"),
        ("h.3.attn.out = nan", 2, "is NaN"),
        ("h.3.attn.out = none.npy", 1, "no such file"),
        ("h.3.attn.out = {folder}/short.npy", 2, "the values are 5, but the edit selects"),
        ("h.3.attn.out = {folder}/nan.npy", 2, "NaN"),
        ("h.3.attn.out = {folder}/text.npy", 1, "cannot be read"),
        ("h.3.attn.out = mean({folder}/other.npz)", 2, "has no h.3.attn.out"),
        ("h.3.attn.out = mean({folder}/single.npz)", 1, "is a single array"),
        ("h.3.attn.out = mean({folder}/text.npz)", 1, "cannot be read"),
        ("h.3.attn.out = mean({folder}/shape.npz)", 2, "h.3.attn.out in"),
        ("h.3.attn.out = mean({folder}/rows.npz)", 2, "h.3.attn.out in"),
        ("h.3.attn.out = {folder}/huge.npy", 1, "takes 40000000000000 bytes"),
        ("h.3.attn.out = {folder}", 2, "is not a .npy file"),
        ("h.3.attn.out = {folder}/folder.npy", 1, "Is a directory); give another file"),
        ("h.3.attn.pattern = mean", 2, "has no mean"),
        ("h.3.attn.out", 2, "no operator"),
        ("blocks.3.ln1.hook_scale = 1", 2, "edit its result, h.3.ln_1"),
    ],
)
def test_mistakes_are_one_line(run: Run, tmp_path: Path, edit: str, status: int, part: str) -> None:
    np.save(tmp_path / "short.npy", np.ones(5))
    np.save(tmp_path / "nan.npy", np.full(192, np.nan))
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "text.npz").write_text("no arrays")
    np.savez(tmp_path / "other.npz", other=np.ones(3))
    write_arrays(tmp_path / "shape.npz", [("h.3.attn.out", np.ones((4, 5), np.float32))])
    write_arrays(tmp_path / "rows.npz", [("h.3.attn.out", np.ones((0, 192), np.float32))])
    header = b"{'descr':'<f4','fortran_order':False,'shape':(100000000,100000),}"
    (tmp_path / "huge.npy").write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header)
    (tmp_path / "folder.npy").mkdir()
    with open(tmp_path / "single.npz", "wb") as single:
        np.save(single, np.ones(192))
    edit = edit.replace("{folder}", str(tmp_path))
    assert_one_line(run("generate", PROMPT, "-n", 2, "--edit", edit), status, part)


@pytest.mark.parametrize("command", ["trace", "atlas", "capture", "score", "render", "view", "session record"])
def test_every_command_refuses_an_unknown_tensor(run: Run, tmp_path: Path, command: str) -> None:
    out = {"atlas": "f.npz", "capture": "f.npz", "render": "f.png", "session record": "f.atlas"}.get(command)
    more = ["--out", tmp_path / out] if out else []
    result = run(*command.split(), PROMPT, *more, "--edit", "h.99.attn.out = 0")
    assert_one_line(result, 2, "h.99.attn.out: no tensor has this name")
    assert list(tmp_path.iterdir()) == []
