"""How the tensors of each part of the model are arranged on Map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Down:
    """Parts from top to bottom, such as a weight above the activation that it produces."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Right:
    """Parts from left to right, in the order in which a token passes them."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Spread:
    """A tensor whose bands fill a width of `units` times the model's channels."""

    name: str
    units: int


Part: TypeAlias = "Down | Right | Spread | str"

_PATTERN = "attn.pattern"
_ENTER = Down(("resid_pre", "ln_1.weight", "ln_1.bias", "ln_1"))
_QKV = Down(("attn.c_attn.weight", "attn.c_attn.bias", "attn.qkv"))
_OUT = Down(("attn.out", "attn.c_proj.weight", "attn.c_proj.bias", "attn.c_proj", "resid_mid"))
_NORM = Down(("ln_2.weight", "ln_2.bias", "ln_2"))
_HIDDEN = Down(("mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_fc", "mlp.gelu"))
_LEAVE = Down(("mlp.c_proj.bias", "mlp.c_proj", "resid_post"))
_ATTENTION = Right((_ENTER, Down((_QKV, Spread(_PATTERN, 3))), _OUT))
_MLP = Down((Right((_NORM, _HIDDEN)), Right(("mlp.c_proj.weight", _LEAVE))))

# Arrangements of a block, with names without `h.N.`. `map_layout` chooses the one that suits the model's shape best.
BLOCKS: tuple[Part, ...] = (
    Down((_ATTENTION, _MLP)),
    Right((_ATTENTION, _MLP)),
    Down(
        (
            Right(("resid_pre", Down(("ln_1.weight", "ln_1.bias", "ln_1")), "attn.out", "resid_mid")),
            Right((_QKV, Down(("attn.c_proj.weight", "attn.c_proj.bias", "attn.c_proj")))),
            Spread(_PATTERN, 4),
            _HIDDEN,
            "mlp.c_proj.weight",
            Right((_NORM, _LEAVE)),
        )
    ),
)
EMBEDDING: Part = Down(("wpe", "embed.tokens", "embed.positions", "embed.sum"))  # to the right of `wte`
HEAD: Part = Down(("ln_f.weight", "ln_f.bias", "ln_f", "logits"))
