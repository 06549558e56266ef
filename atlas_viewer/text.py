"""Text as it is shown."""

from __future__ import annotations

import json


def quoted(text: str) -> str:
    """`text` in double quotes with line ends and other control characters spelled out, as one line."""
    return json.dumps(text, ensure_ascii=False)
