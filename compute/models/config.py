"""The sizes of a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a model, in elements.

    `padded_vocabulary` is the number of rows of the embedding (llm.c pads it to a multiple of 128); rows past
    `vocabulary` belong to no token. `architecture` names what describes the model, see `architectures.describe`.
    """

    layers: int
    heads: int
    channels: int
    positions: int
    vocabulary: int
    padded_vocabulary: int
    architecture: str = "gpt2"

    @property
    def head_size(self) -> int:
        """Channels of one attention head."""
        return self.channels // self.heads


GPT2_SIZES: dict[str, ModelConfig] = {
    name: ModelConfig(layers, heads, channels, 1024, 50257, 50304)
    for name, layers, heads, channels in (
        ("gpt2", 12, 12, 768),
        ("gpt2-medium", 24, 16, 1024),
        ("gpt2-large", 36, 20, 1280),
        ("gpt2-xl", 48, 25, 1600),
    )
}
