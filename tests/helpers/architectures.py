"""Architectures that exist only while a test runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from compute.models import architectures


@contextmanager
def architecture(name: str, describe: architectures.Describe) -> Iterator[None]:
    """Register `describe` as `name`; afterwards there is no such architecture again."""
    architectures.register(name, describe)
    try:
        yield
    finally:
        del architectures._ARCHITECTURES[name]
        architectures.describe.cache_clear()
