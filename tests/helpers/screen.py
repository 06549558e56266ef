"""The panels without a GPU, with mouse and keyboard events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import fonts, panels, shortcuts, theme, widget_tracking
from atlas_viewer.ui.services import Services

NO_SERVICES = Services()
SIZE = (2560, 1440)


class Screen:
    """The panels on a window that has space for all areas, recording the position of each widget and every text."""

    def __init__(
        self,
        state: State,
        monkeypatch: pytest.MonkeyPatch,
        services: Services = NO_SERVICES,
        view: str | None = "Atlas",
    ) -> None:
        """view: the view in front; None for the one of `state`."""
        self.state, self.services = state, services
        state.ui.view = view or state.ui.view
        self.texts: list[str] = []
        self.io = imgui.get_io()
        for name, position in (("text", 0), ("text_colored", 1), ("text_wrapped", 0), ("set_tooltip", 0)):
            self._listen(monkeypatch, name, position)
        self.frame(4)

    @property
    def centers(self) -> dict[str, ImVec2]:
        """The center of each widget of the last frame, by its id."""
        return {identity: ImVec2(*rect.center) for identity, rect in widget_tracking.rects.items()}

    def _listen(self, monkeypatch: pytest.MonkeyPatch, name: str, position: int) -> None:
        original = getattr(imgui, name)

        def heard(*values: object) -> None:
            self.texts.append(str(values[position]))
            original(*values)

        monkeypatch.setattr(imgui, name, heard)

    def frame_fast(self) -> None:
        """A frame so soon after the previous one that two clicks are a double click."""
        self.frame(seconds=0.02)

    def frame(self, count: int = 1, *, seconds: float = 0.2) -> None:
        for _ in range(count):
            self.texts.clear()
            self.io.delta_time = seconds
            theme.follow(self.state.ui)
            imgui.new_frame()
            panels.draw_all(self.state, self.services)
            imgui.render()

    def point(self, position: ImVec2) -> None:
        self.io.add_mouse_pos_event(position.x, position.y)
        self.frame(2)

    def click(self, label: str, button: int = 0) -> None:
        self.point(self.centers[label])
        for down in (True, False):
            self.io.add_mouse_button_event(button, down)
            self.frame()

    def shows(self, part: str) -> bool:
        return any(part in text for text in self.texts)

    def press(self, key: imgui.Key, *, ctrl: bool = False) -> None:
        for down in (True, False):
            if ctrl:
                self.io.add_key_event(imgui.Key.mod_ctrl, down)
            self.io.add_key_event(key, down)
            self.frame()


@contextmanager
def new_context(layout: str = "") -> Iterator[None]:
    """An imgui context as after a start of the program, with a saved layout; the previous one is current afterwards."""
    before = imgui.get_current_context()
    made = imgui.create_context()
    imgui.set_current_context(made)
    io = imgui.get_io()
    io.display_size = ImVec2(*SIZE)
    io.set_ini_filename("")
    io.backend_flags |= imgui.BackendFlags_.renderer_has_textures
    io.config_flags |= imgui.ConfigFlags_.docking_enable
    theme.apply()
    fonts.load()
    imgui.load_ini_settings_from_memory(layout)
    yield
    imgui.destroy_context(made)
    if before is not None:
        imgui.set_current_context(before)


@pytest.fixture
def context() -> Iterator[None]:
    with new_context():
        yield


def press(screen: Screen, chord: str) -> None:
    held, name = shortcuts.parts(chord)
    io = screen.io
    modifiers = {"Ctrl": imgui.Key.mod_ctrl, "Shift": imgui.Key.mod_shift, "Alt": imgui.Key.mod_alt}
    for down in (True, False):
        for modifier in held:
            io.add_key_event(modifiers[modifier], down)
        io.add_key_event(shortcuts.imgui_key(name), down)
        screen.frame()
