"""The layout in a settings file, up to imgui, which trusts all of it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.settings import SettingsStore, dumps
from atlas_viewer.state.state import State
from atlas_viewer.state.ui_state import UiState
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.panels import layout
from compute.sampling.options import GenerateOptions

from ..mutation import change_bytes, change_lines
from ..scratch import folder
from ..target import Target, may_refuse

# A few panels of the window, with all of its places.
_PANELS = (
    ("Prompt", "top"), ("Sampling", "bottom"), ("Runs", "top"), ("Atlas", "center"), ("Map", "center"),
    ("Logits", "bottom"), ("Trace", "middle"), ("Output", "middle"), ("Tokens", "middle"), ("Inspector", "bottom"),
)  # fmt: skip
_FRAMES = 3
_NUMBER = re.compile(rb"0x[0-9A-Fa-f]+|-?\d+")
_WORDS = (
    b"Split=X Split=Y CentralNode=1 NoTabBar=1 HiddenTabBar=1 NoWindowMenuButton=1 NoCloseButton=1"
    b" Collapsed=1 IsChild=1 IsPopup=1 DockId= ClassId= ViewportId= ViewportPos=9,9"
    b" Parent= Selected= SizeRef= DockSpace DockNode [Docking][Data] [Window][Atlas] [Table][0x01,1] Window=0x1BBC0F80"
    b" RefScale=0 Column Sort=0v Weight=1e39 Visible=0"
).split()


def seeds() -> Sequence[bytes]:
    """Layouts as the window writes them: the default, and one with a floating panel."""
    usual = _shown("")
    floating = usual.replace("[Window][Map]", "[Window][Trace ]", 1).replace("DockId=0x00000006,1\n", "")
    return [usual.encode(), floating.encode(), b"[Window][Atlas]\nPos=1,2\nSize=300,200\nCollapsed=0\n"]


def use(data: bytes) -> None:
    """Read it as settings, show the accepted layout for some frames, and read what imgui writes."""
    with may_refuse(ValueError):
        text = _read(data.decode())
    again = _shown(text)
    assert _read(again), "the next start would not take what imgui writes of it"


def _read(text: str) -> str:
    """The layout that a window with these settings starts with. Raises ValueError if it is not the one in `text`."""
    file = folder() / "interface.json"
    for left in folder().glob("interface.*"):
        left.unlink()
    file.write_text(dumps(UiState(layout=text)))
    state = State("", GenerateOptions())
    SettingsStore(state, lambda seconds: None, file).close()
    if not state.ui.layout:
        raise ValueError("the layout is not taken")
    return state.ui.layout


def _shown(text: str) -> str:
    """The layout that imgui saves after loading `text`, without a window."""
    context = imgui.create_context()
    try:
        io = imgui.get_io()
        io.set_ini_filename("")
        io.config_flags |= imgui.ConfigFlags_.docking_enable
        io.backend_flags |= imgui.BackendFlags_.renderer_has_textures
        io.display_size, io.delta_time = ImVec2(1280, 720), 1 / 60
        imgui.load_ini_settings_from_memory(text)
        ui = UiState(layout=text)
        _frames(ui)
        written = ui.layout
        ui.reset_layout = True
        _frames(ui)
        return written
    finally:
        imgui.destroy_context(context)


def _frames(ui: UiState) -> None:
    """Draw some frames with those parts of the window that depend on the layout."""
    for _ in range(_FRAMES):
        imgui.new_frame()
        widget_tracking.begin_frame()
        identity, fresh = layout.dock_space(ui, lambda _: _PANELS)
        for title, _ in _PANELS:
            layout.floats(title, identity)
            imgui.begin(title, True)
            imgui.text(title)
            imgui.end()
        if fresh:
            layout.order_tabs(_PANELS)
        layout.raise_panel("Trace", "Logits")
        layout.track_tabs(name for name, _ in _PANELS)
        layout.remember(ui)
        imgui.render()


def _change_line(data: bytes, chance: random.Random) -> bytes:
    """Replace a number, mostly by one that occurs already, or add or remove a word."""
    numbers = list(_NUMBER.finditer(data))
    kind = chance.randrange(6)
    if numbers and kind < 4:
        found = chance.choice(numbers)
        new = b"0x%08X" % chance.randrange(16) if found[0].startswith(b"0x") else b"%d" % chance.choice(_SIZES)
        return data[: found.start()] + new + data[found.end() :]
    words = data.split(b" ")
    if kind == 4:
        words.insert(chance.randrange(len(words) + 1), chance.choice(_WORDS))
        return b" ".join(words)
    return change_bytes(data, chance)


_SIZES = (0, 1, -1, 2, 5, 300, 32767, 32768, 65536, -32769, 2**31 - 1, 2**31, -(2**31), 2**32, 10**20)

TARGET = Target(use, seeds, change_lines(_change_line), runs=300)
