"""Every write, flush, sync, rename, link and allocation fails in turn: nothing is lost, left over or half written.

A few calls of each kind fail, always including the first and the last; ATLAS_FAULTS=1000 makes up to 1000 of each fail.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from atlas_viewer.cli.main import main
from atlas_viewer.hub.fetch import fetch
from atlas_viewer.hub.look_up import look_up
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recorder import Recorder
from atlas_viewer.state.settings import SettingsStore
from atlas_viewer.state.state import State
from compute.sampling.options import GenerateOptions

from helpers.command_line import Run, runner
from helpers.faults import Fault, Faults, chosen, file_limit, injected
from helpers.fetch_cases import ENTRY, empty_cache, message_of, small_hub
from helpers.small_model import small_checkpoint

pytestmark = pytest.mark.gpu

SAMPLING = ("-n", "3", "--context", "8", "--temperature", "0")
# GPU calls are as many as there are buffers; fewer of them are picked.
GPU = frozenset({"staging", "upload"})

Prepare = Callable[[], None]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and a recording."""
    folder = tmp_path_factory.mktemp("sources")
    model = small_checkpoint(folder / "m.bin")
    assert main(["session", "record", "Hi", *SAMPLING, "--model", str(model), "--out", str(folder / "a.atlas")]) == 0
    return folder


def contents(folder: Path) -> dict[str, bytes | None]:
    """Everything below the folder: content by path, None for folders."""
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")
    }


def comparable(found: dict[str, bytes | None]) -> dict[str, object]:
    """Leave out the content of a new video, because its encoder writes random numbers into it."""
    new = {name for name, data in found.items() if name.endswith(".mkv") and data and len(data) > 100}
    return {name: "new" if name in new else data for name, data in found.items()}


def prepared(out: Path, earlier: dict[str, bytes]) -> Prepare:
    """Return a function that makes `out` a folder with the files `earlier`."""

    def prepare() -> None:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        for name, data in earlier.items():
            (out / name).write_bytes(data)

    return prepare


def assert_one_line(result: SimpleNamespace, fault: object) -> None:
    assert result.status == 1, fault
    assert re.fullmatch(r"\n?atlas-viewer: [^\n]+\n", result.err), (fault, result.err)
    assert "unexpected" not in result.err, (fault, result.err)


def failures(
    run: Run, out: Path, prepare: Prepare, arguments: list[object], faults: Iterable[Fault]
) -> Iterator[tuple[Fault, SimpleNamespace]]:
    """Run a command once per fault, which makes one of its calls fail; each run has to end with a one-line error."""
    for fault in faults:
        prepare()
        injected_fault = Faults(out, fault)
        with injected(injected_fault):
            result = run(*arguments)
        assert injected_fault.failed, fault
        assert_one_line(result, fault)
        yield fault, result


def check_command(
    run: Run, out: Path, prepare: Prepare, arguments: list[object], most: int = 4, leave_out: frozenset[str] = GPU
) -> set[str]:
    """Let each call of a command that writes to `out` fail; return the kinds of calls."""
    prepare()
    before, clean = contents(out), Faults(out)
    with injected(clean):
        result = run(*arguments)
    assert (result.status, result.err) == (0, "")
    after = contents(out)
    assert after != before
    for fault, result in failures(run, out, prepare, arguments, chosen(clean.counts, most, leave_out)):
        # The last sync confirms a name that already points to the new content; the message says so.
        written = "was written, but the disk did not confirm its name" in result.err
        assert written == (fault == ("sync", clean.counts["sync"])), fault
        assert comparable(contents(out)) == comparable(after if written else before), fault
    return set(clean.counts)


@pytest.mark.parametrize("target", ["x.bin", "x", "deep/er/x", "."])
def test_convert(run: Run, sources: Path, tmp_path: Path, target: str) -> None:
    out = tmp_path / "out"
    earlier = {"x.bin": b"earlier"} if target == "x.bin" else {"model.safetensors": b"earlier"}
    arguments = ["models", "convert", sources / "m.bin", out / target]
    kinds = check_command(run, out, prepared(out, earlier), arguments, most=6)
    assert kinds >= {"write", "flush", "sync", "rename", "folder", "open"}
    assert ("link" in kinds) == (target == ".")


