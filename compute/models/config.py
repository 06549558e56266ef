"""The shape of a GPT-2 model, and the names and shapes of its parameters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a model with the GPT-2 architecture, in elements.

    `padded_vocabulary` is the number of rows of `wte` (llm.c pads it to a multiple of 128); rows past `vocabulary`
    belong to no token.
    """

    layers: int
    heads: int
    channels: int
    positions: int
    vocabulary: int
    padded_vocabulary: int

    @property
    def head_size(self) -> int:
        """Channels of one attention head."""
        return self.channels // self.heads

    @property
    def parameters(self) -> int:
        """Number of parameters, without the padding rows of `wte`."""
        padding = (self.padded_vocabulary - self.vocabulary) * self.channels
        return sum(_count(shape) for shape in parameter_shapes(self).values()) - padding


def _count(shape: tuple[int, ...]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


def layer_parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Names (without `h.N.`) and shapes of a block's parameters, as ordered in llm.c files; matrices are [out, in]."""
    c = config.channels
    return {
        "ln_1.weight": (c,),
        "ln_1.bias": (c,),
        "attn.c_attn.weight": (3 * c, c),
        "attn.c_attn.bias": (3 * c,),
        "attn.c_proj.weight": (c, c),
        "attn.c_proj.bias": (c,),
        "ln_2.weight": (c,),
        "ln_2.bias": (c,),
        "mlp.c_fc.weight": (4 * c, c),
        "mlp.c_fc.bias": (4 * c,),
        "mlp.c_proj.weight": (c, 4 * c),
        "mlp.c_proj.bias": (c,),
    }


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Every parameter by its Hugging Face name without prefix, in the order of use; matrices are [out, in]."""
    c = config.channels
    shapes: dict[str, tuple[int, ...]] = {"wte": (config.padded_vocabulary, c), "wpe": (config.positions, c)}
    for layer in range(config.layers):
        for name, shape in layer_parameter_shapes(config).items():
            shapes[f"h.{layer}.{name}"] = shape
    shapes["ln_f.weight"] = (c,)
    shapes["ln_f.bias"] = (c,)
    return shapes


GPT2_SIZES: dict[str, ModelConfig] = {
    name: ModelConfig(layers, heads, channels, 1024, 50257, 50304)
    for name, layers, heads, channels in (
        ("gpt2", 12, 12, 768),
        ("gpt2-medium", 24, 16, 1024),
        ("gpt2-large", 36, 20, 1280),
        ("gpt2-xl", 48, 25, 1600),
    )
}
