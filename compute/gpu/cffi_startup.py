"""The only file that touches private names of cffi: its parser reads a type in a millisecond instead of twenty.

cffi parses each new type string, such as "WGPULimits *", with pycparser, behind a preamble that declares every typedef
name it knows. The header of wgpu has over 900 of them, and a program that draws and computes uses some 80 type
strings: reading the same 900 lines 80 times was half of the time that this program took to start. A name that does not
occur in a type string cannot change how the string is parsed, so here the parser gets only those that do.
"""

from __future__ import annotations

import copy
import functools
import re
from typing import Any

from cffi import cparser

_WORD = re.compile(r"\w+")
_TYPEDEF = "typedef "

# What the method names in the releases that this was written for. Another one may work in another way: leave it alone.
_EXPECTED = frozenset(
    {
        "CDEF_SOURCE_STRING", "ParseError", "_common_type_names", "_declarations", "_get_parser", "_preprocess",
        "acquire", "append", "c_parser", "convert_pycparser_error", "discard", "join", "lock", "parse", "pycparser",
        "release", "sorted", "startswith",
    }
)  # fmt: skip


def speed_up(parser: Any = cparser.Parser) -> bool:
    """Give the parser only the names that a text uses. False when this release of cffi is another than expected: then
    nothing changes, and programs start more slowly.

    It is meant to be called before the backend of wgpu is imported; a second call does nothing.
    """
    plain = parser._parse
    if getattr(plain, "__module__", "") == __name__:
        return True
    code = getattr(plain, "__code__", None)
    if code is None or frozenset(code.co_names) != _EXPECTED:
        return False

    @functools.wraps(plain, assigned=())
    def parse(self: Any, csource: str) -> Any:
        known = self._declarations
        keys = {_TYPEDEF + word for word in _WORD.findall(csource)}
        view = copy.copy(self)  # the parser itself stays as it is, for whoever looks at it meanwhile
        view._declarations = {key: known[key] for key in keys if key in known}
        return plain(view, csource)

    parser._parse = parse
    return True
