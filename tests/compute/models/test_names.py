"""Names of tensors: of a block, and outside of the blocks."""

from __future__ import annotations

import pytest

from compute.models.names import block_name, split_name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("h.0.ln_1", (0, "ln_1")),
        ("h.3.attn.c_attn.weight", (3, "attn.c_attn.weight")),
        ("h.147.resid_post", (147, "resid_post")),
        ("h.1.h.2.x", (1, "h.2.x")),
        ("h.1.a\nb", (1, "a\nb")),
        ("wte", (None, "wte")),
        ("ln_f.weight", (None, "ln_f.weight")),
        ("", (None, "")),
        ("h", (None, "h")),
        ("h.3", (None, "h.3")),
        ("h.3.", (None, "h.3.")),
        ("h..ln_1", (None, "h..ln_1")),
        ("h.-1.ln_1", (None, "h.-1.ln_1")),
        ("h.x.ln_1", (None, "h.x.ln_1")),
        ("x.h.1.ln_1", (None, "x.h.1.ln_1")),
        ("h.1.ln_1 ", (1, "ln_1 ")),
    ],
)
def test_a_name_splits_into_block_and_short_name(name: str, parts: tuple[int | None, str]) -> None:
    assert split_name(name) == parts
    block, short = parts
    assert block is None or block_name(block, short) == name
