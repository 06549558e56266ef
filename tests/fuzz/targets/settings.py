"""The settings file: what is read from it is also what is written back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from atlas_viewer.state.settings import dumps, loads
from atlas_viewer.state.ui_state import UiState
from compute.sampling.options import GenerateOptions

from ..mutation import change_json
from ..target import Target, may_refuse

_WORDS = ["version", *(field.name for field in fields(UiState)), *(field.name for field in fields(GenerateOptions))]
_FULL = UiState(
    zoom=1.25,
    theme="light",
    hidden={"Trace"},
    layout="[Window][Atlas]\nPos=1,2\nSize=300,200\n",
    layout_zoom=1.5,
    presets={"mine": GenerateOptions(temperature=1, top_k=7, seed=2**32 - 1)},
    prompts=["Once", "zwei\nZeilen, 日本"],
    chip_color="rank",
    seed_locked=False,
)


def seeds() -> Sequence[bytes]:
    """Settings as a first start writes them, and with every field set."""
    return [dumps(ui).encode() for ui in (UiState(), _FULL)]


def use(data: bytes) -> None:
    """Read it, then read what is written back."""
    with may_refuse(ValueError):
        ui = loads(data.decode())
    text = dumps(ui)
    text.encode()
    assert loads(text) == ui
    assert ui.effective_zoom > 0
    for prompt in ui.prompts[:3]:
        ui.remember(prompt)
    for panel in sorted(ui.hidden)[:3]:
        ui.toggle(panel)


TARGET = Target(use, seeds, change_json(_WORDS))
