"""Settings persist completely or not at all, whatever the file contains, and are never saved during a drag."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from atlas_viewer.state.runs import Run
from atlas_viewer.state.settings import SettingsStore, dumps, loads, path
from atlas_viewer.state.state import State
from atlas_viewer.state.ui_state import UiState
from atlas_viewer.ui.actions import ACTIONS
from compute.sampling.options import GenerateOptions

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

ARRANGED = UiState(
    zoom=1.25,
    theme="light",
    hidden={"Trace", "Logits"},
    layout="[Window][Atlas]\nPos=1,2\n",
    layout_zoom=1.5,
    presets={"mine": GenerateOptions(temperature=1, top_k=7, seed=2**32 - 1)},
    prompts=["Once", "zwei\nZeilen, 日本"],
    chip_color="rank",
    seed_locked=False,
    minimap=False,
    glow=False,
)


class Store:
    """A settings store whose clock the test sets."""

    def __init__(self, file: Path) -> None:
        self.state = State("", GenerateOptions())
        self.calls: list[float] = []
        self.settings_store = SettingsStore(self.state, self.calls.append, file)

    def messages(self) -> list[str]:
        """The messages once a run has started."""
        self.settings_store.frame(0, False)
        assert self.state.messages == []
        self.state.run = Run("", GenerateOptions(), [])
        self.settings_store.frame(0, False)
        return self.state.messages


def test_everything_persistent_comes_back() -> None:
    changed = dataclasses.replace(
        ARRANGED, dialog="palette", typed="x", front="Atlas", quitting=True, reset_layout=True
    )
    assert loads(dumps(changed)) == ARRANGED
    assert loads(dumps(UiState())) == UiState()
    assert loads('{"version": 1, "unknown": 3}') == UiState()


def test_the_chip_color_keeps_its_key() -> None:
    assert json.loads(dumps(ARRANGED))["chip_colour"] == "rank"
    assert loads('{"version": 1, "chip_colour": "entropy"}').chip_color == "entropy"
    with pytest.raises(ValueError, match="has an invalid 'chip_colour'"):
        loads('{"version": 1, "chip_colour": "heat"}')


def test_too_many_prompts_keep_the_newest() -> None:
    prompts = ["a" * 400_000, "b" * 400_000, "c" * 400_000, "d"]
    assert loads(dumps(UiState(prompts=prompts))).prompts == prompts[1:3] + prompts[3:]


def test_an_environment_variable_overrides_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATLAS_VIEWER_CONFIG", str(tmp_path))
    assert path() == tmp_path / "interface.json"
    monkeypatch.delenv("ATLAS_VIEWER_CONFIG")
    assert path().parent.name == "atlas-viewer"


BROKEN = [
    (b'{"version": 1, "zoom": NaN}', "is not JSON: zoom is"),
    (b'{"version": 1, "zoom": 1e400}', "is not JSON: zoom is"),
    (b'{"version": 1, "zoom": 1' + b"0" * 400 + b"}", "is not JSON: zoom is"),
    (b'{"version": 1, "prompts": ["a", "\\ud800"]}', "is not JSON: prompts[1] "),
    (b'{"version": 1, "presets": {"\\ud800": {}}}', "is not JSON: presets "),
    (b"", "is not JSON"),
    (b'{"version": 1', "is not JSON"),
    (b"\xff\xfe", "is not UTF-8 text"),
    (b"[" * 100_000, "nested"),
    (b"[1]", "is not a JSON object"),
    (b"{}", "has no known version"),
    (b'{"version": 2, "zoom": 1}', "has version 2, but this program reads version 1"),
    *(
        (json.dumps({"version": 1, name: value}).encode(), f"has an invalid '{name}'")
        for name, value in [
            ("zoom", 9),
            ("zoom", "large"),
            ("zoom", 10**300),
            ("theme", "pink"),
            ("theme", []),
            ("hidden", "Atlas"),
            ("hidden", [1]),
            ("layout", None),
            ("layout_zoom", 0),
            ("presets", ["mine"]),
            ("presets", {"mine": {"heat": 1}}),
            ("presets", {"mine": {"temperature": "hot"}}),
            ("presets", {"mine": {"top_k": 1.5}}),
            ("presets", {"mine": {"temperature": 1e300}}),
            ("presets", {"mine": {"top_k": 10**300}}),
            ("presets", {"mine": {"seed": -1}}),
            ("presets", {"mine": {"min_p": 2}}),
            ("presets", {"\u202e": {}}),
            ("presets", {"a\0b": {}}),
            ("presets", {"a##b": {}}),
            ("presets", {"x" * 1000: {}}),
            ("prompts", [1]),
            ("seed_locked", 1),
            ("minimap", "no"),
            ("glow", 0),
        ]
    ),
]


@pytest.mark.parametrize(("content", "reason"), BROKEN)
def test_an_invalid_file_is_reported_and_kept(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "interface.json"
    file.write_bytes(content)
    store = Store(file)
    assert store.state.ui == UiState()
    (message,) = store.messages()
    assert reason in message
    assert str(tmp_path / "interface.json.bad") in message
    assert (tmp_path / "interface.json.bad").read_bytes() == content
    store.state.ui.theme = "light"
    store.settings_store.close()
    assert loads(file.read_text()).theme == "light"


def test_earlier_invalid_files_are_not_overwritten(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "interface.json").write_text(f"bad {number}")
        Store(tmp_path / "interface.json").settings_store.close()
        (tmp_path / "interface.json").unlink(missing_ok=True)
    assert {p.name for p in tmp_path.iterdir()} == {f"interface.json{n}.bad" for n in ("", ".2", ".3")}
    assert (tmp_path / "interface.json.bad").read_text() == "bad 0"


def test_changes_are_saved_after_a_quiet_moment(tmp_path: Path) -> None:
    file = tmp_path / "new" / "interface.json"
    store = Store(file)
    settings_store, ui = store.settings_store, store.state.ui
    settings_store.frame(0, False)
    ui.zoom = 2.0
    settings_store.frame(10, False)
    assert store.calls == [2.0]
    ui.zoom = 1.5
    settings_store.frame(11, False)
    settings_store.frame(12, False)
    assert not file.exists()
    settings_store.frame(13, True)  # in the middle of a drag
    assert not file.exists()
    settings_store.frame(14, False)
    assert loads(file.read_text()) == ui
    written = file.stat().st_mtime_ns
    settings_store.frame(99, False)
    settings_store.close()
    assert file.stat().st_mtime_ns == written
    assert store.calls == [2.0, 2.0]
    ui.hidden.add("Atlas")
    settings_store.close()
    assert Store(file).state.ui == ui


def test_the_switches_of_map_persist(tmp_path: Path) -> None:
    file = tmp_path / "interface.json"
    store = Store(file)
    for action in ACTIONS:
        if action.name in ("map.minimap", "map.glow"):
            action.run(store.state)
    store.settings_store.close()
    again = Store(file).state.ui
    assert (again.minimap, again.glow) == (False, False)


def test_an_unwritable_folder_is_reported_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "interface.json")
    for second in range(0, 40, 4):
        store.state.ui.zoom = 1.0 + second / 40
        store.settings_store.frame(second, False)
        store.settings_store.frame(second + 3, False)
    store.settings_store.close()
    (message,) = [*store.state.messages, *([store.settings_store._note] if store.settings_store._note else [])]
    assert str(tmp_path / "file") in message


def test_an_unreadable_file_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "interface.json"
    file.mkdir()
    store = Store(file)
    (message,) = store.messages()
    assert message == f"settings cannot be read (Is a directory) and will not be saved: {file}"
    store.state.ui.zoom = 2.0
    store.settings_store.close()
    assert file.is_dir()
    assert len(store.state.messages) == 1


def test_damage_to_the_layout_loses_only_the_layout(tmp_path: Path) -> None:
    file = tmp_path / "interface.json"
    layout = "[Docking][Data]\nDockNode ID=0x00000008 Parent=0x00000006 SizeRef=1,1\n"
    file.write_text(dumps(dataclasses.replace(ARRANGED, layout=layout)))
    store = Store(file)
    assert store.state.ui == dataclasses.replace(ARRANGED, layout="")
    (message,) = store.messages()
    assert message.startswith("the saved layout has a dock node 0x00000008 without a valid parent;")
    assert str(file) in message


STARTS = """
import os, sys
from pathlib import Path
from atlas_viewer.state.settings import SettingsStore
from atlas_viewer.state.state import State
from compute.sampling.options import GenerateOptions

