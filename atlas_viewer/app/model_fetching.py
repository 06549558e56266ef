"""Fetches models for the window in a thread, so that frames keep being drawn."""

from __future__ import annotations

import threading
from collections.abc import Callable

from atlas_viewer.hub.catalogue import CATALOGUE, entry_of
from atlas_viewer.hub.store import others
from atlas_viewer.hub.store import state as state_on_disk
from atlas_viewer.state.model_choice import ModelChoice, ModelChoices
from compute.errors import AtlasError
from compute.io.system_errors import first_line


def known_models() -> list[ModelChoice]:
    """The embedded model, those in the catalogue and other repositories; each is marked if it is on this machine."""
    listed = [ModelChoice("stories", "embedded, 13 million parameters, writes simple English", "MIT", True)]
    for entry in CATALOGUE.values():
        listed.append(ModelChoice(entry.name, entry.what, entry.licence, state_on_disk(entry.name) == "fetched"))
    for note in others(CATALOGUE):
        listed.append(
            ModelChoice(note.name, "a repository on the hub", note.licence, state_on_disk(note.name) == "fetched")
        )
    return listed


class ModelFetching:
    """Runs one background task at a time; `poll` reports its progress in `choices`."""

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
        """True while a task is running."""
        return self._thread is not None

    def look_up(self, name: str) -> None:
        """Ask the hub for the size of model `name`."""

        def work() -> None:
            from atlas_viewer.hub.fetch import missing_bytes  # here, because the hub's library loads slowly
            from atlas_viewer.hub.look_up import look_up

            offer = look_up(entry_of(name))
            self._offer = offer
            self._offered = (name, missing_bytes(offer), offer.entry.licence)

        self._begin(f"asking the hub about {name}", work)

    def fetch(self, name: str) -> None:
        """Fetch the model that was looked up."""

        def work() -> None:
            from atlas_viewer.hub.fetch import fetch
            from atlas_viewer.hub.offer import Offer

            offer = self._offer
            assert isinstance(offer, Offer)
            fetch(offer, self._report, self._stop)

        self._offered = None
        self._begin(f"fetching {name}", work)

    def stop(self) -> None:
        """Ask the task to stop; files fetched so far are kept for the next attempt."""
        self._stop.set()

    def poll(self) -> None:
        """Report the task's progress, and its outcome once it has ended."""
        if self._thread is None:
            return
        ended = not self._thread.is_alive()  # checked first, so that the progress read below is final
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
            except Exception as error:  # from a library; reported like the others, so that the window stays open
                self._error = f"{what}: unexpected {type(error).__name__}: {first_line(error)}"

        self._thread = threading.Thread(target=guarded, name="models", daemon=True)
        self._thread.start()

    def _report(self, done: int, total: int) -> None:
        self._progress = (done, total)
