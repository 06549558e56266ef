"""What the open walk does in each frame: it shows the page's subject, fetches its values, and lights up links."""

from __future__ import annotations

import math
from collections.abc import Mapping

from atlas_viewer.walk.built_in import built_in
from atlas_viewer.walk.check import Checker
from atlas_viewer.walk.pages import Page
from atlas_viewer.walk.subject import LAST, Kind, Subject
from compute.errors import WalkError
from compute.models.tensor_index import TensorIndex

from .map_camera import CameraPose
from .navigation import ATLAS, MAP, on_map
from .requests import Continue
from .spotlight import NOTHING, Box, around, spotlight
from .state import State
from .walk_state import Shares
from .walk_subjects import box_of_subject, element_of, missing

PANEL = "Walk"  # name of the panel
_SEEN = 72.0  # least width of a cell after a flight to it, in pixels
_MARGIN = 0.04  # of a bright box: how far it extends


def frame(state: State, panels: Mapping[str, str], now: float) -> None:
    """Resolve the walk for the current model, and show a page that has just been opened.

    panels: the name of each panel by its title and name; now: in seconds, on `time.perf_counter`'s clock.
    """
    walks = state.walks
    walks.now = now
    if walks.wanted:
        walks.begin(built_in(walks.wanted))
        walks.wanted, walks.caption = "", walks.wanted == "minute"
    _resolve(state, panels)
    page = walks.page
    if page is None:
        state.map.spotlight = NOTHING
        return
    if walks.due and _ready(state, page):
        _open(state, page, now)
    elif walks.timed and state.live and not walks.held and now - walks.shown_at >= page.hold and not walks.due:
        walks.go(walks.number + 1)
    if _has_moved(state):
        show(state, walks.subject or page.subject)
    elif walks.pose is not None and state.map.flight is None and state.map.camera.pose != walks.pose:
        walks.subject = None  # the user looks at something else
    _fetch(state, page)
    _light(state)


def _resolve(state: State, panels: Mapping[str, str]) -> None:
    """Check the walk against the model, once for each."""
    walks, registry = state.walks, state.map.registry
    if walks.source is None or (registry is not None and walks.description is registry.description):
        return
    if registry is None:
        if not state.map.problem and MAP not in state.ui.shown:
            _raise_map(state)  # Map is prepared when it is first visible
        return
    walks.description, walks.walk, walks.problem = registry.description, None, ""
    walks.subject, walks.hovered, walks.due = None, None, True
    if walks.fresh and not walks.caption:
        state.ui.hidden.discard(PANEL)
        state.ui.front = PANEL
    walks.fresh = False
    try:
        walks.walk = Checker(registry.description, panels).walk(walks.source)
        walks.number = min(walks.number, walks.pages - 1)  # another model may have fewer pages
    except WalkError as error:
        walks.problem = f"This walk does not fit the model: {error}"


def _ready(state: State, page: Page) -> bool:
    """True when the page can be shown: its view has been laid out, and a pass has been computed."""
    maps, ui = state.map, state.ui
    if page.subject.kind is Kind.STRIP:
        return True
    if MAP not in ui.shown:
        _raise_map(state)
        return False
    return maps.layout is not None and maps.registry is not None and maps.registry.rows > 0


def _raise_map(state: State) -> None:
    state.ui.raised = state.ui.raised or MAP


def _open(state: State, page: Page, now: float) -> None:
    walks = state.walks
    walks.due, walks.shown_at = False, now
    if page.run and walks.number not in walks.visited and _can_run(state):
        state.requests.append(Continue(page.run))
    walks.visited.add(walks.number)
    show(state, page.subject)
    if page.panel:
        walks.panels.append(page.panel)


def _has_moved(state: State) -> bool:
    """True when the subject is elsewhere: Map has been laid out again, or the newest row is another one."""
    walks, maps = state.walks, state.map
    if walks.subject is None or maps.registry is None or maps.layout is None:
        return False
    if walks.layout is not maps.layout:
        return True
    if maps.flight is not None or maps.camera.pose != walks.pose:
        return False
    follows = walks.subject.row == LAST or LAST in walks.subject.index[:-1] or not state.busy
    return follows and walks.box != box_of_subject(walks.subject, maps.registry, maps.layout)


def _can_run(state: State) -> bool:
    """True when the run can go on; that of a recording shows what was recorded."""
    return state.run is not None and state.run.paused and state.recording.playback is None


