"""A saved layout is checked before imgui reads it, because a damaged one crashes the process there."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from atlas_viewer.state.layout_text import DOCK_SPACE, checked

from helpers import layout_player
from helpers.paths import SEARCH_PATH
from helpers.patience import PATIENCE_S

NUMBERS = (0, -1, 1, 2, 7, 100, 250, 32767, 32768, -32768, 65536, 2**31 - 1, -(2**31), 2**32, 10**12)
CHARACTERS = ("", "\0", "x", "=", "[", "]", " ", "9", "-", "%n%s", "é", "\n", "0x")


@pytest.fixture(scope="module")
def layout() -> str:
    """A layout written by imgui, with panels, a table and docks."""
    written = layout_player.play("")
    assert all(f"[{kind}]" in written for kind in ("Window", "Table", "Docking"))
    return written


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()]


def played(layouts: list[str]) -> tuple[int, str]:
    """Exit status of a process that draws the panels with each layout; after a crash, the layout and stderr, too."""
    done = subprocess.run(
        [sys.executable, "-m", "helpers.layout_player"],
        input=json.dumps(layouts),
        capture_output=True,
        text=True,
        env={"PYTHONPATH": SEARCH_PATH},
        timeout=PATIENCE_S,
    )
    lines = done.stdout.splitlines()
    assert lines, done.stderr
    reached = json.loads(lines[-1])
    return done.returncode, "" if done.returncode == 0 else f"{layouts[reached]}\n{done.stderr}"


def test_imgui_layouts_pass_unchanged(layout: str) -> None:
    assert words(checked(layout)) == words(layout)
    assert layout_player.play(checked(layout)) == layout
    assert checked(checked(layout)) == checked(layout)
    assert checked("") == checked(" \n") == ""


def test_unknown_entries_of_a_newer_imgui_are_dropped(layout: str) -> None:
    newer = layout.replace("Collapsed=0", "Collapsed=0\nGlued=1").replace(" Split=X", " Split=X Woven=0x12")
    newer += "[Window][New]\nPos=1,2\n\n[Weather][Data]\nRain, all day\n"
    assert words(checked(newer)) == [*words(layout), ["[Window][New]"], ["Pos=1,2"]]


SPACE = f"0x{DOCK_SPACE:08X}"


def swapped(text: str, one: str, other: str) -> str:
    return other.join(part.replace(other, one) for part in text.split(one))


def test_a_window_in_a_missing_dock_floats(layout: str) -> None:
    """imgui crashes on such a window when it lays out the panels again."""
    head = "[Window][Debug##Default]"
    lost = layout.replace(head, f"{head}\nDockId=0x00000077,0")
    assert lost != layout
    assert checked(lost) == checked(layout)
    split = layout.replace(head, f"{head}\nDockId={SPACE},0")
    assert checked(split) == checked(layout)


DAMAGED: list[tuple[Callable[[str], str], str]] = [
    (lambda t: t.replace("ID=0x00000004 Parent=0x00000001", "ID=0x00000004 Parent=0x00000006"), "a valid parent"),
    (lambda t: t.replace("Parent=0x00000004", "Parent=0x00000066"), "a valid parent"),
    (lambda t: t.replace("ID=0x00000004 Parent=0x00000001", "ID=0x00000004 Parent=0x00000004"), "a valid parent"),
    (lambda t: t.replace("ID=0x00000005", "ID=0x00000006"), "invalid dock node"),
    (lambda t: t.replace("ID=0x00000005", "ID=0x00000000"), "invalid entry 'ID=0x00000000'"),
    (lambda t: re.sub(r"(ID=0x00000004 .*) Split=Y", r"\1", t), "with 2 children"),
    (lambda t: re.sub(r"(ID=0x00000004 .*) Split=Y", r"\1 Split=Z", t), "invalid entry 'Split=Z'"),
    (lambda t: t.replace("SizeRef=449,", "SizeRef=-449,"), "invalid entry 'SizeRef="),
    (lambda t: t.replace("SizeRef=449,", "SizeRef=99999,"), "invalid entry 'SizeRef="),
    (lambda t: t.replace(" CentralNode=1", ""), "exactly one central dock node"),
    (lambda t: t.replace("DockSpace ", "DockNode "), "exactly one central dock node"),
    (lambda t: swapped(t, SPACE, "0x00000001"), "exactly one central dock node"),
    (lambda t: t.replace(SPACE, "0x00000077"), "exactly one central dock node"),
    (lambda t: re.sub(r" Window=0x\w+", " Window=0x00000000", t), "invalid entry 'Window=0x00000000'"),
    (lambda t: re.sub(r"( Size=\d+),\d+ Split", r"\1,08 Split", t), "invalid entry 'Size="),
    (lambda t: re.sub(r" Pos=0,\d+ Size", " Pos=0,010 Size", t), "invalid entry 'Pos=0,010'"),
    (lambda t: re.sub(r" Pos=0,\d+ Size", " Pos=0,\N{ARABIC-INDIC DIGIT THREE} Size", t), "invalid entry 'Pos="),
    (lambda t: t[: t.index("[Docking]")], "no docked panels"),
    (lambda t: t[: t.rindex("DockNode")], "with 1 children"),
    (lambda t: t.replace("[Window][Atlas]", "[Window][Map]"), "[Window][Map] twice"),
    (lambda t: t.replace("Column 1 ", "Column 9999999 "), "invalid column"),
    (lambda t: t.replace("Order=1", "Order=0"), "two columns at one position"),
    (lambda t: re.sub(r"\[Table\]\[0x(\w+),\d+\]", r"[Table][0x\1,2000000000]", t), "invalid table"),
    (lambda t: "x" + t, "does not begin with a heading"),
    (lambda t: t.replace("[Window][Atlas]", "[Window][Atlas"), "invalid heading"),
    (lambda t: t.replace("Pos=", "Pos=1e9,"), "invalid entry 'Pos="),
    (lambda t: "".join(f"[Window][{number}]\n" for number in range(300)) + t, "too many sections"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "reason"), DAMAGED)
def test_a_damaged_layout_is_refused(layout: str, damage: Callable[[str], str], reason: str) -> None:
    damaged = damage(layout)
    assert damaged != layout
    with pytest.raises(ValueError, match=re.escape(reason)):
        checked(damaged)


def test_imgui_crashes_on_a_damaged_layout(layout: str) -> None:
    """Otherwise the test below could not fail."""
    damage, _ = DAMAGED[0]
    status, _ = played([damage(layout)])
    assert status != 0


def mutated(random: random.Random, text: str) -> str:
    lines = text.split("\n")
    line, other = random.randrange(len(lines)), random.randrange(len(lines))
    kind = random.randrange(8)
    if kind == 0:
        return text[: random.randrange(len(text))]
    if kind in (1, 2):
        numbers = list(re.finditer(r"0x[0-9A-F]{8}" if kind == 1 else r"(?<![x0-9A-Fa-f])-?\d+", text))
        if not numbers:
            return ""
        match = random.choice(numbers)
        number = random.choice([*NUMBERS, int(match[0], 0) + 1, int(random.choice(numbers)[0], 0)])
        new = f"0x{number & 0xFFFFFFFF:08X}" if kind == 1 else str(number)
        return text[: match.start()] + new + text[match.end() :]
    if kind == 3:
        at = random.randrange(len(text))
        return text[:at] + random.choice(CHARACTERS) + text[at + random.randrange(2) :]
    if kind == 4:
        del lines[line]
    elif kind == 5:
        lines.insert(other, lines[line])
    elif kind == 6:
        lines[line], lines[other] = lines[other], lines[line]
    else:
        parts = lines[line].split(" ")
        del parts[random.randrange(len(parts))]
        lines[line] = " ".join(parts)
    return "\n".join(lines)


@pytest.mark.slow
def test_accepted_layouts_do_not_crash_imgui(layout: str) -> None:
    """Damage layouts randomly, mostly in the docks, then draw the accepted ones at many sizes, and reset them."""
    chance = random.Random(11)
    docks = layout.index("[Docking]")
    passed: set[str] = set()
    for _ in range(6000):
        text = layout if chance.random() < 0.4 else layout[docks:]
        for _ in range(chance.choice([1, 1, 2, 3])):
            text = mutated(chance, text + " ")
        try:
            passed.add(checked(text if "[Window]" in text else layout[:docks] + text))
        except ValueError:
            continue
    passed -= {checked(layout)}
    assert len(passed) > 150
    status, failed = played(sorted(passed))
    assert status == 0, failed
