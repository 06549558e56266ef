"""Paths of the embedded data, a small trained checkpoint and GPT-2's tokenizer. `README.md` describes their origin."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent

CHECKPOINT = FOLDER / "stories_bf16.bin"
"""The `stories` model, llm.c format, version 5 (bfloat16)."""

TOKENIZER = FOLDER / "gpt2_tokenizer.bin"
"""GPT-2's byte-level BPE vocabulary, llm.c tokenizer format, version 2."""
