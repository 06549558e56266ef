"""Folders of the checkout, and the search path that a test gives to a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
DATA = TESTS / "data"
SEARCH_PATH = os.pathsep.join(map(str, (ROOT, TESTS)))  # value of PYTHONPATH: the packages, then the helpers
