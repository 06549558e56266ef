"""Models of the same sizes in PyTorch with random weights, and how they decode one token after another.

PyTorch and transformers have no types here: they are imported at run time and passed in.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from compute.models.config import ModelConfig
from compute.weights.hugging_face_config import config_json


class Decoder(Protocol):
    """One-token passes over a cache of fixed length, the unused part of which is masked; argmax."""

    def begin(self, tokens: int) -> None:
        """Empty the cache and fill it with a prompt of `tokens` tokens, at least one."""

    def step(self, token: Any, position: Any) -> Any:
        """The token after `token` [1, 1], which is at `position` [1]: [1, 1], all on the device."""


Compile = Callable[[Any], Any]
"""What a step becomes before it is timed, such as a compiled function."""


def transformers_model(torch: Any, transformers: Any, config: ModelConfig, device: str, dtype: Any) -> Any:
    """Hugging Face's model of the sizes of `config`, without an end-of-text token: generation must not stop early."""
    values = config_json(replace(config, vocabulary=config.padded_vocabulary), "f32")
    del values["torch_dtype"], values["architectures"]
    values |= dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    model_config = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
    with torch.device(device):
        model = transformers.AutoModelForCausalLM.from_config(model_config)
    model.generation_config.eos_token_id = None
    return model.to(dtype).eval()


class StaticDecoder:
    """Hugging Face's model over its own `StaticCache` of `context` tokens; a `Decoder`."""

    def __init__(self, torch: Any, transformers: Any, model: Any, context: int, compiled: Compile) -> None:
        self._torch, self._model = torch, model
        self._cache = transformers.StaticCache(config=model.config, max_cache_len=context)
        # Newer versions of transformers have another name for the cache; older ones want the positions twice.
        accepted = inspect.signature(model.forward).parameters
        self._named = {"cache" if "cache" in accepted else "past_key_values": self._cache, "use_cache": True}
        self._twice = "cache_position" in accepted
        self._step = compiled(self._next)

    def begin(self, tokens: int) -> None:
        """See `Decoder`. The prompt is not compiled."""
        self._cache.reset()
        prompt = self._torch.zeros((1, tokens), dtype=self._torch.long, device=self._model.device)
        self._next(prompt, self._torch.arange(tokens, device=self._model.device))

    def step(self, token: Any, position: Any) -> Any:
        """See `Decoder`."""
        return self._step(token, position)

    def _next(self, tokens: Any, positions: Any) -> Any:
        again = {"cache_position": positions} if self._twice else {}
        result = self._model(input_ids=tokens, position_ids=positions[None], **self._named, **again)
        return result.logits[:, -1].argmax(-1, keepdim=True)


class HandWrittenGpt2:
    """GPT-2 written by hand for one token; a `Decoder`. It is faster than Hugging Face's, hence a fairer comparison."""

    def __init__(
        self, torch: Any, config: ModelConfig, context: int, device: str, dtype: Any, compiled: Compile
    ) -> None:
        self._step = compiled(_gpt2(torch, config, context).to(device, dtype).eval())

    def begin(self, tokens: int) -> None:
        """See `Decoder`. The prompt's rows stay as they are: the time of a token does not depend on their values."""

    def step(self, token: Any, position: Any) -> Any:
        """See `Decoder`."""
        return self._step(token, position)


def _gpt2(torch: Any, config: ModelConfig, context: int) -> Any:
    """GPT-2 for one token, with a static cache: (token [1, 1], position [1]) -> next token [1, 1]."""
    nn, functional = torch.nn, torch.nn.functional
    c, heads, size = config.channels, config.heads, config.head_size

    class Block(nn.Module):  # type: ignore[misc, name-defined]  # torch is imported at run time and has no types
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(c), nn.LayerNorm(c)
            self.c_attn, self.attn_proj = nn.Linear(c, 3 * c), nn.Linear(c, c)
            self.c_fc, self.mlp_proj = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)
            self.register_buffer("keys", torch.zeros(1, heads, context, size))
            self.register_buffer("values", torch.zeros(1, heads, context, size))

        def forward(self, x: Any, position: Any, mask: Any) -> Any:  # x [1, 1, c]
            parts = self.c_attn(self.ln_1(x)).split(c, -1)
            query, key, value = (part.view(1, 1, heads, size).transpose(1, 2) for part in parts)
            self.keys.index_copy_(2, position, key)
            self.values.index_copy_(2, position, value)
            mixed = functional.scaled_dot_product_attention(query, self.keys, self.values, attn_mask=mask)
            x = x + self.attn_proj(mixed.transpose(1, 2).reshape(1, 1, c))
            hidden = functional.gelu(self.c_fc(self.ln_2(x)), approximate="tanh")
            return x + self.mlp_proj(hidden)

    class Decoder(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.wte = nn.Embedding(config.padded_vocabulary, c)
            self.wpe = nn.Embedding(config.positions, c)
            self.blocks = nn.ModuleList([Block() for _ in range(config.layers)])
            self.ln_f = nn.LayerNorm(c)
            self.register_buffer("rows", torch.arange(context))

        def forward(self, token: Any, position: Any) -> Any:
            x = self.wte(token) + self.wpe(position)[None]
            mask = (self.rows <= position)[None, None, None]  # [1, 1, 1, context]
            for block in self.blocks:
                x = block(x, position, mask)
            logits = functional.linear(self.ln_f(x), self.wte.weight)[:, -1]
            return logits.argmax(-1, keepdim=True)

    return Decoder()
