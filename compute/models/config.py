"""The sizes of a model."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

from .operations import Function

_USUAL_CONTEXT = 1024  # GPT-2's; caches and activations of a hundred thousand tokens would fit on few GPUs


@dataclass(frozen=True)
class Llama3Scaling:
    """How Llama 3 stretches rotary positions: slow frequencies by `factor`, fast ones not, and some in between.

    A frequency is slow below `low` turns in the original context of `positions` tokens, and fast above `high` turns.
    """

    factor: float
    low: float
    high: float
    positions: int

    def divisor(self, frequency: float) -> float:
        """What a frequency, in radians per position, is divided by."""
        turns = self.positions * frequency / (2 * pi)
        share = min(1.0, max(0.0, (turns - self.low) / (self.high - self.low)))  # that stays as it is
        return 1 / (share + (1 - share) / self.factor)


@dataclass(frozen=True)
class RopeConfig:
    """Rotary positions. theta: base of the frequencies; local_theta: that of blocks with a window, where it differs.

    channels: of each head that are rotated, 0 for all. linear, llama3, factors: what the frequencies are divided by
    (one number, by a formula, or a number for each); where `local_theta` is set, those of blocks with a window are not.
    """

    theta: float = 10000.0
    channels: int = 0
    local_theta: float = 0.0
    linear: float = 1.0
    llama3: Llama3Scaling | None = None
    factors: tuple[float, ...] = ()

    def frequencies(self, head_size: int, *, local: bool = False) -> tuple[float, ...]:
        """The frequency of each pair of channels, in radians per position. local: of a block with a window."""
        channels = self.channels or head_size
        local = local and self.local_theta > 0
        theta = self.local_theta if local else self.theta
        plain = [theta ** (-2 * pair / channels) for pair in range(channels // 2)]
        if local:
            return tuple(plain)
        factors = self.factors or (self.linear,) * len(plain)
        divided = [frequency / factor for frequency, factor in zip(plain, factors, strict=True)]
        if self.llama3 is None:
            return tuple(divided)
        return tuple(frequency / self.llama3.divisor(frequency) for frequency in divided)


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a model, in elements, and everything else that its description depends on.

    `padded_vocabulary` is the number of rows of the embedding (llm.c pads it to a multiple of 128); rows past
    `vocabulary` belong to no token. `architecture` names the description of the model, see `architectures.describe`.
    The defaults of the fields from `own_head_size` on are GPT-2's values.

    own_head_size: 0 for channels / heads. own_kv_heads: key and value heads, 0 for one per query head. own_neurons: of
    an MLP, 0 for 4 per channel. epsilon: of norms. function: of the MLP, see `operations.Function`. tied: the head's
    matrix is the token embedding. attention_bias, mlp_bias: whether the matrices have biases, where that is optional.
    parallel: attention and MLP of a block read the same stream. rope: None for learned positions.
    window: tokens that a query sees, itself included, 0 for all; window_blocks: whether that applies to block i, at
    i modulo the length, () for all blocks. attention_scale: factor of scores, 0 for 1 / sqrt(head size).
    attention_cap, logit_cap: soft caps, 0 for none.
    """

    layers: int
    heads: int
    channels: int
    positions: int
    vocabulary: int
    padded_vocabulary: int
    architecture: str = "gpt2"
    own_head_size: int = 0
    own_kv_heads: int = 0
    own_neurons: int = 0
    epsilon: float = 1e-5
    function: Function = "gelu"
    tied: bool = True
    attention_bias: bool = False
    mlp_bias: bool = False
    parallel: bool = False
    rope: RopeConfig | None = None
    window: int = 0
    window_blocks: tuple[bool, ...] = ()
    attention_scale: float = 0.0
    attention_cap: float = 0.0
    logit_cap: float = 0.0

    @property
    def head_size(self) -> int:
        """Channels of one attention head."""
        return self.own_head_size or self.channels // self.heads

    @property
    def kv_heads(self) -> int:
        """Key and value heads."""
        return self.own_kv_heads or self.heads

    @property
    def usual_context(self) -> int:
        """The longest context unless another is asked for, in tokens: all positions, but at most 1,024."""
        return min(self.positions, _USUAL_CONTEXT)

    @property
    def rotary(self) -> RopeConfig:
        """The rotary positions. Raises ValueError for a model without them."""
        if self.rope is None:
            raise ValueError(f"a model of the architecture {self.architecture} needs rotary positions")
        return self.rope

    @property
    def neurons(self) -> int:
        """Hidden neurons of an MLP."""
        return self.own_neurons or 4 * self.channels

    def window_of(self, block: int) -> int:
        """Tokens that a query sees in a block, 0 for all."""
        limited = self.window_blocks[block % len(self.window_blocks)] if self.window_blocks else True
        return self.window if limited else 0


GPT2_SIZES: dict[str, ModelConfig] = {
    name: ModelConfig(layers, heads, channels, 1024, 50257, 50304)
    for name, layers, heads, channels in (
        ("gpt2", 12, 12, 768),
        ("gpt2-medium", 24, 16, 1024),
        ("gpt2-large", 36, 20, 1280),
        ("gpt2-xl", 48, 25, 1600),
    )
}
