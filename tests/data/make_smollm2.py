"""Makes `smollm2.npz`: what transformers computes with the numbers in SmolLM2-135M-Instruct's Q4_1 GGUF.

    python make_smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf

It needs PyTorch and transformers, and nothing of this project: it reads the file, dequantizes it and builds the
tokenizer by itself, so that tests compare two independent programs.
"""

from __future__ import annotations

import importlib
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np

PROMPTS = {
    "france": "The capital of France is",
    "unicode": "Größe: 日本語のテキスト 😀 — naïve café №",
    "code": "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "chat": [{"role": "user", "content": "What is the capital of France?"}],
}
STEPS = 24
TOP = 8
SAMPLED = 256
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_F32, _F16, _Q4_1, _Q8_0 = 0, 1, 3, 8
_ALIGNMENT = 32


class Gguf:
    """A GGUF file: metadata by key, tensors as float32."""

    def __init__(self, path: Path) -> None:
        self._data, self._at = path.read_bytes(), 8
        tensors, count = self._number("Q"), self._number("Q")
        self.metadata: dict[str, Any] = {}
        for _ in range(count):
            key = self._text()
            self.metadata[key] = self._value(self._number("I"))
        self._tensors: dict[str, tuple[tuple[int, ...], int, int]] = {}
        for _ in range(tensors):
            name = self._text()
            shape = tuple(self._number("Q") for _ in range(self._number("I")))[::-1]
            self._tensors[name] = shape, self._number("I"), self._number("Q")
        self._start = -(-self._at // _ALIGNMENT) * _ALIGNMENT

    def tensor(self, name: str) -> np.ndarray:
        """The tensor as float32, dequantized."""
        shape, kind, offset = self._tensors[name]
        count, at = int(np.prod(shape)), self._start + offset
        if kind in (_F32, _F16):
            stored = np.frombuffer(self._data, "<f4" if kind == _F32 else "<f2", count, at)
            return np.reshape(stored.astype("f4"), shape)
        if kind == _Q8_0:
            blocks = np.frombuffer(self._data, [("d", "<f2"), ("q", "i1", 32)], count // 32, at)
            return np.reshape(np.multiply(blocks["d"].astype("f4")[:, None], blocks["q"].astype("f4")), shape)
        assert kind == _Q4_1, f"{name}: type {kind}"
        blocks = np.frombuffer(self._data, [("d", "<f2"), ("m", "<f2"), ("q", "u1", 16)], count // 32, at)
        codes = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1).astype("f4")
        values: np.ndarray = np.multiply(blocks["d"].astype("f4")[:, None], codes) + blocks["m"].astype("f4")[:, None]
        return np.reshape(values, shape)

    def _number(self, code: str) -> Any:
        (value,) = struct.unpack_from(f"<{code}", self._data, self._at)
        self._at += struct.calcsize(code)
        return value

    def _text(self) -> str:
        length = self._number("Q")
        self._at += length
        return self._data[self._at - length : self._at].decode()

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind == _ARRAY:
            of = self._number("I")
            return [self._value(of) for _ in range(self._number("Q"))]
        return self._number(_SCALARS[kind])


def tokenizer_of(gguf: Gguf) -> Any:
    """SmolLM2's tokenizer as its authors' tokenizer.json describes it."""
    import tokenizers

    transformers: Any = importlib.import_module("transformers")
    data = {key.removeprefix("tokenizer.ggml."): value for key, value in gguf.metadata.items()}
    tokens = data["tokens"]
    vocabulary = {token: id for id, token in enumerate(tokens)}
    merges = [tuple(merge.split(" ")) for merge in data["merges"]]
    library = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    split = tokenizers.pre_tokenizers
    library.pre_tokenizer = split.Sequence(
        [split.Digits(individual_digits=True), split.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    library.decoder = tokenizers.decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, data["token_type"], strict=True) if kind == 3]
    library.add_special_tokens([tokenizers.AddedToken(token, normalized=False) for token in special])
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=library)
    fast.chat_template = data["chat_template"] if "chat_template" in data else gguf.metadata["tokenizer.chat_template"]
    return fast


def model_of(gguf: Gguf) -> Any:
    """The model with the file's numbers as float32."""
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    meta = gguf.metadata
    heads, key_heads = meta["llama.attention.head_count"], meta["llama.attention.head_count_kv"]
    config = transformers.LlamaConfig(
        vocab_size=meta["llama.vocab_size"],
        hidden_size=meta["llama.embedding_length"],
        intermediate_size=meta["llama.feed_forward_length"],
        num_hidden_layers=meta["llama.block_count"],
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        max_position_embeddings=meta["llama.context_length"],
        rms_norm_eps=meta["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": meta["llama.rope.freq_base"]},
        tie_word_embeddings=True,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    assert model.config.rope_parameters["rope_theta"] == meta["llama.rope.freq_base"]

    def rows(name: str, count: int) -> np.ndarray:
        # GGUF files interleave the two halves of each head's rows.
        stored = gguf.tensor(name)
        return stored.reshape(count, -1, 2, stored.shape[1]).swapaxes(1, 2).reshape(stored.shape)

    values = {"model.embed_tokens.weight": gguf.tensor("token_embd.weight")}
    values["model.norm.weight"] = gguf.tensor("output_norm.weight")
    for layer in range(config.num_hidden_layers):
        to, of = f"model.layers.{layer}.", f"blk.{layer}."
        values[f"{to}self_attn.q_proj.weight"] = rows(f"{of}attn_q.weight", heads)
        values[f"{to}self_attn.k_proj.weight"] = rows(f"{of}attn_k.weight", key_heads)
        for ours, theirs in (
            ("self_attn.v_proj", "attn_v"),
            ("self_attn.o_proj", "attn_output"),
            ("mlp.gate_proj", "ffn_gate"),
            ("mlp.up_proj", "ffn_up"),
            ("mlp.down_proj", "ffn_down"),
            ("input_layernorm", "attn_norm"),
            ("post_attention_layernorm", "ffn_norm"),
        ):
            values[f"{to}{ours}.weight"] = gguf.tensor(f"{of}{theirs}.weight")
    missing = model.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()}, strict=False)
    assert set(missing.missing_keys) <= {"lm_head.weight"}
    assert not missing.unexpected_keys
    model.tie_weights()
    return model


