"""Persistent settings: `UiState` as a JSON file in the user's configuration folder."""

from __future__ import annotations

import functools
import itertools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import platformdirs

from compute.errors import OutputError, UsageError
from compute.io.escape import one_line
from compute.io.output_files import write_output
from compute.io.placing import set_aside
from compute.io.untrusted_json import read_untrusted_json
from compute.io.value_type import one_of
from compute.sampling.options import GenerateOptions
from compute.sampling.options_json import options_from_json

from . import arrangement, layout_text, recent_files
from .edit_files import parse_lines
from .edit_list import EditList
from .presets import BUILT_IN, bad_name
from .start_marker import StartMarker
from .state import State
from .ui_state import CHIP_COLORS, THEME_NAMES, VIEWS, ZOOMS, UiState

VERSION = 1
_QUIET = 2.0  # seconds without a change before settings are saved
_ANY_SIZE = 2**31 - 1  # the largest number that widgets accept
_FRAMES = 10  # after this many frames, the settings are known to be harmless
_PROMPT_CHARACTERS = 1_000_000  # limit on the total length of the prompts kept, newest first


def path() -> Path:
    """The settings file; `ATLAS_VIEWER_CONFIG` sets another folder for it."""
    folder = os.environ.get("ATLAS_VIEWER_CONFIG") or platformdirs.user_config_dir("atlas-viewer", appauthor=False)
    return Path(folder) / "interface.json"


def dumps(ui: UiState) -> str:
    """`ui` as JSON text, without the fields that do not persist."""
    values: dict[str, Any] = {"version": VERSION}
    values |= {key: getattr(ui, _field(key)) for key in _CHECKS}
    values["hidden"] = sorted(ui.hidden)
    values["presets"] = {name: options.as_json() for name, options in ui.presets.items()}
    remaining = _PROMPT_CHARACTERS
    kept: list[str] = []
    for prompt in reversed(ui.prompts):
        remaining -= len(prompt)
        if remaining < 0:
            break
        kept.insert(0, prompt)
    values["prompts"] = kept
    return json.dumps(values, indent=1) + "\n"


def loads(text: str) -> UiState:
    """The `UiState` that `dumps` wrote. Raises a `ValueError` that describes what is wrong with it."""
    try:
        values = read_untrusted_json(text)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError("is not a JSON object")
    version = values.get("version")
    if isinstance(version, int) and version > VERSION:
        raise ValueError(f"has version {version}, but this program reads version {VERSION}")
    if version != VERSION:
        raise ValueError("has no known version")
    ui = UiState()
    for key, check in _CHECKS.items():
        if key in values:
            try:
                setattr(ui, _field(key), check(values[key]))
            except (msgspec.ValidationError, ValueError, UsageError):
                raise ValueError(f"has an invalid {key!r}") from None
    return ui


def _field(key: str) -> str:
    """The field of `UiState` that the file stores under `key`."""
    return _RENAMED.get(key, key)


def _zoom(value: object) -> float:
    zoom = msgspec.convert(value, float)
    if zoom != 0 and not ZOOMS[0] <= zoom <= ZOOMS[-1]:
        raise ValueError
    return zoom


def _presets(values: object) -> dict[str, GenerateOptions]:
    saved = msgspec.convert(values, dict[str, Any])
    for name in saved:
        if name not in BUILT_IN and bad_name(name):
            raise ValueError
    # They may not be for the model that is opened next.
    return {name: options_from_json(options).checked(_ANY_SIZE, _ANY_SIZE) for name, options in saved.items()}


def _edit_presets(values: object) -> dict[str, list[str]]:
    saved = msgspec.convert(values, dict[str, list[str]])
    for name, lines in saved.items():
        if bad_name(name):
            raise ValueError
        parse_lines(lines, EditList())
    return saved


def _recent(value: object) -> list[str]:
    return msgspec.convert(value, list[str])[: recent_files.KEPT]


def _as(kind: Any) -> Callable[[object], Any]:
    return functools.partial(msgspec.convert, type=kind)


