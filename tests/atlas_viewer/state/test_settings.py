"""What is remembered between runs: whole or not at all, whatever is found in the file, and never in a drag."""

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


class Kept:
    """A keeper whose clock is turned by hand."""

    def __init__(self, file: Path) -> None:
        self.state = State("", GenerateOptions())
        self.calls: list[float] = []
        self.settings_store = SettingsStore(self.state, self.calls.append, file)

    def messages(self) -> list[str]:
        """What is told once a run is there."""
        self.settings_store.frame(0, False)
        assert self.state.messages == []
        self.state.run = Run("", GenerateOptions(), [])
        self.settings_store.frame(0, False)
        return self.state.messages


def test_everything_comes_back_but_what_is_of_the_moment() -> None:
    moment = dataclasses.replace(ARRANGED, dialog="palette", typed="x", front="Atlas", quitting=True, reset_layout=True)
    assert loads(dumps(moment)) == ARRANGED
    assert loads(dumps(UiState())) == UiState()
    assert loads('{"version": 1, "unknown": 3}') == UiState()


def test_the_key_of_the_chip_color_stays() -> None:
    assert json.loads(dumps(ARRANGED))["chip_colour"] == "rank"
    assert loads('{"version": 1, "chip_colour": "entropy"}').chip_color == "entropy"
    with pytest.raises(ValueError, match="has no usable 'chip_colour'"):
        loads('{"version": 1, "chip_colour": "heat"}')


def test_the_newest_prompts_are_kept_when_there_is_too_much() -> None:
    prompts = ["a" * 400_000, "b" * 400_000, "c" * 400_000, "d"]
    assert loads(dumps(UiState(prompts=prompts))).prompts == prompts[1:3] + prompts[3:]


def test_the_folder_is_the_users_unless_another_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATLAS_VIEWER_CONFIG", str(tmp_path))
    assert path() == tmp_path / "interface.json"
    monkeypatch.delenv("ATLAS_VIEWER_CONFIG")
    assert path().parent.name == "atlas-viewer"


