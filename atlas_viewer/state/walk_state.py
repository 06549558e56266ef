"""The walk on screen: its pages, the one that is open, and what it lights up on Map. Plain values."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from atlas_viewer.walk.pages import Page, Walk
from atlas_viewer.walk.subject import Subject
from compute.models.tensor_index import TensorIndex

from .map_camera import CameraPose
from .spotlight import Box

if TYPE_CHECKING:
    from compute.models.description import Description
    from compute.views.map_layout import MapLayout


@dataclass
class Shares:
    """The attention of one row of a head to each key, fetched a few at a time because probes are few."""

    row: TensorIndex | None = None  # [head, query, 0] with as many values as keys
    run: tuple[int, int] = (0, 0)  # number of the run, and of its steps
    known: dict[int, float] = field(default_factory=dict)  # by key

    @property
    def strongest(self) -> int | None:
        """The key with the largest share; None until all have arrived."""
        if self.row is None or len(self.known) < self.row.count:
            return None
        return max(self.known, key=lambda key: self.known[key])

    def wanted(self, most: int) -> tuple[TensorIndex, ...]:
        """The next values to fetch, at most `most`."""
        if self.row is None:
            return ()
        head, query, _ = self.row.index
        keys = [key for key in range(self.row.count) if key not in self.known][:most]
        return tuple(TensorIndex(self.row.name, (head, query, key)) for key in keys)


@dataclass
class WalkState:
    """The state of the Walk panel.

    source: the walk as its file has it; walk: the same, resolved for the model of `description`.
    """

    source: Walk | None = None
    wanted: str = ""  # the built-in walk to begin, by name
    walk: Walk | None = None
    description: Description | None = None
    problem: str = ""  # why the walk does not fit the model
    number: int = 0  # index of the open page
    due: bool = False  # the page's subject has yet to be shown
    now: float = 0.0  # time of the current frame, in seconds
    shown_at: float = 0.0  # when the page was opened, in seconds
    visited: set[int] = field(default_factory=set)  # pages that have been opened
    caption: bool = False  # show the pages over the picture, not in the panel
    fresh: bool = False  # the walk has just been opened
    caption_height: float = 0.0  # of what covers the bottom of the picture, in its pixels
    drawer_width: float = 0.0  # of the panels over the right edge of the picture, in its pixels
    held: bool = False  # the mouse is over a caption, so that it stays
    focused: bool = False  # the panel has the keyboard focus
    hovered: Subject | None = None  # of the link under the mouse
    link: int = -1  # index of the link that was followed last, on this page
    subject: Subject | None = None  # what Map shows brightly; None when nothing is dimmed
    pose: CameraPose | None = None  # of Map when the subject was shown
    layout: MapLayout | None = None  # of Map at that time
    box: Box | None = None  # of the subject at that time
    panels: deque[str] = field(default_factory=deque)  # names of panels to bring to the front, one per frame
    shares: Shares = field(default_factory=Shares)
    invited: bool = False  # the invitation to the one-minute tour is shown

    def begin(self, walk: Walk, *, caption: bool = False) -> None:
        """Open a walk at its first page."""
        self.stop()
        self.source, self.caption = walk, caption
        self.due, self.fresh, self.invited = True, True, False

    def stop(self) -> None:
        """Close the walk."""
        self.source = self.walk = self.description = self.subject = self.hovered = None
        self.problem, self.number, self.link, self.due = "", 0, -1, False
        self.visited.clear()
        self.shares = Shares()

    @property
    def page(self) -> Page | None:
        """The open page; None when no walk is open, or when it does not fit the model."""
        return self.walk.pages[self.number] if self.walk is not None else None

    @property
    def pages(self) -> int:
        """Number of pages of the open walk: those that fit the model, once that is known."""
        walk = self.walk or self.source
        return len(walk.pages) if walk is not None else 0

    def go(self, number: int) -> None:
        """Open the page with this index; past the last page, close a walk of captions."""
        if self.source is None:
            return
        if number >= self.pages and self.caption:
            self.stop()
            return
        self.number = min(max(number, 0), self.pages - 1)
        self.link, self.hovered, self.due = -1, None, True

    @property
    def links(self) -> tuple[Subject, ...]:
        """The targets of the page's links, in the order of the text."""
        page = self.page
        return () if page is None else tuple(link.target for link in page.links if link.target is not None)

    @property
    def timed(self) -> bool:
        """True while the page waits to be shown, or for its time to pass."""
        page = self.page
        return page is not None and (self.due or (self.caption and page.hold > 0))
