"""The figures in the output of `bench --json`, in the order in which tables and pictures show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compute.errors import AtlasError
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as
from compute.io.untrusted_json import read_untrusted_json

_LONGEST = 1 << 20  # bytes of a file
_LONGEST_KEY = 20  # characters of a label
_SAME = 0.02  # changes that runs of the same program have


@dataclass(frozen=True)
class Group:
    """Figures that can be compared with each other.

    labels: of the figures, by their names in the JSON with dots between keys. Where a name ends in ".*", each value of
    that object is a figure, and its key replaces * in the label.
    """

    title: str
    unit: str
    more_is_better: bool
    labels: Mapping[str, str]


GROUPS = (
    Group("Prefill", "ms", False, {"prefill.*": "* tokens"}),
    Group("Decode", "tokens/s", True, {"decode.*": "context *"}),
    Group("Time per token", "us", False, {"decode_gpu_us_per_token": "GPU", "decode_host_us_per_token": "host"}),
    Group(
        "Decode while views are updated", "tokens/s", True,
        {"decode_with_atlas_tokens_per_second": "strip", "map.live_tokens_per_second": "map"},
    ),
    Group(
        "Update for one token", "us", False,
        {"atlas_us": "strip", "statistics_us": "statistics", "map.row_us": "map"},
    ),
    Group("Painting the map, GPU", "us", False, {"map.gpu_us.*": "*"}),
    Group(
        "Frame and opening the map", "ms", False,
        {
            "frame_ms": "frame", "frame_host_ms": "frame, host",
            "map.open_ms": "map, first", "map.weights_ms": "map, again",
        },
    ),
    Group("Frames with the map in front", "frames/s", True, {"map.live_frames_per_second": "map"}),
    Group(
        "Memory", "MB", False,
        {"gpu_mb": "GPU", "map.mb": "GPU, map", "load_host_mb": "host, loaded", "peak_host_mb": "host, peak"},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class NamedFigure:
    """A figure of a group. name: in the JSON. value: None when it was not measured."""

    name: str
    label: str
    value: float | None


@dataclass(frozen=True)
class Change:
    """A figure that two runs have measured."""

    group: Group
    figure: NamedFigure
    before: float
    now: float

    @property
    def percent(self) -> float:
        """By how much it has grown."""
        return 100 * (self.now / self.before - 1)

    @property
    def verdict(self) -> str:
        """ "better" or "worse"; empty when the difference is within what runs of one program differ by."""
        if abs(self.percent) < 100 * _SAME:
            return ""
        return "better" if (self.now > self.before) == self.group.more_is_better else "worse"


def figures(result: Mapping[str, Any], group: Group) -> list[NamedFigure]:
    """The figures of a group in an output of `bench --json`; those that are missing are left out."""
    found: list[NamedFigure] = []
    for name, label in group.labels.items():
        *path, last = name.split(".")
        values: Any = result
        for key in path:
            values = values.get(key) if isinstance(values, Mapping) else None
        if not isinstance(values, Mapping):
            continue
        for key in values if last == "*" else [last] if last in values else []:
            full = ".".join((*path, key))
            found.append(NamedFigure(full, label.replace("*", one_line(key, _LONGEST_KEY)), values[key]))
    return found


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Every figure that both runs have measured."""
    found: list[Change] = []
    for group in GROUPS:
        earlier = {figure.name: figure.value for figure in figures(before, group)}
        for figure in figures(now, group):
            old = earlier.get(figure.name)
            if old and figure.value is not None:  # 0 has no percentage
                found.append(Change(group, figure, old, figure.value))
    return found


def read_result(path: Path) -> dict[str, Any]:
    """An output of `bench --json` in a file, as far as tables and pictures show it. Raises `AtlasError`."""
    shown = one_line(path)
    with read_errors_as(AtlasError, shown), path.open("rb") as file:
        data = file.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise AtlasError(f"{shown}: is too large for an output of `bench --json`; give a file with one")
    try:
        result = read_untrusted_json(data)
    except ValueError as error:
        raise AtlasError(
            f"{shown}: is not JSON ({one_line(str(error))}); give a file with the output of `bench --json`"
        ) from None
    texts = ("adapter", "model", "weights")
    if not isinstance(result, dict) or not all(isinstance(result.get(name), str) for name in texts):
        raise AtlasError(f"{shown}: is not an output of `bench --json`; give a file with one")
    for figure in (figure for group in GROUPS for figure in figures(result, group)):
        value = figure.value
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise AtlasError(f"{shown}: {one_line(figure.name, 80)} is not a figure; save the output of `bench --json`")
    return result
