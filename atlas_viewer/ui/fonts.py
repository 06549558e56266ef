"""The fonts: one for words, one for numbers and tokens, and fallbacks for characters missing from both."""

from __future__ import annotations

from pathlib import Path

import imgui_bundle
from imgui_bundle import imgui

from atlas_viewer.state import quoting

SIZE = 15.0  # logical pixels at an interface zoom of 100 %

_FOLDER = Path(imgui_bundle.__file__).parent / "assets" / "fonts"
_WORDS, _NUMBERS = _FOLDER / "Roboto" / "Roboto-Regular.ttf", _FOLDER / "Inconsolata-Medium.ttf"
# Mathematics, then pictograms, which include many emoji.
_FALLBACKS = (_FOLDER / "latex" / "latinmodern-math.otf", _FOLDER / "Font_Awesome_6_Free-Solid-900.otf")
_known: dict[str, bool] = {}  # shared by all imgui contexts, which have the same fonts


def load() -> None:
    """Load the fonts of the current imgui context: the first for words, the second for numbers and tokens."""
    fonts = imgui.get_io().fonts
    for first, second in ((_WORDS, _NUMBERS), (_NUMBERS, _WORDS)):
        # Another build of the bundle may ship other fonts; then imgui's own font is used for both.
        if not first.is_file():
            fonts.add_font_default()
            continue
        fonts.add_font_from_file_ttf(str(first), SIZE)
        for fallback in (second, *_FALLBACKS):
            if fallback.is_file():
                merged = imgui.ImFontConfig()
                merged.merge_mode = True
                fonts.add_font_from_file_ttf(str(fallback), SIZE, merged)
    quoting.use_glyphs(has_glyph)


def has_glyph(character: str) -> bool:
    """True when the fonts can draw this character. Outside a frame, the answer is always True."""
    known = _known.get(character)
    if known is None:
        baked = imgui.get_font_baked() if imgui.get_current_context() is not None else None
        if baked is None:
            return True
        glyph = baked.find_glyph_no_fallback(ord(character))
        # Some fonts contain empty glyphs for whole alphabets.
        known = _known[character] = glyph is not None and (glyph.is_visible() or character == " ")
    return known
