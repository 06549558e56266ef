"""Tiles of Map's pyramid that a workgroup makes together, as GPUs do; software adapters have a thread for each."""

from __future__ import annotations

import pytest

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.selftest import map as map_checks
from compute.selftest.models import SMALL, loud_model
from compute.views import map_pyramid

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("base", [2, 4])
def test_pictures_are_the_same(base: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_pyramid, "tiles_together", lambda _: True)
    source = loud_model(SMALL)
    engine = Engine.load(source, LoadOptions(context=SMALL.positions, weights="f32", program="rows"))
    checks = list(map_checks.maps(engine, source, base))
    assert checks
    assert [check for check in checks if not check.ok] == []