def show(state: State, subject: Subject) -> None:
    """Fly to a subject on Map, which dims the rest; or show Strip, or a panel."""
    walks, maps = state.walks, state.map
    walks.subject, walks.pose = None, None
    if subject.kind is Kind.PANEL:
        walks.panels.append(subject.name)
        return
    if subject.kind is Kind.STRIP:
        state.ui.view = state.ui.raised = ATLAS
        state.strip.camera.reset()
        return
    if maps.registry is None or maps.layout is None:
        return
    if subject.name in maps.registry.description.token_tables and subject.name not in maps.layout.placements:
        maps.wanted, state.ui.tables = TensorIndex(subject.name), True  # Map is laid out again
        return
    box = box_of_subject(subject, maps.registry, maps.layout)
    if box is None:
        return
    if not on_map(state):
        state.ui.view = state.ui.raised = MAP
    walks.subject, walks.layout, walks.box = subject, maps.layout, box
    element = element_of(subject, maps.registry)
    if element is not None and subject.kind is Kind.ELEMENT:
        state.inspection.point_at(element)
    least = min(box[2:]) * maps.size[1] / _SEEN if subject.kind is Kind.ELEMENT else 0.0
    below = walks.caption_height if walks.caption else 0.0
    drawer = walks.drawer_width if subject.kind is not Kind.WHOLE else 0.0
    walks.pose = fly(state, box, least, (drawer, below))


def fly(state: State, box: Box, least: float = 0.0, covered: tuple[float, float] = (0.0, 0.0)) -> CameraPose:
    """Fly to a box on Map, see `MapState.fly_to`. Pictures show where the flight ends."""
    pose = state.map.fly_to(box, state.walks.now, least=least, covered=covered)
    if not state.live:
        state.map.advance(math.inf)
    return pose


def note(state: State, page: Page) -> str:
    """Why the subject cannot be shown as the page says; empty when it can."""
    registry = state.map.registry
    return "" if registry is None else missing(page.subject, registry)


def _fetch(state: State, page: Page) -> None:
    """Ask for the values that placeholders on the page stand for."""
    walks, inspection, registry = state.walks, state.inspection, state.map.registry
    inspection.extra = ()
    if registry is None or not registry.rows:
        return
    text = " ".join(piece.text for paragraph in page.paragraphs for piece in paragraph)
    element = element_of(page.subject, registry)
    if "{value}" in text and element is not None:
        inspection.extra = (element,)
    if "{strongest " in text and page.subject.head is not None:
        _fetch_shares(state, page.subject, registry.rows)
        inspection.extra += walks.shares.wanted(inspection.spare - len(inspection.extra))


def _fetch_shares(state: State, subject: Subject, rows: int) -> None:
    """Take up the shares that have arrived; begin again after another pass."""
    walks, inspection, run = state.walks, state.inspection, state.run
    query = rows - 1 if subject.row is None or subject.row < 0 else subject.row
    if query >= rows or subject.head is None:
        walks.shares = Shares()
        return
    row = TensorIndex(subject.name, (subject.head, query, 0), query + 1)
    version = (run.number, len(run.steps)) if run is not None else (0, 0)
    if (walks.shares.row, walks.shares.run) != (row, version):
        walks.shares = Shares(row, version)
        for key in range(row.count):  # of an earlier pass, if the context is full
            inspection.probed_values.pop(TensorIndex(row.name, (subject.head, query, key)), None)
        return
    for key in range(row.count):
        value = inspection.value(TensorIndex(row.name, (subject.head, query, key)))
        if value is not None:
            walks.shares.known[key] = value


def _light(state: State) -> None:
    """Dim everything but the subject, and outline the link under the mouse."""
    walks, maps = state.walks, state.map
    if maps.registry is None or maps.layout is None:
        return
    outlined: list[Box] = []
    box = box_of_subject(walks.hovered, maps.registry, maps.layout) if walks.hovered is not None else None
    if box is not None:
        outlined.append(box)
    dimmed: list[Box] = []
    subject = walks.subject
    box = box_of_subject(subject, maps.registry, maps.layout) if subject is not None else None
    if box is not None and subject is not None and subject.kind is not Kind.WHOLE:
        dimmed = around(_with_margin(box))
        if subject.kind in (Kind.ROW, Kind.ELEMENT):
            outlined.append(box)
    found = spotlight(dimmed, outlined)
    if found.key != maps.spotlight.key:
        maps.spotlight = found


def _with_margin(box: Box) -> Box:
    x, y, width, height = box
    margin = _MARGIN * min(width, height)
    return x - margin, y - margin, width + 2 * margin, height + 2 * margin


def is_lit(state: State, target: Subject) -> bool:
    """True when the tensor under the mouse is the one that a link leads to."""
    cursor = state.inspection.cursor
    return cursor is not None and not state.inspection.keyed and cursor.name == target.name


def close(state: State) -> None:
    """Close the walk; Map shows everything brightly again."""
    state.walks.stop()
    state.inspection.extra = ()
    state.map.spotlight = NOTHING
