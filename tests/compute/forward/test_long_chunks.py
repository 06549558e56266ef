"""Chunks of more than 256 rows: when there are any, which prompts use them, and that they compute the same."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import wgpu

from compute.forward import model_memory
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.memory_budget import chunk_rows, scratch_bytes
from compute.forward.program_choice import ProgramChoice
from compute.forward.tiled_program import TiledProgram
from compute.forward.whole_pass import WholePass
from compute.models.architectures import describe
from compute.models.config import GPT2_SIZES
from compute.selftest.models import SMALL, loud_model, some_tokens

CONFIG = replace(SMALL, layers=1, positions=300)
GPT2 = describe(GPT2_SIZES["gpt2"])


@pytest.mark.parametrize(
    ("context", "free", "rows"),
    [
        (16, 10**11, 16), (250, None, 256), (256, 0, 256), (300, 10**11, 304), (300, 0, 256),
        (1024, 10**11, 1024), (1024, 5 * 10**8, 256), (1024, None, 256), (4096, 10**11, 1024),
    ],
)  # fmt: skip
def test_chunks_are_long_only_where_memory_is_ample(context: int, free: int | None, rows: int) -> None:
    assert chunk_rows(GPT2, context, free) == rows


@pytest.mark.parametrize(
    ("chunks", "rows", "index"),
    [
        ((16, 64, 256, 1024), 17, 1), ((16, 64, 256, 1024), 65, 2), ((16, 64, 256, 1024), 300, 2),
        ((16, 64, 256, 1024), 768, 2), ((16, 64, 256, 1024), 769, 3), ((16, 64, 256, 1024), 5000, 3),
        ((16, 64, 256, 304), 257, 3), ((16, 64, 256, 304), 256, 2), ((16, 64, 256, 768), 300, 2),
        ((16, 64, 256), 300, 2), ((16,), 300, 0),
    ],
)  # fmt: skip
def test_long_chunks_are_for_prompts_that_nearly_fill_them(chunks: tuple[int, ...], rows: int, index: int) -> None:
    programs = cast("Any", tuple(SimpleNamespace(rows=chunk) for chunk in chunks))
    choice = ProgramChoice("fused", programs[0], programs, 0.0, (0.0,) * len(chunks))
    assert choice.index(rows) == index


@pytest.fixture
def engine(device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine with a chunk of all its 300 rows, on any adapter."""
    monkeypatch.setattr(model_memory, "is_software", lambda _: False)
    monkeypatch.setattr(model_memory, "free_bytes", lambda *_: 10**10)
    return Engine.load(loud_model(CONFIG), LoadOptions(layout="buffer", context=300, measured=False))


@pytest.mark.gpu
def test_long_chunks_compute_the_same(engine: Engine) -> None:
    assert [engine.prefill_for(rows).rows for rows in (16, 256, 300)] == [16, 256, 304]
    tokens, whole = some_tokens(CONFIG, 300), WholePass(engine)
    last = whole.last_logits(tokens)[0, : CONFIG.vocabulary]
    every = whole.all_logits(tokens)  # by shorter chunks
    np.testing.assert_allclose(last, every[-1], rtol=0, atol=2e-5 * np.abs(every).max())
    texts = [tokens[:100], tokens[100:200], tokens[200:]]
    batch = whole.last_logits(tokens, sequence=100)[:, : CONFIG.vocabulary]
    alone = np.stack([whole.last_logits(text)[0, : CONFIG.vocabulary] for text in texts])
    np.testing.assert_allclose(batch, alone, rtol=0, atol=2e-5 * np.abs(alone).max())


@pytest.mark.gpu
def test_the_memory_of_long_chunks_counts(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    scratch = TiledProgram._scratch

    def recorded(self: TiledProgram, label: str, columns: int) -> wgpu.GPUBuffer:
        buffer = scratch(self, label, columns)
        made.append(buffer.size)
        return buffer

    monkeypatch.setattr(TiledProgram, "_scratch", recorded)
    engine.program(TiledProgram, 304)
    counted = scratch_bytes(engine.description, 304)
    assert counted / 3 < sum(made) <= counted
    long, short = engine.beside(300), engine.beside(200)
    assert (long.prefill.rows, short.prefill.rows) == (304, 256)
    columns = (long.gpu_bytes - counted) / 300
    assert short.gpu_bytes == pytest.approx(200 * columns, rel=0.01)