store = SettingsStore(State("", GenerateOptions()), lambda seconds: None, Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    store.frame(0, False)
if sys.argv[3] == "waits":
    print("started", flush=True)
    sys.stdin.read()
elif sys.argv[3] == "closes":
    store.close()
elif sys.argv[3] == "fails":
    store.close(failed=True)
os._exit(0)
"""


def start(file: Path, frames: int, end: str) -> subprocess.Popen[str]:
    """A process that starts with the settings in `file`, draws `frames` frames, and ends as `end` specifies."""
    return subprocess.Popen(
        [sys.executable, "-c", STARTS, str(file), str(frames), end],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("frames", "end", "aside"),
    [
        (0, "dies", True),
        (3, "dies", True),
        (3, "fails", True),
        (0, "closes", False),
        (10, "dies", False),
        (20, "fails", False),
    ],
)
def test_settings_of_a_failed_start_are_put_aside(tmp_path: Path, frames: int, end: str, aside: bool) -> None:
    file = tmp_path / "interface.json"
    light = UiState(theme="light")
    file.write_text(dumps(light))
    start(file, frames, end).communicate(timeout=PATIENCE_S)
    store = Store(file)
    assert (store.state.ui == UiState()) == aside
    assert (store.state.ui == light) != aside
    assert file.with_suffix(".json.bad").exists() == aside
    assert [message for message in store.messages() if "the last start failed" in message] == store.state.messages
    assert len(store.state.messages) == aside
    store.settings_store.close()
    again = Store(file)  # this start succeeded
    again.settings_store.close()
    assert again.messages() == []
    assert not (tmp_path / "interface.json.starting").exists()


def test_a_start_in_progress_is_not_a_failed_one(tmp_path: Path) -> None:
    file = tmp_path / "interface.json"
    file.write_text(dumps(UiState(theme="light")))
    other = start(file, 0, "waits")
    assert other.stdout is not None
    assert other.stdout.readline() == "started\n"
    store = Store(file)
    assert store.state.ui.theme == "light"
    store.settings_store.close()
    other.kill()
    other.communicate()
    assert Store(file).state.ui == UiState()


def test_settings_saved_after_a_failed_start_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "interface.json"
    start(file, 0, "dies").communicate(timeout=PATIENCE_S)
    first = Store(file)
    first.state.ui.theme = "light"
    first.settings_store.close()
    assert Store(file).state.ui.theme == "light"
