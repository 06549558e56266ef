"""The canvas in a window: it sleeps until something happens, and never asks the adapter for more than it can draw."""

from __future__ import annotations

from typing import Any

import glfw
from rendercanvas.glfw import GlfwRenderCanvas

from .picture_canvas import OwnCanvas
from .x11 import LostDisplay

# Seconds. With nothing to draw, timers and Ctrl+C wait at most this long; input ends the sleep at once.
_NAP = 0.25


class WindowCanvas(OwnCanvas, GlfwRenderCanvas):
    """A glfw window.

    rendercanvas looks for input 60 times a second. This window waits for it in the operating system instead, while no
    frame is due: looking costs several per cent of a core, waiting next to nothing.
    """

    def __init__(self, **options: Any) -> None:
        """options: as those of rendercanvas' window."""
        self.lost: LostDisplay | None = None  # on X11
        self._due = True  # a frame was asked for and has not begun
        self._unseen = False  # there are events that no handler has seen
        super().__init__(**options)

    def check(self) -> None:
        """wgpu aborts when it asks a server that is gone for something to draw on."""
        if self.lost is not None:
            self.lost.check()

    def request_draw(self, draw_function: Any = None) -> None:
        """Have a frame drawn soon; draw_function: draws it, and those after it."""
        self._due = True
        super().request_draw(draw_function)

    def submit_event(self, event: dict[str, Any]) -> None:
        """Hand an event to its handlers before the next frame."""
        self._unseen = True
        super().submit_event(event)

    def _rc_request_draw(self) -> None:
        self._due = True  # also for reasons of rendercanvas' own, such as another size
        super()._rc_request_draw()

    def _paint(self) -> None:
        self._due = False
        super()._paint()

    def _process_events(self) -> None:
        if not (self._due or self._unseen or self.get_closed()):
            self._sleep()
        super()._process_events()
        self._unseen = False

    def _sleep(self) -> None:
        # While a window is being resized some systems stay in this call, and rendercanvas then draws from within.
        self._is_in_poll_events = True
        try:
            glfw.wait_events_timeout(_NAP)
        finally:
            self._is_in_poll_events = False

    def _determine_size(self) -> None:
        super()._determine_size()
        if self.clamp():
            # Ask for a window that fits, too: one that is larger than its picture is slow to draw on.
            self.set_logical_size(*self.get_logical_size())