BROKEN = [
    (b'{"version": 1, "zoom": NaN}', "is no JSON, zoom is not a finite number"),
    (b'{"version": 1, "zoom": 1e400}', "is no JSON, zoom is not a finite number"),
    (b'{"version": 1, "zoom": 1' + b"0" * 400 + b"}", "is no JSON, zoom is a number out of range"),
    (b'{"version": 1, "prompts": ["a", "\\ud800"]}', "is no JSON, prompts[1] is text with half of a character"),
    (b'{"version": 1, "presets": {"\\ud800": {}}}', "is no JSON, presets has a name with half of a character"),
    (b"", "is no JSON"),
    (b'{"version": 1', "is no JSON"),
    (b"\xff\xfe", "is no UTF-8 text"),
    (b"[" * 100_000, "nested too deeply"),
    (b"[1]", "holds no JSON object"),
    (b"{}", "says no version"),
    (b'{"version": 2, "zoom": 1}', "has version 2, this program reads 1"),
    *(
        (json.dumps({"version": 1, name: value}).encode(), f"has no usable '{name}'")
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
def test_a_file_that_cannot_be_used_is_told_and_kept(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "interface.json"
    file.write_bytes(content)
    kept = Kept(file)
    assert kept.state.ui == UiState()
    (message,) = kept.messages()
    assert reason in message
    assert str(tmp_path / "interface.json.bad") in message
    assert (tmp_path / "interface.json.bad").read_bytes() == content
    kept.state.ui.theme = "light"
    kept.settings_store.close()
    assert loads(file.read_text()).theme == "light"


def test_an_earlier_bad_file_is_not_lost(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "interface.json").write_text(f"bad {number}")
        Kept(tmp_path / "interface.json").settings_store.close()
        (tmp_path / "interface.json").unlink(missing_ok=True)
    assert {p.name for p in tmp_path.iterdir()} == {f"interface.json{n}.bad" for n in ("", ".2", ".3")}
    assert (tmp_path / "interface.json.bad").read_text() == "bad 0"


def test_a_change_is_saved_once_it_rests(tmp_path: Path) -> None:
    file = tmp_path / "new" / "interface.json"
    kept = Kept(file)
    settings_store, ui = kept.settings_store, kept.state.ui
    settings_store.frame(0, False)
    ui.zoom = 2.0
    settings_store.frame(10, False)
    assert kept.calls == [2.0]
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
    assert kept.calls == [2.0, 2.0]
    ui.hidden.add("Atlas")
    settings_store.close()
    assert Kept(file).state.ui == ui


def test_the_switches_of_the_map_come_back(tmp_path: Path) -> None:
    file = tmp_path / "interface.json"
    kept = Kept(file)
    for action in ACTIONS:
        if action.name in ("map.minimap", "map.glow"):
            action.run(kept.state)
    kept.settings_store.close()
    again = Kept(file).state.ui
    assert (again.minimap, again.glow) == (False, False)


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Kept(tmp_path / "file" / "interface.json")
    for second in range(0, 40, 4):
        kept.state.ui.zoom = 1.0 + second / 40
        kept.settings_store.frame(second, False)
        kept.settings_store.frame(second + 3, False)
    kept.settings_store.close()
    (message,) = [*kept.state.messages, *([kept.settings_store._note] if kept.settings_store._note else [])]
    assert str(tmp_path / "file") in message


def test_what_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "interface.json"
    file.mkdir()
    kept = Kept(file)
    (message,) = kept.messages()
    assert message == f"settings cannot be read (Is a directory) and will not be saved: {file}"
    kept.state.ui.zoom = 2.0
    kept.settings_store.close()
    assert file.is_dir()
    assert len(kept.state.messages) == 1


def test_a_damaged_layout_costs_only_the_layout(tmp_path: Path) -> None:
    file = tmp_path / "interface.json"
    layout = "[Docking][Data]\nDockNode ID=0x00000008 Parent=0x00000006 SizeRef=1,1\n"
    file.write_text(dumps(dataclasses.replace(ARRANGED, layout=layout)))
    kept = Kept(file)
    assert kept.state.ui == dataclasses.replace(ARRANGED, layout="")
    (message,) = kept.messages()
    assert message.startswith("the saved layout has a dock node 0x00000008 that belongs to no other;")
    assert str(file) in message


STARTS = """
import os, sys
from pathlib import Path
from atlas_viewer.state.settings import SettingsStore
from atlas_viewer.state.state import State
from compute.sampling.options import GenerateOptions

keeper = SettingsStore(State("", GenerateOptions()), lambda seconds: None, Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    keeper.frame(0, False)
if sys.argv[3] == "waits":
    print("started", flush=True)
    sys.stdin.read()
elif sys.argv[3] == "closes":
    keeper.close()
elif sys.argv[3] == "fails":
    keeper.close(failed=True)
os._exit(0)
"""


def start(file: Path, frames: int, end: str) -> subprocess.Popen[str]:
    """A process that starts with the settings in `file`, draws so many frames, and ends in this way."""
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
def test_settings_that_the_last_start_did_not_survive_are_put_aside(
    tmp_path: Path, frames: int, end: str, aside: bool
) -> None:
    file = tmp_path / "interface.json"
    light = UiState(theme="light")
    file.write_text(dumps(light))
    start(file, frames, end).communicate(timeout=PATIENCE_S)
    kept = Kept(file)
    assert (kept.state.ui == UiState()) == aside
    assert (kept.state.ui == light) != aside
    assert file.with_suffix(".json.bad").exists() == aside
    assert [message for message in kept.messages() if "the last start failed" in message] == kept.state.messages
    assert len(kept.state.messages) == aside
    kept.settings_store.close()
    again = Kept(file)  # this start came to its end
    again.settings_store.close()
    assert again.messages() == []
    assert not (tmp_path / "interface.json.starting").exists()


def test_a_start_that_is_not_over_condemns_nothing(tmp_path: Path) -> None:
    file = tmp_path / "interface.json"
    file.write_text(dumps(UiState(theme="light")))
    other = start(file, 0, "waits")
    assert other.stdout is not None
    assert other.stdout.readline() == "started\n"
    kept = Kept(file)
    assert kept.state.ui.theme == "light"
    kept.settings_store.close()
    other.kill()
    other.communicate()
    assert Kept(file).state.ui == UiState()


def test_settings_made_after_a_failed_start_are_not_blamed_for_it(tmp_path: Path) -> None:
    file = tmp_path / "interface.json"
    start(file, 0, "dies").communicate(timeout=PATIENCE_S)
    first = Kept(file)
    first.state.ui.theme = "light"
    first.settings_store.close()
    assert Kept(file).state.ui.theme == "light"
