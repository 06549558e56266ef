"""The only file that uses private names of cffi. It makes cffi parse a type in one millisecond instead of twenty.

cffi parses each new type string, such as "WGPULimits *", with pycparser, after a preamble that declares every typedef
it knows. The header of wgpu has over 900 typedefs, and a program that draws and computes uses about 80 type strings:
parsing the same 900 lines 80 times took half of the program's start-up time. A typedef that does not occur in a type
string cannot change how that string is parsed, so the parser is given only those that do occur.
"""

from __future__ import annotations

import copy
import functools
import re
from typing import Any

from cffi import cparser

_WORD = re.compile(r"\w+")
_TYPEDEF = "typedef "

# The names that the method uses in the releases this was written for. Any other implementation is left alone.
_EXPECTED = frozenset(
    {
        "CDEF_SOURCE_STRING", "ParseError", "_common_type_names", "_declarations", "_get_parser", "_preprocess",
        "acquire", "append", "c_parser", "convert_pycparser_error", "discard", "join", "lock", "parse", "pycparser",
        "release", "sorted", "startswith",
    }
)  # fmt: skip


def speed_up(parser: Any = cparser.Parser) -> bool:
    """Give the parser only the typedefs that a string uses. Returns False for an unknown release of cffi; nothing then
    changes, and the program starts more slowly.

    Call it before wgpu's backend is imported. A second call does nothing.
    """
    original = parser._parse
    if getattr(original, "__module__", "") == __name__:
        return True
    code = getattr(original, "__code__", None)
    if code is None or frozenset(code.co_names) != _EXPECTED:
        return False

    @functools.wraps(original, assigned=())
    def parse(self: Any, csource: str) -> Any:
        known = self._declarations
        keys = {_TYPEDEF + word for word in _WORD.findall(csource)}
        narrowed = copy.copy(self)  # the parser itself stays unchanged for other threads
        narrowed._declarations = {key: known[key] for key in keys if key in known}
        return original(narrowed, csource)

    parser._parse = parse
    return True
