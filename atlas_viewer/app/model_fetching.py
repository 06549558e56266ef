"""Fetches models for the window: in a thread, so that frames go on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from atlas_viewer.hub.catalogue import CATALOGUE
from atlas_viewer.hub.store import state as state_on_disk
from atlas_viewer.state.model_choice import ModelChoice, ModelChoices
from compute.errors import AtlasError
from compute.io.system_errors import first_line


def known_models() -> list[ModelChoice]:
    """The embedded model and the catalogue's, with what is on this machine."""
    listed = [ModelChoice("stories", "embedded, 13 million parameters, writes simple English", "MIT", True)]
    for entry in CATALOGUE.values():
        listed.append(ModelChoice(entry.name, entry.what, entry.licence, state_on_disk(entry.name) == "fetched"))
    return listed


class ModelFetching:
    """One thing at a time in the background; `poll` tells the state how far it is."""

    def __init__(self, choices: ModelChoices) -> None:
        self._choices = choices
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._progress = (0, 0)
        self._offer: object = None
        self._offered: tuple[str, int, str] | None = None
        self._error = ""

    @property
    def pending(self) -> bool:
        """True while something goes on."""
        return self._thread is not None

    def look_up(self, name: str) -> None:
        """Ask the hub how large `name` is."""

        def work() -> None:
            from atlas_viewer.hub.fetch import missing_bytes  # here, because the hub's library takes its time to load
            from atlas_viewer.hub.hub import look_up

            offer = look_up(CATALOGUE[name])
            self._offer = offer
            self._offered = (name, missing_bytes(offer), CATALOGUE[name].licence)

        self._begin(f"asking the hub about {name}", work)

    def fetch(self, name: str) -> None:
        """Fetch what was looked up."""

        def work() -> None:
            from atlas_viewer.hub.fetch import fetch
            from atlas_viewer.hub.hub import Offer

            offer = self._offer
            assert isinstance(offer, Offer)
            fetch(offer, self._told, self._stop)

        self._offered = None
        self._begin(f"fetching {name}", work)

    def stop(self) -> None:
        """End it soon; what has arrived is kept for the next time."""
        self._stop.set()

    def poll(self) -> None:
        """Tell the state what has happened."""
        if self._thread is None:
            return
        ended = not self._thread.is_alive()  # first: what it told until then is its last word
        self._choices.done, self._choices.total = self._progress
        if not ended:
            return
        self._thread = None
        self._choices.busy, self._choices.error = "", self._error
        self._choices.offered = self._offered
        self._choices.known = known_models()

    def _begin(self, what: str, work: Callable[[], None]) -> None:
        if self._thread is not None:
            return
        self._stop.clear()
        self._progress, self._error = (0, 0), ""
        self._choices.busy, self._choices.error = what, ""
        self._choices.offered = None

        def guarded() -> None:
            try:
                work()
            except AtlasError as error:
                self._error = str(error)
            except Exception as error:  # of a library: told like the others, the window goes on
                self._error = f"{what}: unexpected {type(error).__name__}: {first_line(error)}"

        self._thread = threading.Thread(target=guarded, name="models", daemon=True)
        self._thread.start()

    def _told(self, done: int, total: int) -> None:
        self._progress = (done, total)
