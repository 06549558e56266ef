"""Actions on walks, the slow motion and the explanation, as functions on the state."""

from __future__ import annotations

from collections.abc import Callable

from atlas_viewer.state.navigation import open_map
from atlas_viewer.state.requests import Continue, Pause
from atlas_viewer.state.state import State
from atlas_viewer.state.walk_control import PANEL, fly, show
from atlas_viewer.state.walk_control import close as close_walk
from atlas_viewer.walk.built_in import GUIDED, MINUTE


def guided(state: State) -> None:
    """Open the guided walk, or bring the walk that is open to the front."""
    if state.walks.source is None or state.walks.caption:
        state.walks.wanted = GUIDED
    state.ui.hidden.discard(PANEL)
    state.ui.front = PANEL


def minute(state: State) -> None:
    """Begin the one-minute tour."""
    state.wavefront.stop()
    state.walks.wanted = MINUTE


def has_walk(state: State) -> bool:
    """True while a walk is open."""
    return state.walks.source is not None


def turn(pages: int) -> Callable[[State], None]:
    """An action that turns this many pages."""

    def go(state: State) -> None:
        state.walks.go(state.walks.number + pages)

    return go


def again(state: State) -> None:
    """Fly to the subject of the page again."""
    if state.walks.page is not None:
        show(state, state.walks.page.subject)


def next_link(state: State) -> None:
    """Follow the next link of the page; after the last one, show the page's subject again."""
    walks = state.walks
    walks.link += 1
    if walks.link < len(walks.links):
        show(state, walks.links[walks.link])
    else:
        walks.link = -1
        again(state)


def close(state: State) -> None:
    """Close the walk."""
    close_walk(state)


def escape(state: State) -> bool:
    """End what Escape ends first: an explanation, the slow motion, the tour, an invitation. False if there is none."""
    walks = state.walks
    if state.explanation.text:
        state.explanation.text = ""
    elif state.wavefront.on:
        state.wavefront.stop()
    elif walks.caption and walks.source is not None:
        close_walk(state)
    elif walks.invited:
        walks.invited = False
    else:
        return False
    return True


def has_map(state: State) -> bool:
    """True when there is a pass on Map that can be shown in slow motion."""
    return state.map.registry is not None and state.map.layout is not None and state.inspection.rows > 0


def slow(state: State) -> None:
    """Generate one token and show its pass in slow motion; pause a run in progress and show its latest pass."""
    maps, run = state.map, state.run
    if maps.registry is None or maps.layout is None:
        return
    if state.walks.caption:
        close_walk(state)
    open_map(state)
    if state.busy:
        state.requests.append(Pause())
    elif run is not None and run.paused:
        state.requests.append(Continue(1))
    state.chosen = None
    state.wavefront.begin(maps.registry.description)
    state.wavefront.waits = True
    fly(state, (0, 0, maps.layout.width, maps.layout.height))


def explain(state: State) -> None:
    """Explain what is under the mouse."""
    state.explanation.asked = True