def main() -> None:
    """Write `smollm2.npz` next to this script."""
    torch: Any = importlib.import_module("torch")
    gguf = Gguf(Path(sys.argv[1]))
    tokenizer, model = tokenizer_of(gguf), model_of(gguf)
    sampled = np.sort(np.random.default_rng(0).choice(len(gguf.metadata["tokenizer.ggml.tokens"]), SAMPLED, False))
    arrays: dict[str, np.ndarray] = {"sampled": sampled.astype("i4")}
    for name, prompt in PROMPTS.items():
        if isinstance(prompt, str):
            ids = tokenizer.encode(prompt, add_special_tokens=False)
        else:
            text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
            ids = tokenizer.encode(text, add_special_tokens=False)
            arrays[f"{name}.text"] = np.array(text)
        tokens, logits = list(ids), []
        with torch.inference_mode():
            for _ in range(STEPS):
                logits.append(model(torch.tensor([tokens])).logits[0, -1].numpy().copy())
                tokens.append(int(logits[-1].argmax()))
        steps = np.stack(logits)
        top = np.argsort(-steps, axis=1, kind="stable")[:, :TOP]
        arrays[f"{name}.prompt"] = np.array(ids, "i4")
        arrays[f"{name}.tokens"] = np.array(tokens[len(ids) :], "i4")
        arrays[f"{name}.top"] = top.astype("i4")
        arrays[f"{name}.top_logits"] = np.take_along_axis(steps, top, axis=1)
        arrays[f"{name}.logits"] = steps[[0, -1]][:, sampled]
        print(name, ids, repr(tokenizer.decode(tokens[len(ids) :])))
    np.savez_compressed(Path(__file__).with_name("smollm2.npz"), allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
