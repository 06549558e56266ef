"""Strip says which blocks have no cells left, and where they are."""

from __future__ import annotations

import pytest

from atlas_viewer.state.strip_left_out import left_out_details, left_out_notice
from compute.models.architectures import known_shapes


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["h.10.attn.out", "h.10.resid_mid", "layers.11.input_layernorm.weight", "h.29.ln_2", "ln_f"],
            "10 of 30 blocks",
        ),
        (["ln_f", "logits"], "2 tensors did not fit"),
        (["logits"], "1 tensor did not fit"),
    ],
)
def test_the_notice_counts_blocks_that_fit(names: list[str], expected: str) -> None:
    notice = left_out_notice(names)
    assert notice.startswith(expected)
    assert "Map" in notice


def test_details_name_some() -> None:
    names = [f"h.{block}.ln_1" for block in range(20, 20 + known_shapes()["smollm2-135m"].layers)]
    details = left_out_details(names)
    assert "30 tensors" in details
    assert "h.20.ln_1" in details
    assert "h.49.ln_1" not in details
    assert "..." in details
    assert "..." not in left_out_details(names[:3])