@pytest.mark.parametrize("option", ["--json", "--csv", "--npz"])
def test_export_of_figures(run: Run, sources: Path, tmp_path: Path, option: str) -> None:
    out, name = tmp_path / "out", f"x.{option[2:]}"
    arguments = ["session", "export", sources / "a.atlas", option, out / name]
    check_command(run, out, prepared(out, {name: b"earlier"}), arguments)


def test_export_of_pictures(run: Run, sources: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["session", "export", sources / "a.atlas", "--model", sources / "m.bin", "--size", "64x36", "--png"]
    prepare = prepared(out, {"step-000002.png": b"earlier", "other": b"mine"})
    run(*arguments, tmp_path / "first")  # the first picture of a process creates what the others reuse
    kinds = check_command(run, out, prepare, [*arguments, out], most=2, leave_out=frozenset())
    assert kinds >= GPU | {"link", "rename", "sync", "flush", "write"}


def test_export_of_a_video(run: Run, sources: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["session", "export", sources / "a.atlas", "--model", sources / "m.bin", "--size", "64x36"]
    arguments += ["--step-frames", "20", "--video", out / "x.mkv"]
    prepare = prepared(out, {"x.mkv": b"earlier"})
    check_command(run, out, prepare, arguments, most=2)
    size = (out / "x.mkv").stat().st_size
    # The encoder's library writes to the file itself.
    for limit in (0, size // 2, size - 1):
        prepare()
        with file_limit(limit):
            result = run(*arguments)
        assert_one_line(result, limit)
        assert "File too large" in result.err
        assert contents(out) == {"x.mkv": b"earlier"}


# -- recordings


def steps_in(path: Path) -> list[int]:
    """The recorded tokens."""
    with Recording(path) as recording:
        return [known.record.token for run in recording.runs() for known in recording.steps(run)]


def check_recording(result: SimpleNamespace, out: Path, fault: object, submitted: int, whole: list[int]) -> None:
    """All steps before the failure are recorded, and the message names them."""
    assert_one_line(result, fault)
    path = out / "x.atlas"
    left = set(contents(out))
    if not path.exists():
        assert left == set(), fault
        assert submitted == 0, fault
        return
    log = Path(f"{path}-wal")
    if log.exists():  # no space was left to merge it, so it has steps that the file lacks
        assert left == {"x.atlas", "x.atlas-wal", "x.atlas-shm"}, fault
        assert log.stat().st_size > 0, fault
        assert isinstance(fault, int) or "-wal beside it" in result.err, fault
    else:
        assert left == {"x.atlas"}, fault
    steps = steps_in(path)
    assert steps == whole[: len(steps)]
    ended = re.search(r"nothing is recorded from step (\d+) of run 1 on", result.err)
    if ended is not None:
        assert len(steps) == int(ended[1]) - 1, fault
    elif "nothing is recorded any more" not in result.err:
        assert len(steps) == submitted, fault


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that were submitted to a recorder."""
    steps: list[int] = []
    usual = Recorder.step

    def step(self: Recorder, *arguments: object) -> None:
        usual(self, *arguments)  # type: ignore[arg-type]
        steps.append(1)

    monkeypatch.setattr(Recorder, "step", step)
    return steps


def test_record(run: Run, sources: Path, tmp_path: Path, submitted: list[int]) -> None:
    out, whole = tmp_path / "out", steps_in(sources / "a.atlas")
    arguments = ["session", "record", "Hi", *SAMPLING, "--model", sources / "m.bin", "--out", out / "x.atlas"]
    prepare, clean = prepared(out, {}), Faults(out)
    prepare()
    with injected(clean):
        result = run(*arguments)
    assert (result.status, result.err) == (0, "")
    assert steps_in(out / "x.atlas") == whole
    size = (out / "x.atlas").stat().st_size
    faults = chosen(clean.counts, 3, frozenset({"statement"})) + chosen(clean.counts, 8, GPU - {"statement"})
    assert {kind for kind, _ in faults} >= {"staging", "upload", "statement", "sync", "link", "folder", "open"}
    for fault in dict.fromkeys(faults):
        check_record(run, arguments, prepare, out, fault, submitted, whole)
    for limit in (0, 1000, 8192, size // 3, size // 2, size - 1):
        prepare()
        submitted.clear()
        with file_limit(limit):
            result = run(*arguments)
        check_recording(result, out, limit, len(submitted), whole)


def check_record(
    run: Run, arguments: list[object], prepare: Prepare, out: Path, fault: Fault, submitted: list[int],
    whole: list[int],
) -> None:  # fmt: skip
    """One failure during a recording."""
    prepare()
    submitted.clear()
    faults = Faults(out, fault)
    with injected(faults):
        result = run(*arguments)
    assert faults.failed, fault
    check_recording(result, out, fault, len(submitted), whole)


def test_recover(run: Run, sources: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["session", "recover", sources / "a.atlas", "--out", out / "x.atlas"]
    prepare, clean = prepared(out, {"other": b"mine"}), Faults(out)
    prepare()
    before = contents(out)
    with injected(clean):
        assert run(*arguments).status == 0
    for fault, result in failures(run, out, prepare, arguments, chosen(clean.counts, 6)):
        if "was written, but" not in result.err:
            assert contents(out) == before, fault
    for limit in (0, 8192, 100_000):
        prepare()
        with file_limit(limit):
            assert_one_line(run(*arguments), limit)
        assert contents(out) == before, limit


# -- settings and models


def save_settings(file: Path) -> list[str]:
    """Change a setting and save; return the messages for the user."""
    state = State("", GenerateOptions())
    settings_store = SettingsStore(state, lambda _seconds: None, file)
    state.ui.zoom = 1.5
    settings_store.close()
    return state.messages + ([settings_store._note] if settings_store._note else [])


@pytest.mark.parametrize("earlier", ['{"version": 1, "zoom": 1.25}\n', "damaged"])
def test_settings(tmp_path: Path, earlier: str) -> None:
    out = tmp_path / "out"
    prepare, clean = prepared(out, {"interface.json": earlier.encode()}), Faults(out)
    prepare()
    with injected(clean):
        save_settings(out / "interface.json")
    after = contents(out)
    assert set(after) == {"interface.json"} | ({"interface.json.bad"} if earlier == "damaged" else set())
    for fault in chosen(clean.counts, 6):
        prepare()
        faults = Faults(out, fault)
        with injected(faults):
            messages = save_settings(out / "interface.json")
        assert faults.failed, fault
        assert all("\n" not in line for line in messages)
        left = contents(out)
        reported = any("will not be saved" in line or "cannot be saved" in line for line in messages)
        # The marker of a start is optional: without it, settings are saved as usual.
        assert reported or left == after, (fault, messages)
        # When the last sync fails, the new settings already have their name.
        assert earlier.encode() in left.values() or left == after, fault
        assert set(left) <= set(after), fault
        assert left.get("interface.json") in (None, earlier.encode(), after["interface.json"]), fault


@pytest.mark.parametrize("damaged", [False, True])
def test_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool) -> None:
    cache = empty_cache(tmp_path / "cache", monkeypatch)
    model, earlier = cache / "gpt2", {"config.json": b"earlier"} if damaged else None

    def prepare() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True)
        if earlier is not None:
            prepared(model, earlier)()

    with small_hub(monkeypatch):
        offer, clean = look_up(ENTRY), Faults(cache)
        prepare()
        with injected(clean):
            fetch(offer)
        after = contents(model)
        for fault in chosen(clean.counts, 6):
            prepare()
            faults = Faults(cache, fault)
            with injected(faults):
                message_of(fetch, offer)
            assert faults.failed, fault
            found = contents(model) if model.exists() else None
            # When the last sync fails, the new model already has its name.
            assert found == (after if fault == ("sync", clean.counts["sync"]) else earlier), fault
            assert not list(cache.glob(".atlas-viewer-*")), fault
            fetch(offer)
            assert contents(model) == after
