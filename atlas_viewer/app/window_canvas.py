"""The canvas in a window: sleeps until an event arrives, and never exceeds the size that the adapter can draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import glfw
from rendercanvas.glfw import GlfwRenderCanvas

from compute.gpu.wgpu_native import check_before_configuring

from .picture_canvas import OwnCanvas
from .x11 import LostDisplay

# Seconds. When no frame is due, timers and Ctrl+C wait at most this long; input ends the sleep at once.
_NAP = 0.25


class WindowCanvas(OwnCanvas, GlfwRenderCanvas):
    """A glfw window.

    rendercanvas polls for input 60 times per second, which costs several percent of a core. While no frame is due, this
    window instead waits in the operating system, which costs almost nothing.
    """

    def __init__(self, **options: Any) -> None:
        """options: those of rendercanvas's window."""
        self.lost: LostDisplay | None = None  # on X11
        self._due = True  # a frame has been requested and has not begun
        self._unhandled = False  # there are events that no handler has received
        super().__init__(**options)

    def watch(self, lost: LostDisplay) -> None:
        """Check the X server before every frame, and before calls in which its loss would abort the process."""
        self.lost = lost
        # The check before a frame is too early: acquiring a texture may wait for the server. When that fails, wgpu
        # configures the surface again, which aborts without a server.
        check_before_configuring(self.screen_context(), lost.check)

    def check(self) -> None:
        """End the program if the X server has disappeared."""
        if self.lost is not None:
            self.lost.check()

    def take_drops(self, take: Callable[[list[str]], object]) -> None:
        """Call `take` with the paths of files that are dropped on the window, and draw a frame afterwards."""

        def dropped(_window: object, paths: list[str]) -> None:
            take(paths)
            self.request_draw()

        library: Any = glfw  # its stubs describe the callback of the C library
        library.set_drop_callback(self._window, dropped)

    def request_draw(self, draw_function: Any = None) -> None:
        """Draw a frame soon; draw_function: draws this and later frames."""
        self._due = True
        super().request_draw(draw_function)

    def submit_event(self, event: dict[str, Any]) -> None:
        """Pass an event to its handlers before the next frame."""
        self._unhandled = True
        super().submit_event(event)

    def _rc_request_draw(self) -> None:
        self._due = True  # rendercanvas calls this, too, for example after resizing
        super()._rc_request_draw()

    def _paint(self) -> None:
        self._due = False
        super()._paint()

    def _process_events(self) -> None:
        if not (self._due or self._unhandled or self.get_closed()):
            self._sleep()
        super()._process_events()
        self._unhandled = False

    def _sleep(self) -> None:
        # Some systems stay in this call while a window is being resized; rendercanvas then draws from within it.
        self._is_in_poll_events = True
        try:
            glfw.wait_events_timeout(_NAP)
        finally:
            self._is_in_poll_events = False

    def _determine_size(self) -> None:
        super()._determine_size()
        if self.clamp():
            # Make the window that size, too: a window larger than its picture is slow to draw.
            self.set_logical_size(*self.get_logical_size())
