"""JSON Schemas (draft 2020-12) of what the commands print with `--json`, one file per command.

`docs/json.md` is made from them. They may refer to each other by the names of their files.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
