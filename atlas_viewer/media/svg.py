"""Writes a drawing as SVG."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from .drawing import Box, Drawing, Rgb, Words

_FONTS = "Inconsolata, 'DejaVu Sans Mono', Menlo, Consolas, 'Courier New', monospace"
# Characters that XML 1.0 cannot contain, in any form.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg(drawing: Drawing) -> bytes:
    """The drawing as the bytes of an SVG file; its texts remain texts."""
    return "\n".join(_lines(drawing)).encode() + b"\n"


def _lines(drawing: Drawing) -> Iterator[str]:
    size = f'width="{drawing.width}" height="{drawing.height}" viewBox="0 0 {drawing.width} {drawing.height}"'
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family={quoteattr(_FONTS)}>'
    yield f"<title>{_text(drawing.title)}</title>"
    yield f'<rect width="100%" height="100%" fill="{_color(drawing.background)}"/>'
    yield from map(_box, drawing.boxes)
    yield from map(_words, drawing.words)
    yield "</svg>"


def _box(box: Box) -> str:
    place = f'x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" fill="{_color(box.color)}"'
    return f"<rect {place}><title>{_text(box.hint)}</title></rect>" if box.hint else f"<rect {place}/>"


def _words(words: Words) -> str:
    style = f'font-size="{words.size:g}" fill="{_color(words.color)}"'
    style += "" if words.anchor == "start" else f' text-anchor="{words.anchor}"'
    style += ' font-weight="bold"' if words.bold else ""
    # The mouse reaches the boxes below, which have the hints.
    place = f'x="{words.x:g}" y="{words.y:g}" pointer-events="none" xml:space="preserve"'
    return f"<text {place} {style}>{_text(words.text)}</text>"


def _text(text: str) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", text))


def _color(color: Rgb) -> str:
    return "#" + "".join(f"{round(255 * min(max(part, 0.0), 1.0)):02x}" for part in color)
