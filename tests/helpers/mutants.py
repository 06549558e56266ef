"""Wrong kernels: shaders in which some text is replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import wgsl
from compute.gpu.kernels import shared_kernels

Mutate = Callable[[str, str, str], list[int]]


@pytest.fixture
def mutate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mutate]:
    """Replaces text in a shader; the list that it returns gets the number of replacements at each load."""
    # Compiled kernels are cached for the whole process: neither correct ones nor wrong ones may remain.
    shared_kernels.cache_clear()
    yield lambda shader, text, other: _mutate(monkeypatch, shader, text, other)
    shared_kernels.cache_clear()


def _mutate(monkeypatch: pytest.MonkeyPatch, shader: str, text: str, other: str) -> list[int]:
    changes: list[int] = []
    load = wgsl.load

    def changed(name: str, **values: object) -> str:
        source = load(name, **values)
        if name == shader:
            changes.append(source.count(text))
            source = source.replace(text, other)
        return source

    monkeypatch.setattr(wgsl, "load", changed)
    return changes
