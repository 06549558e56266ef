"""Verifying and comparing: a recording verifies, and every alteration is found at its step."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atlas_viewer.recording.compare import Difference, logits_difference, statistics_difference
from atlas_viewer.recording.diff import diff_runs
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recorder import Recorder
from atlas_viewer.recording.records import head_of, tensors_of
from atlas_viewer.recording.verify import DIFFERENT, IDENTICAL, WITHIN, Verdict, reasons, verify_run
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.generate.step_capture import StepCapturer
from compute.models.architectures import parameter_shapes
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer
from compute.views.statistics import StatisticsPass
from compute.views.statistics_table import STATISTICS
from compute.weights.checkpoint import ArrayModel, open_model
from compute.weights.fingerprint import weights_sha256

pytestmark = pytest.mark.gpu

STEPS = 6
PROMPT = "Once upon a time, there was a"
OPTIONS = GenerateOptions(max_new_tokens=STEPS, context=10, temperature=0.8, top_k=40, seed=11)


def recorded(path: Path, engine: Engine, tokenizer: Tokenizer, options: GenerateOptions = OPTIONS) -> Path:
    """A recording of `engine` with all logits and a sliding context."""
    head = head_of(engine, weights_sha256(open_model("stories")), "this program", tokenizer.end_of_text)
    recorder = Recorder(path, head, tensors_of(engine), tokenizer.token_bytes)
    capturer = StepCapturer(engine, recorder.step, logits=True, statistics=StatisticsPass(engine))
    generation = Generation(engine, tokenizer, PROMPT, options, capturer=capturer)
    recorder.begin_run(PROMPT, generation.prompt_tokens, options, logits="f32")
    generation.run()
    recorder.end_run(str(generation.stop_reason))
    recorder.close()
    assert recorder.trouble is None
    return path


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, stories: Engine, tokenizer: Tokenizer) -> Path:
    return recorded(tmp_path_factory.mktemp("sound") / "a.atlas", stories, tokenizer)


@pytest.fixture
def altered(tmp_path: Path, sound: Path) -> Callable[..., Path]:
    def make(statement: str, *values: object) -> Path:
        path = tmp_path / "altered.atlas"
        shutil.copy(sound, path)
        connection = sqlite3.connect(path)
        assert connection.execute(statement, values).rowcount == 1
        connection.commit()
        connection.close()
        return path

    return make


def verdicts(path: Path, engine: Engine, tokenizer: Tokenizer) -> list[Verdict]:
    with Recording(path) as recording:
        return list(verify_run(recording, recording.run(), engine, tokenizer))


def test_a_recording_made_here_is_identical(sound: Path, stories: Engine, tokenizer: Tokenizer) -> None:
    found = verdicts(sound, stories, tokenizer)
    assert [(v.verdict, v.figure, v.draw_repeats) for v in found] == [(IDENTICAL, 0.0, True)] * STEPS
    with Recording(sound) as recording:
        assert reasons(recording, stories, recording.head.weights_sha256, "this program") == []


def test_options_that_changed_during_the_run_belong_to_their_steps(
    tmp_path: Path, stories: Engine, tokenizer: Tokenizer
) -> None:
    path = tmp_path / "a.atlas"
    head = head_of(stories, "0" * 64, "this program", tokenizer.end_of_text)
    recorder = Recorder(path, head, tensors_of(stories), tokenizer.token_bytes)
    capturer = StepCapturer(stories, recorder.step, logits=True, statistics=StatisticsPass(stories))
    begin = replace(OPTIONS, max_new_tokens=3, context=40)
    other = replace(OPTIONS, context=40, temperature=2.0, repetition_penalty=1.3)
    first = Generation(stories, tokenizer, PROMPT, begin, capturer=capturer)
    recorder.begin_run(PROMPT, first.prompt_tokens, begin, logits="f32")
    first.run()
    recorder.change_options(other)
    Generation(stories, tokenizer, PROMPT, other, steps=first.steps, capturer=capturer).run()
    recorder.close()
    with Recording(path) as recording:
        assert [step.options for step in recording.steps(recording.run())] == [begin] * 3 + [other] * 3
    assert [(v.verdict, v.draw_repeats) for v in verdicts(path, stories, tokenizer)] == [(IDENTICAL, True)] * 6


def test_an_altered_token_is_found(altered: Callable[..., Path], stories: Engine, tokenizer: Tokenizer) -> None:
    path = altered("UPDATE steps SET token = (SELECT token FROM steps WHERE step = 4) WHERE step = 2")
    found = [v.verdict for v in verdicts(path, stories, tokenizer)]
    assert found[:2] == [IDENTICAL] * 2
    assert set(found[2:]) == {DIFFERENT}


def test_an_altered_last_token_is_found(altered: Callable[..., Path], stories: Engine, tokenizer: Tokenizer) -> None:
    # Even if it is a candidate with its own numbers; only the draw reveals it.
    path = altered(
        "UPDATE steps SET (token, logit, probability, model_probability, rank) = (SELECT token, logit, probability,"
        " model_probability, place FROM candidates c WHERE c.step = 5 AND c.token <> steps.token"
        " ORDER BY place LIMIT 1) WHERE step = 5"
    )
    last = verdicts(path, stories, tokenizer)[-1]
    assert (last.verdict, last.draw_repeats) == (DIFFERENT, False)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE steps SET logit = logit + 0.01 WHERE step = 3",
        "UPDATE steps SET rank = rank + 1 WHERE step = 3",
        "UPDATE steps SET context_start = context_start + 1 WHERE step = 3",
        "UPDATE steps SET probability = probability / 2 WHERE step = 3",
        "UPDATE candidates SET logit = logit - 0.02 WHERE step = 3 AND place = 5",
        "UPDATE candidates SET token = token + 1 WHERE step = 3 AND place = 8",
        "DELETE FROM candidates WHERE step = 3 AND place = 8",
        "UPDATE steps SET kept = kept - 1 WHERE step = 3",
    ],
)
def test_altered_figures_are_found(
    altered: Callable[..., Path], stories: Engine, tokenizer: Tokenizer, change: str
) -> None:
    path = altered(change)
    if "token + 1" in change:
        connection = sqlite3.connect(path)
        connection.execute("INSERT OR IGNORE INTO tokens SELECT token, x'41' FROM candidates")
        connection.commit()
        connection.close()
    found = [v.verdict for v in verdicts(path, stories, tokenizer)]
    assert found == [IDENTICAL] * 3 + [DIFFERENT] + [IDENTICAL] * 2


def test_altered_arrays_are_found(
    altered: Callable[..., Path], sound: Path, stories: Engine, tokenizer: Tokenizer
) -> None:
    with Recording(sound) as recording:
        run = recording.run()
        logits, table = recording.logits(run, 1), recording.statistics(run, 1)
    assert logits is not None
    assert table is not None
    for amount, verdict in ((1e-3, WITHIN), (1e-2, DIFFERENT)):
        changed = logits.copy()
        changed[12345] += np.float32(amount)
        path = altered("UPDATE logits SET data = ? WHERE step = 1", changed.tobytes())
        second = verdicts(path, stories, tokenizer)[1]
        assert (second.verdict, second.what) == (verdict, "logit of token 12345")
        assert second.figure == pytest.approx(amount, rel=0.01)
        path.unlink()
    for field, amount in (("max", 0.5), ("nan", 1), ("mean", 0.5)):
        changed = table.copy()
        changed[field][3] += amount
        path = altered("UPDATE statistics SET data = ? WHERE step = 1", changed.tobytes())
        second = verdicts(path, stories, tokenizer)[1]
        assert (second.verdict, second.what.split()[0]) == (DIFFERENT, field)
        path.unlink()


def test_different_weights_are_found_and_named(sound: Path, tokenizer: Tokenizer) -> None:
    source = open_model("stories")
    arrays = {name: np.array(source.tensor(name)) for name in parameter_shapes(source.config)}
    arrays["h.3.mlp.c_fc.weight"][7] *= 3
    changed = ArrayModel("stories", source.config, arrays)
    other = Engine.load(changed, LoadOptions(context=16))
    assert DIFFERENT in {v.verdict for v in verdicts(sound, other, tokenizer)}
    with Recording(sound) as recording:
        (why,) = reasons(recording, other, weights_sha256(changed), "this program")
        assert why.startswith("different weights (recorded ")
    # Changing one value has too little effect to show in the logits, but changes the hash.
    arrays["h.3.mlp.c_fc.weight"] = np.array(source.tensor("h.3.mlp.c_fc.weight"))
    assert weights_sha256(ArrayModel("a", source.config, arrays)) == weights_sha256(source)
    arrays["wpe"][500, 3] *= 2
    assert weights_sha256(ArrayModel("a", source.config, arrays)) != weights_sha256(source)


def test_different_kernels_are_within_tolerance_and_named(sound: Path, tokenizer: Tokenizer) -> None:
    other = Engine.load(open_model("stories"), LoadOptions(context=16, layout="buffer", program="fused"))
    found = verdicts(sound, other, tokenizer)
    assert {v.verdict for v in found} <= {IDENTICAL, WITHIN}
    assert WITHIN in {v.verdict for v in found}
    assert all(0 < v.figure < 4e-3 for v in found if v.verdict == WITHIN)
    with Recording(sound) as recording:
        why = reasons(recording, other, recording.head.weights_sha256, "a later program")
    assert why == [
        "different kernels (recorded rows, here fused)",
        "different version (recorded this program, here a later program)",
    ]


def test_two_copies_of_a_run_do_not_differ(sound: Path, tmp_path: Path, stories: Engine, tokenizer: Tokenizer) -> None:
    again = recorded(tmp_path / "again.atlas", stories, tokenizer)
    with Recording(sound) as one, Recording(again) as other:
        found = diff_runs(one, one.run(), other, other.run())
    assert found.same
    assert (len(found.steps), found.parted, found.head) == (STEPS, None, ())


def test_runs_are_compared_until_their_tokens_diverge(
    sound: Path, tmp_path: Path, stories: Engine, tokenizer: Tokenizer
) -> None:
    options = GenerateOptions(max_new_tokens=STEPS, context=10, temperature=0.8, top_k=40, seed=12)
    other_path = recorded(tmp_path / "other.atlas", stories, tokenizer, options)
    with Recording(sound) as one, Recording(other_path) as other:
        a, b = ([step.record for step in s.steps(s.run())] for s in (one, other))
        found = diff_runs(one, one.run(), other, other.run())
    first = next(index for index in range(STEPS) if a[index].token != b[index].token)
    assert found.head == ("seed: 11 | 12",)
    assert found.parted == first
    assert len(found.steps) == first + 1
    last = found.steps[-1]
    assert last.tokens == (a[first].token, b[first].token)
    assert last.figures.same, "the text so far is the same, but the logits differ"
    assert not found.same


def test_a_shorter_run_is_not_the_same(altered: Callable[..., Path], sound: Path) -> None:
    path = altered("DELETE FROM steps WHERE step = 5")
    with Recording(sound) as one, Recording(path) as other:
        found = diff_runs(one, one.run(), other, other.run())
    assert (found.parted, found.steps[-1].tokens[1]) == (5, None)


def test_altered_figures_are_reported_as_a_difference(altered: Callable[..., Path], sound: Path) -> None:
    path = altered("UPDATE candidates SET logit = logit - 0.02 WHERE step = 3 AND place = 5")
    with Recording(sound) as one, Recording(path) as other:
        found = diff_runs(one, one.run(), other, other.run())
    assert [step.same for step in found.steps] == [True] * 3 + [False] + [True] * 2
    assert found.steps[3].figures.largest == pytest.approx(0.02)
    assert found.parted is None


def test_non_finite_numbers_are_compared() -> None:
    nan, inf = float("nan"), float("inf")
    bad = np.array([1.0, nan, inf, -inf], np.float32)
    assert logits_difference(bad, bad.copy()) == Difference()
    assert not logits_difference(bad, np.array([1.0, 0.0, inf, -inf], np.float32)).within(1e9)
    assert not logits_difference(bad, np.array([1.0, nan, -inf, -inf], np.float32)).within(1e9)
    assert not Difference(nan, "", same=False).within(1e9)


def test_float16_is_compared_as_float16() -> None:
    exact = np.array([1.0003, 12.3456, 70000.0, 1e-9], np.float32)
    with np.errstate(over="ignore"):
        saved = exact.astype(np.float16)
    with np.errstate(over="ignore"):
        assert logits_difference(saved, exact) == Difference()
        found = logits_difference(saved[:2], exact[:2] + np.float32(0.1))
    assert found.largest == pytest.approx(0.1, abs=0.01)


def test_counts_in_statistics_are_compared_exactly() -> None:
    one = np.zeros(2, STATISTICS)
    one["max"] = 100.0
    other = one.copy()
    other["max"][1] = 100.1
    assert statistics_difference(["a", "b"], one, other).largest == pytest.approx(1e-3, rel=0.01)
    other["zero"][0] = 5
    assert statistics_difference(["a", "b"], one, other).within(4e-3), "a value that rounds to zero differs"
    other["nan"][0] = 1
    assert statistics_difference(["a", "b"], one, other).what == "nan of a"