# The keys of the file. Each check converts the value read to the one for `UiState`, or raises.
_CHECKS: Mapping[str, Callable[[object], Any]] = {
    "zoom": _zoom,
    "theme": one_of(THEME_NAMES),
    "hidden": _as(set[str]),
    "layout": _as(str),
    "layout_zoom": _as(Annotated[float, msgspec.Meta(ge=0.1, le=10)]),
    "arrangement": one_of(("", *arrangement.NAMES)),
    "view": one_of(VIEWS),
    "presets": _presets,
    "edit_presets": _edit_presets,
    "prompts": _as(list[str]),
    "chip_colour": one_of(CHIP_COLORS),
    "seed_locked": _as(bool),
    "tables": _as(bool),
    "minimap": _as(bool),
    "flow": _as(bool),
    "glow": _as(bool),
    "formulas": _as(bool),
    "recent": _recent,
    "timeline": _as(bool),
}
_COPIED = ("hidden", "presets", "edit_presets", "prompts", "recent")  # their values can change in place
_RENAMED = {"chip_colour": "chip_color"}  # keys that differ from the names of their fields


class SettingsStore:
    """Loads the settings into a state, and saves them shortly after a change."""

    def __init__(self, state: State, call_later: Callable[[float], None], file: Path | None = None) -> None:
        """Load the settings.

        An invalid file is reported in the state's messages and kept under another name, as is one with which the last
        start failed before its first frames. call_later: ensures that `frame` is called after this many seconds, even
        if nothing else happens.
        """
        self._frames, self._marker = 0, StartMarker(file or path())
        self._state, self._call_later, self._file = state, call_later, file or path()
        self._note, self._changed_at = "", 0.0
        self._saves = True
        self._load()
        self._saved = self._seen = self._snapshot()

    def _load(self) -> None:
        if self._marker.set() and os.path.lexists(self._file):
            self._note = self._put_aside("was in use when the last start failed")
            return
        try:
            self._state.ui = loads(self._file.read_text("utf-8"))
            self._check_layout()
        except FileNotFoundError:
            self._state.walks.invited = True  # the first start
        except OSError as error:
            self._saves = False  # do not overwrite what cannot be read
            self._note = f"settings cannot be read ({error.strerror}) and will not be saved: {one_line(self._file)}"
        except ValueError as error:
            reason = "is not UTF-8 text" if isinstance(error, UnicodeError) else str(error)
            self._note = self._put_aside(reason)

    def _check_layout(self) -> None:
        ui = self._state.ui
        try:
            ui.layout = layout_text.checked(ui.layout)
        except ValueError as error:
            ui.layout = ""
            self._note = f"the saved layout {error}; the default layout is used: {one_line(self._file)}"

    def _put_aside(self, reason: str) -> str:
        numbered = (self._file.with_suffix(f".json.{number}.bad") for number in itertools.count(2))
        try:
            aside = set_aside(self._file, itertools.chain([self._file.with_suffix(".json.bad")], numbered))
        except OSError:
            self._saves = False
            return f"the settings file {reason}; settings will not be saved until it is fixed: {one_line(self._file)}"
        return f"the settings file {reason}; default settings are used, and the file is kept as {one_line(aside)}"

    def _snapshot(self) -> tuple[Any, ...]:
        """The values to save, cheap to create and compare, because no text is copied."""
        ui = self._state.ui
        plain = tuple(getattr(ui, _field(key)) for key in _CHECKS if key not in _COPIED)
        edits = tuple((name, tuple(lines)) for name, lines in ui.edit_presets.items())
        return (*plain, frozenset(ui.hidden), tuple(ui.presets.items()), edits, tuple(ui.prompts), tuple(ui.recent))

    def frame(self, now: float, dragging: bool) -> None:
        """Save changes that are old enough. now: time in seconds; dragging: True while a mouse button is down."""
        self._frames += 1
        if self._frames == _FRAMES:
            self._marker.clear()
        if self._note and self._state.run is not None:  # not earlier: starting a run clears the messages
            self._state.messages.append(self._note)
            self._note = ""
        seen = self._snapshot()
        if seen != self._seen:
            self._seen, self._changed_at = seen, now
            self._call_later(_QUIET)
        if seen == self._saved or dragging:
            return
        if now - self._changed_at >= _QUIET:
            self._save()

    def close(self, *, failed: bool = False) -> None:
        """Save the latest changes. failed: True if an unexpected error has closed the window."""
        if failed and self._frames < _FRAMES:
            self._marker.leave()  # and do not save: these settings may be the cause
            return
        self._marker.clear()
        if self._snapshot() != self._saved:
            self._save()

    def _save(self) -> None:
        self._saved = self._snapshot()
        if not self._saves:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_output(self._file, dumps(self._state.ui).encode())
        except (OSError, OutputError) as error:
            self._saves = False  # report it only once
            cause = error.__cause__ if isinstance(error, OutputError) else error
            reason = cause.strerror if isinstance(cause, OSError) else str(error)
            self._state.messages.append(f"settings cannot be saved ({reason}): {one_line(self._file)}")
